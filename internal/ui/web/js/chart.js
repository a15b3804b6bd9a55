// Queue lengths as stacked areas with the limit, and below them accepts (up) and
// drops (down) a second.
import { $, setText, svg } from "./dom.js";
import { plural } from "./format.js";

const span = 120000; // milliseconds shown
let width = 0, height = 0;
new ResizeObserver(([entry]) => { ({ width, height } = entry.contentRect); }).observe($("plot"));

const hatch = () => svg("pattern", { id: "hatch", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("path", { d: "M0 0V5" }));

export function draw(samples, index, now) {
  const shown = samples.filter(sample => sample.time > now - span && sample.completed.length > index);
  summary(shown, index);
  if (!width || !height) return;
  const unit = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const left = unit * 2.3, right = width - 4, top = unit * .6, middle = height * .58, bottom = height - unit * 1.4;
  const x = time => right - (now - time) / span * (right - left);
  const bound = Math.max(...shown.map(s => s.bound[index]), 0);
  const longest = Math.max(...shown.map(s => s.completed[index] + s.incomplete[index]), 1);
  const most = bound > 0 && bound <= longest * 20 ? Math.max(bound, longest) : longest; // a limit far away would flatten all
  const y = n => middle - n / most * (middle - top);
  const parts = [svg("defs", {}, hatch())];
  const text = (px, py, words, anchor = "end") => parts.push(svg("text", { x: px, y: py, "text-anchor": anchor }, words));
  for (const line of [y(0), y(most)]) parts.push(svg("line", { class: "grid", x1: left, x2: right, y1: line, y2: line }));
  text(left - 5, y(most) + 4, most);
  text(left - 5, y(0) + 4, 0);

  parts.push(svg("path", { class: "area-completed", d: area(shown, x, y, () => 0, s => s.completed[index]) }));
  parts.push(svg("path", { class: "area-incomplete", d: area(shown, x, y, s => s.completed[index], s => s.completed[index] + s.incomplete[index]) }));
  if (bound > 0 && bound <= most) {
    parts.push(svg("path", { class: "limit", d: steps(shown.filter(s => s.bound[index] >= 0 && s.bound[index] <= most), x, y, s => s.bound[index]) }));
  }
  rates(parts, text, shown, index, { x, left, right, top: middle + unit * .9, bottom, now });
  text(left, height - 2, "2 min ago", "start");
  text(right, height - 2, "now");
  $("plot").replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "chart-summary" }, ...parts));
}

// steps is a line that keeps its height until the next sample.
function steps(list, x, y, value) {
  let path = "";
  for (const sample of list) path += path ? `H${x(sample.time).toFixed(1)}V${y(value(sample)).toFixed(1)}` : `M${x(sample.time).toFixed(1)} ${y(value(sample)).toFixed(1)}`;
  return path;
}

function area(list, x, y, low, high) {
  if (!list.some(sample => high(sample) > low(sample))) return "";
  const back = list.toReversed();
  let path = steps(list, x, y, high);
  back.forEach((sample, i) => { path += i ? `V${y(low(sample)).toFixed(1)}H${x(sample.time).toFixed(1)}` : `V${y(low(sample)).toFixed(1)}`; });
  return path + "Z";
}

function rates(parts, text, list, index, box) {
  const seconds = new Map();
  for (const sample of list) {
    const second = Math.floor(sample.time / 1000);
    const sum = seconds.get(second) ?? { accepted: 0, dropped: 0 };
    sum.accepted += sample.accepted[index];
    sum.dropped += sample.dropped[index];
    seconds.set(second, sum);
  }
  const most = Math.max(...[...seconds.values()].flatMap(sum => [sum.accepted, sum.dropped]), 1);
  const middle = (box.top + box.bottom) / 2, half = (box.bottom - box.top) / 2;
  parts.push(svg("line", { class: "grid", x1: box.left, x2: box.right, y1: middle, y2: middle }));
  text(box.left - 5, box.top + 6, most);
  text(box.left - 5, box.bottom, most);
  text(box.left - 5, middle + 4, "/s");
  const wide = Math.max(1.5, (box.right - box.left) / 120 - 1.2);
  for (const [second, sum] of seconds) {
    const x = Math.max(box.left, box.x(second * 1000));
    const up = sum.accepted / most * half, down = sum.dropped / most * half;
    if (up) parts.push(svg("rect", { class: "fill-accepted", x, y: middle - up, width: wide, height: up }));
    if (down) parts.push(svg("rect", { class: "bar-dropped", x, y: middle, width: wide, height: down }));
  }
}

let summed = 0;
function summary(list, index) {
  if (performance.now() - summed < 2000) return;
  summed = performance.now();
  const sum = name => list.reduce((n, sample) => n + sample[name][index], 0);
  const most = Math.max(0, ...list.map(s => s.completed[index] + s.incomplete[index]));
  setText($("chart-summary"), `At most ${plural(most, "connection")} queued at once; ${sum("accepted").toLocaleString("en")} accepted, ${sum("dropped").toLocaleString("en")} dropped.`);
}
