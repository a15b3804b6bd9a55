// What somebody who listens to the page hears: seldom, and only what changed.
import { $, setText } from "./dom.js";
import { plural } from "./format.js";
import { fullness } from "./queues.js";

const pause = 6000; // milliseconds between two announcements
let last = 0;

export function announce(port) {
  if (performance.now() - last < pause) return;
  const text = `${port.incomplete.length} incomplete, ${port.completed.length} completed, ${fullness(port)[0]}; ` +
    `${plural(port.counters.ListenDrops, "segment")} dropped, ${port.counters.Accepts} accepted`;
  if ($("announce").textContent === text) return;
  last = performance.now();
  setText($("announce"), text);
}
