// Backlog, profile and accept of the running instance. What the server says is
// shown, unless somebody is just writing there.
import { ask, refusal } from "./ask.js";
import { $, el, setText } from "./dom.js";

let port = null;
let accept = "";
let profiles = [];
let rating = false; // "at a rate" is chosen, and its rate not set yet

export function init(list) {
  profiles = list;
  $("profile").replaceChildren(...list.map(profile => el("option", { value: profile.name }, profile.name)));
}

export function show(newPort, newAccept) {
  port = newPort;
  accept = newAccept;
  const backlog = $("backlog");
  if (document.activeElement !== backlog || backlog.dataset.shown === backlog.value) backlog.value = port.backlog;
  backlog.dataset.shown = port.backlog;
  const parts = [`effective ${port.effective_backlog}`];
  if (port.effective_backlog !== port.backlog) parts.push(`somaxconn ${port.somaxconn}`);
  setText($("effective"), parts.join(", "));
  if (document.activeElement !== $("profile")) $("profile").value = port.profile;
  setText($("systems"), profiles.find(profile => profile.name === port.profile)?.systems ?? "");
  showAccept();
}

function showAccept() {
  const rate = accept !== "auto" && accept !== "off";
  if (rate) rating = false;
  const kind = rating || rate ? "rate" : accept;
  for (const choice of document.querySelectorAll("input[name=accept]")) choice.checked = choice.value === kind;
  $("f-rate").hidden = kind !== "rate";
  if (rate && document.activeElement !== $("rate")) $("rate").value = accept;
  $("accept-one").disabled = accept === "auto";
  setText($("step-hint"), accept === "auto" ? "choose never or a rate first" : port.completed.length ? "" : "the completed queue is empty");
}

async function post(path, body, done) {
  const result = $("result");
  try {
    const response = await ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await refusal(response));
    setText(result, done(await response.json()));
    result.classList.remove("bad");
  } catch (error) {
    setText(result, error instanceof TypeError ? "the instance does not answer" : error.message);
    result.classList.add("bad");
  }
}

const set = changes => post("api/set", changes, () => Object.entries(changes).map(([name, value]) => `${name} is ${value} now`).join(", "));

function setBacklog(value) {
  $("backlog").value = value;
  $("backlog").dataset.shown = value;
  return set({ backlog: String(value) });
}

$("f-backlog").addEventListener("submit", event => { event.preventDefault(); setBacklog($("backlog").value.trim()); });
for (const [id, by] of [["backlog-less", -1], ["backlog-more", 1]]) {
  $(id).addEventListener("click", () => { const n = Number.parseInt($("backlog").value, 10); if (!Number.isNaN(n)) setBacklog(n + by); });
}
$("profile").addEventListener("change", () => set({ profile: $("profile").value }));

for (const choice of document.querySelectorAll("input[name=accept]")) {
  choice.addEventListener("change", () => {
    rating = choice.value === "rate";
    if (rating) showAccept(); else set({ accept: choice.value });
  });
}
$("f-rate").addEventListener("submit", event => { event.preventDefault(); set({ accept: $("rate").value.trim() }); });
$("accept-one").addEventListener("click", () => post("api/accept", { n: 1 }, taken => {
  if (taken.taken) return `accepted ${taken.clients[0] ?? ""}; ${taken.left} left`;
  return taken.pending ? "allowed, and taken as soon as a worker is free" : "the completed queue is empty";
}));
