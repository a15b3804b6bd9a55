// Draws a ladder: time goes down, segments are arrows between the two sides, and
// what the listener made of them stands beside its side, or on a narrow page
// below the arrow.
import { svg } from "./dom.js";
import { duration, flagNames, kindMeaning } from "./format.js";

const pauseFrom = 250; // milliseconds from which on a wait is drawn as a break

const signs = { incomplete: "◌", completed: "●", accepted: "✓", dropped: "✕", other: "–" };

export function draw(ladder, steps, numbers, width) {
  const unit = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const wide = width > unit * 38;
  const g = {
    unit, wide, width, y: unit * 1.9,
    client: unit * (wide ? 5.2 : 4.3),
    server: wide ? width - Math.min(width * .4, unit * 26) : width - unit * 1.2,
    parts: [], lives: [],
  };
  let last = null;
  let top = g.y;
  steps.forEach((step, i) => {
    const wait = last === null ? 0 : step.at - last;
    if (ladder.omitted && i === ladder.before) top = pause(g, top, `${ladder.omitted} steps not kept`);
    else if (wait >= pauseFrom) top = pause(g, top, `${duration(wait)} later`);
    if (step.kind) note(g, step); else arrow(g, step, steps[i + 1], numbers);
    last = step.at;
  });
  g.y += unit * .6;
  lifelines(g, top, g.y, false);
  const name = (x, text, anchor) => svg("text", { class: "name", x, y: unit * 1.1, "text-anchor": anchor }, text);
  return svg("svg", { width, height: g.y + 4, viewBox: `0 0 ${width} ${g.y + 4}`, "aria-hidden": "true" },
    name(g.client, "client", "middle"), name(g.server, "listener", wide ? "middle" : "end"), ...g.lives, ...g.parts);
}

function lifelines(g, from, to, broken) {
  for (const x of [g.client, g.server]) g.lives.push(svg("line", { class: broken ? "life break" : "life", x1: x, x2: x, y1: from, y2: to }));
}

// pause draws a wait, and returns where the lines go on.
function pause(g, top, text) {
  const { unit } = g;
  g.y += unit * .3;
  lifelines(g, top, g.y, false);
  lifelines(g, g.y, g.y + unit * 1.9, true);
  g.parts.push(svg("text", { class: "gap-text", x: (g.client + g.server) / 2, y: g.y + unit * 1.25, "text-anchor": "middle" }, text));
  g.y += unit * 1.9;
  return g.y;
}

// tone is the colour of a segment: that of the queue it is about.
function tone(step, next) {
  if (step.dropped) return "dropped";
  if (step.flags.includes("R")) return "reset";
  if (step.flags.includes("S")) return "incomplete";
  return next && ["promoted", "parked"].includes(next.kind) && step.inbound ? "completed" : "plain";
}

function arrow(g, step, next, numbers) {
  const { unit } = g;
  const from = step.inbound ? g.client : g.server, to = step.inbound ? g.server : g.client;
  const sense = Math.sign(to - from);
  const y1 = g.y + unit * 1.45, y2 = y1 + unit * .5;
  const seq = numbers.seq(step);
  const words = [`seq ${seq}${step.length ? ":" + (seq + step.length) : ""}`];
  if (step.flags.includes(".")) words.push(`ack ${numbers.ack(step)}`);
  if (step.length) words.push(`len ${step.length}`);
  const end = to - sense * (step.dropped ? unit * .8 : 2);
  const tip = step.dropped
    ? svg("path", { class: "tip", d: `M${end - 5} ${y2 - 5}l10 10m0 -10l-10 10` })
    : svg("path", { class: "tip", d: `M${end} ${y2}l${-sense * 10} -5.5v9z` });
  const full = `${flagNames(step.flags)} ${words.join(" ")} win ${step.window ?? 0}${step.options ?? ""}`;
  g.parts.push(
    time(g, y1 + unit * .2, step),
    svg("g", { class: `segment t-${tone(step, next)}` }, svg("title", {}, full),
      svg("line", { class: "wire", x1: from, y1, x2: end, y2 }), tip,
      svg("text", { x: (g.client + g.server) / 2, y: y1 - unit * .25, "text-anchor": "middle" },
        svg("tspan", { class: "flags" }, flagNames(step.flags)), svg("tspan", { class: "numbers", dx: unit * .5 }, words.join(" ")))));
  g.y = y2 + unit * .2;
}

// time is when a step was, left of the diagram.
function time(g, y, step) {
  g.told = duration(step.at);
  return svg("text", { class: "time", x: g.client - g.unit * .7, y, "text-anchor": "end" }, g.told);
}

function note(g, step) {
  const { unit, wide } = g;
  const meaning = kindMeaning(step.kind);
  const x = wide ? g.server + unit * .9 : g.client + unit * .6;
  const room = (wide ? g.width - 4 : g.server - unit * .6) - x;
  const why = wrap(step.reason, Math.floor((room - unit * 2) / (unit * .43)));
  const height = unit * (1.55 + why.length * 1.12);
  const y = g.y + unit * .3;
  const box = svg("g", { class: `note n-${meaning}` }, svg("title", {}, `${step.event}: ${step.reason}`),
    svg("rect", { x, y, width: room, height, rx: 5 }),
    svg("text", { class: "mark what", x: x + unit * .5, y: y + unit * 1.1 }, signs[meaning]),
    svg("text", { class: "what", x: x + unit * 1.6, y: y + unit * 1.1 }, step.event),
    ...why.map((line, i) => svg("text", { class: "why", x: x + unit * 1.6, y: y + unit * (2.2 + i * 1.12) }, line)));
  g.parts.push(box);
  if (g.told !== duration(step.at)) g.parts.push(time(g, y + unit * 1.1, step));
  if (wide) g.parts.push(svg("line", { class: "life", x1: g.server, x2: x, y1: y + unit * .8, y2: y + unit * .8 }));
  g.y = y + height;
}

// wrap breaks a text into lines of about so many characters.
function wrap(text, most) {
  const list = [];
  for (const word of text.split(" ")) {
    const line = list.at(-1);
    if (line !== undefined && (line + " " + word).length <= most) list[list.length - 1] = line + " " + word;
    else list.push(word);
  }
  return list;
}
