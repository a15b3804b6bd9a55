// Joins the stream with the parts of the page.
import { announce } from "./announce.js";
import { draw } from "./chart.js";
import * as connections from "./connections.js";
import * as controls from "./controls.js";
import { $, el, setText } from "./dom.js";
import * as download from "./download.js";
import * as events from "./events.js";
import { number, plural } from "./format.js";
import * as ladder from "./ladder.js";
import { follow } from "./live.js";
import * as queues from "./queues.js";

const samplesKept = 650;
let samples = [];
let dev = "the instance";
let index = 0; // of the port that is shown
let frame = null;

function hello(message) {
  ({ dev } = message);
  samples = message.samples ?? [];
  setText($("dev"), dev);
  setText($("app"), `${message.app}`);
  document.title = `${dev} · tcplab`;
  controls.init(message.profiles);
  ports(message.frame.ports);
  events.reset(message.recent, message.frame.ports.length > 1);
  show(message.frame);
}

function ports(list) {
  $("port-label").hidden = list.length < 2;
  $("port").replaceChildren(...list.map((port, i) => el("option", { value: i }, port.addrs.split(", ")[0])));
  $("port").value = index;
  const addr = list[0].addrs.split(", ")[0];
  setText($("try"), `curl http://${addr.replace(/:80$/, "")}/`);
}
$("port").addEventListener("change", () => { index = Number($("port").value); show({ ...frame, events: [] }); });

function show(message) {
  frame = message;
  const port = frame.ports[index];
  setText($("addrs"), port.addrs);
  const dropped = frame.events.filter(event => event.kind === "syn-dropped" && event.server.split(":").at(-1) === port.addr.split(":").at(-1)).map(event => event.client);
  queues.show(port, dropped);
  setText($("n-dropped"), number(port.counters.ListenDrops));
  setText($("n-accepted"), number(port.counters.Accepts));
  setText($("accept-now"), frame.accept === "auto" ? "at once, as they come" : frame.accept === "off" ? "one by one, by hand" : `at ${frame.accept}`);
  controls.show(port, frame.accept);
  if (frame.connections) connections.show(frame.connections);
  draw(samples, index, Date.parse(frame.time));
  announce(port);
}

const on = {
  hello,
  frame(message) {
    samples.push(message.sample);
    if (samples.length > samplesKept) samples.splice(0, samples.length - samplesKept);
    events.add(message.events, message.hidden, message.lost);
    show(message);
  },
  lost(message) {
    events.add([], 0, message.events);
    note(`This page is slow: ${plural(message.frames, "update")} left out.`);
  },
};

let noteTimer = 0;
function banner(text, isNote) {
  const element = $("banner");
  clearTimeout(noteTimer);
  element.hidden = !text;
  element.classList.toggle("note", Boolean(isNote));
  setText(element, text);
}

// note says something that is over soon.
function note(text) {
  banner(text, true);
  noteTimer = setTimeout(() => banner(""), 6000);
}

const link = { live: "live", connecting: "connecting", lost: "no connection", ended: "ended" };
function state(name, reason) {
  $("link").dataset.state = name === "ended" ? "lost" : name;
  setText($("link"), link[name]);
  if (name === "live") banner("");
  else if (name === "ended") banner(`${dev} was taken down. When it is up again, open the address that it prints.`);
  else if (name === "lost") banner(reason ? `Not connected: ${reason}` : `No connection to ${dev}; trying again.`);
}

queues.onChoose(connections.chooseClient);
connections.onChange(connection => { ladder.show(connection); queues.mark(connection?.client); });
download.onClick(note);
follow("api/live", on, state);
