// The two queues as slots. Both have as many as the profile's rule lets them
// hold; where it bounds their sum, what one queue has taken is shaded in the
// other.
import { $, el, setText } from "./dom.js";
import { age, number, plural } from "./format.js";
import { arrive, fly, glide } from "./motion.js";

const names = ["incomplete", "completed"];
const cards = 40; // up to so many places a queue are drawn with their client
const dots = 400; // and up to so many one by one

const tiles = new Map(); // client -> { element, queue }
let choose = () => {};
export const onChoose = fn => { choose = fn; };

// bounds are the places of each queue, Infinity for no limit.
export function bounds(port) {
  const { together, incomplete, completed } = port.capacity;
  const of = n => n < 0 ? Infinity : n;
  return together >= 0 ? { incomplete: together, completed: together, together } : { incomplete: of(incomplete), completed: of(completed), together: null };
}

export function show(port, dropped) {
  const limit = bounds(port);
  const before = new Map([...tiles].map(([client, tile]) => [client, { ...tile, rect: tile.element.getBoundingClientRect() }]));
  const now = new Set();
  for (const name of names) lane(port, name, limit, now);
  animate(before, now, dropped);
  for (const [client, tile] of tiles) if (!now.has(client)) { tile.element.remove(); tiles.delete(client); }
  verdict(port, limit);
}

function lane(port, name, limit, now) {
  const queue = port[name];
  const places = limit[name];
  const list = $(`slots-${name}`);
  setText($(`n-${name}`), number(queue.length));
  setText($(`of-${name}`), limit.together !== null ? "" : places === Infinity ? "no limit" : `of ${number(places)}`);

  const drawn = Math.max(places === Infinity ? 0 : places, queue.length);
  const size = drawn <= cards ? "cards" : drawn <= dots ? "dots" : "bar";
  if (list.dataset.size !== size) {
    list.dataset.size = size;
    list.replaceChildren();
    for (const [client, tile] of tiles) if (tile.queue === name) tiles.delete(client);
  }
  const hidden = size === "bar" ? queue.length : queue.length - queue.entries.length;
  more(name, size, queue.length, hidden);
  if (size === "bar") return bar(list, name, queue.length, places);

  if (size === "cards") list.style.setProperty("--columns", columns(list, drawn));
  const wanted = queue.entries.map(entry => { now.add(entry.client); return entryTile(entry, name, size); });
  const other = limit.together === null ? 0 : port[name === "incomplete" ? "completed" : "incomplete"].length;
  const empty = places === Infinity ? 0 : Math.max(0, places - queue.length);
  const shaded = Math.min(empty, other);
  const extra = Math.max(0, Math.min(hidden, dots - wanted.length));
  const blanks = [[`slot ${name}`, extra], ["slot free", empty - shaded], ["slot other", shaded]];
  const spare = [...list.children].filter(child => !child.dataset.client);
  for (const [kind, count] of blanks) {
    for (let i = 0; i < count; i++) {
      const tile = spare.pop() ?? el("li", { "aria-hidden": "true" });
      if (tile.className !== kind) tile.className = kind;
      wanted.push(tile);
    }
  }
  spare.forEach(tile => tile.remove());
  wanted.forEach((tile, i) => { if (list.children[i] !== tile) list.insertBefore(tile, list.children[i] ?? null); });
}

// columns spreads so many tiles evenly over as few rows as have room for their
// labels.
function columns(list, count) {
  const unit = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const fit = Math.max(1, Math.floor(list.clientWidth / (unit * 3.9)));
  return Math.ceil(count / Math.ceil(Math.max(count, 1) / fit)) || 1;
}

function entryTile(entry, name, size) {
  let tile = tiles.get(entry.client);
  if (!tile) {
    const element = el("li", { "data-client": entry.client }, "", el("small"));
    element.firstChild.data = ":" + entry.client.slice(entry.client.lastIndexOf(":") + 1);
    element.addEventListener("click", () => choose(entry.client));
    tiles.set(entry.client, tile = { element, queue: name });
  }
  tile.queue = name;
  const { element } = tile;
  const chosen = element.classList.contains("chosen");
  element.className = `slot ${name}${chosen ? " chosen" : ""}`;
  const ms = entry.age_us / 1000;
  if (size === "cards") setText(element.lastChild, entry.retransmits ? `${age(ms)} ×${entry.retransmits + 1}` : age(ms));
  element.title = `${entry.client}, ${entry.state}, ${age(ms)}, SYN-ACK sent ${entry.retransmits + 1}×`;
  return element;
}

function bar(list, name, length, places) {
  let fill = list.firstElementChild;
  if (!fill) list.append(fill = el("li", { class: `slot ${name}`, "aria-hidden": "true" }));
  fill.style.width = `${places === Infinity ? (length ? 100 : 0) : Math.min(100, 100 * length / places)}%`;
}

function more(name, size, length, hidden) {
  const line = $(`more-${name}`);
  line.hidden = size === "cards" ? hidden <= 0 : false;
  setText(line, size === "cards" ? `and ${number(hidden)} more` : size === "dots" ? "each square is a place" : `${plural(length, "entry", "entries")}, too many places to draw each`);
}

// animate moves what changed its place: forward to the next queue, out to the
// application, or away where it was dropped.
function animate(before, now, dropped) {
  for (const [client, old] of before) {
    const tile = tiles.get(client);
    if (now.has(client)) glide(tile.element, old.rect);
    else if (old.queue === "completed") fly(":" + client.split(":").at(-1), "accepted", old.rect, $("bin-accepted"));
  }
  for (const client of now) if (!before.has(client)) arrive(tiles.get(client).element);
  const source = $("slots-incomplete").getBoundingClientRect();
  for (const client of dropped.slice(0, 4)) {
    fly(":" + client.split(":").at(-1), "dropped", new DOMRect(source.left - 20, source.top, 62, 40), $("bin-dropped"));
  }
}

function verdict(port, limit) {
  const rule = $("rule");
  if (rule.dataset.text !== port.profile + port.rule) {
    rule.dataset.text = port.profile + port.rule;
    rule.replaceChildren(el("b", {}, port.profile), `: ${port.rule}`);
  }
  const [text, full] = fullness(port, limit);
  setText($("fullness"), text);
  $("fullness").classList.toggle("full", full);
}

// fullness is how much room there is, in words, and whether none is.
export function fullness(port, limit = bounds(port)) {
  const incomplete = port.incomplete.length, completed = port.completed.length;
  if (limit.together !== null) {
    const total = incomplete + completed;
    const full = total >= limit.together;
    return [`${number(total)} of ${number(limit.together)} places taken${full ? ": full" : ""}`, full];
  }
  if (completed >= limit.completed) return ["completed queue full", true];
  if (incomplete >= limit.incomplete) return ["incomplete queue full", true];
  return ["there is room", false];
}

// mark shows which entry the ladder is of.
export function mark(client) {
  for (const [other, tile] of tiles) tile.element.classList.toggle("chosen", other === client);
}
