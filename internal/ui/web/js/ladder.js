// The ladder of the chosen connection: fetched when it has changed, drawn by
// ladder-draw.js, and written as text.
import { ask, refusal } from "./ask.js";
import { $, setText } from "./dom.js";
import { micros } from "./format.js";
import { draw } from "./ladder-draw.js";
import { lines } from "./ladder-text.js";

let wanted = null;  // summary of the chosen connection
let shown = null;   // the ladder that is drawn
let asking = false;

export function show(connection) {
  wanted = connection ?? null;
  refresh();
}

async function refresh() {
  if (asking || !wanted || (shown?.id === wanted.id && shown.version >= wanted.version)) return;
  asking = true;
  const { id } = wanted;
  try {
    const response = await ask(`api/connections/${id}`);
    if (response.ok) shown = await response.json();
    else if (wanted?.id === id) { wanted = null; setText($("ladder-who"), await refusal(response)); }
  } catch { /* the stream says that there is no connection, and asks again */ }
  asking = false;
  render();
  if (wanted && wanted.id !== id) refresh();
}

// number is a sequence number as it is to be shown: absolute, or from the
// initial one on.
function numbering(ladder) {
  const absolute = $("absolute").checked;
  const relative = (value, isn) => absolute || isn === null ? value : (value - isn) >>> 0;
  return {
    seq: step => relative(step.seq ?? 0, step.inbound ? ladder.client_isn : ladder.server_isn),
    ack: step => relative(step.ack ?? 0, step.inbound ? ladder.server_isn : ladder.client_isn),
  };
}

function render() {
  $("no-ladder").hidden = Boolean(shown);
  if (!shown) {
    $("ladder").replaceChildren();
    setText($("ladder-who"), "");
    return;
  }
  setText($("ladder-who"), `${shown.client} > ${shown.server}`);
  const numbers = numbering(shown);
  const began = shown.steps.length ? micros(shown.steps[0].time) : 0;
  const steps = shown.steps.map(step => ({ ...step, at: micros(step.time) - began }));
  const pane = $("ladder");
  if (pane.clientWidth < 200) return; // not laid out yet, and drawn when it is
  const another = pane.dataset.id !== String(shown.id);
  pane.dataset.id = shown.id;
  const atEnd = pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 8;
  pane.replaceChildren(draw(shown, steps, numbers, pane.clientWidth));
  pane.setAttribute("aria-label", `Ladder diagram of ${shown.client}, ${steps.length} steps; the same is below as text`);
  if (another) pane.scrollTop = 0;
  else if (atEnd) pane.scrollTop = pane.scrollHeight;
  setText($("ladder-text").querySelector("pre"), lines(shown, steps, numbers).join("\n"));
}

$("absolute").addEventListener("change", render);
new ResizeObserver(render).observe($("ladder").parentElement);
