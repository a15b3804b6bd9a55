// The last events with their reasons, the newest one first.
import { $, el, icon, setText } from "./dom.js";
import { clock, kindMeaning, number, plural } from "./format.js";

const kept = 120;
const list = $("event-list");
let showServer = false;
let unseen = 0; // events that a page too slow, or a server too busy, has not looked at

export function reset(records, several) {
  showServer = several;
  unseen = 0;
  $("losses").hidden = true;
  list.replaceChildren();
  add(records, 0, 0);
}

// add shows records; of hidden more there is only the number, and of lost ones.
export function add(records, hidden, lost) {
  if (lost) {
    unseen += lost;
    $("losses").hidden = false;
    setText($("losses"), `${plural(unseen, "event")} came too fast to be looked at`);
  }
  if ($("hold").checked) return;
  if (hidden) list.prepend(more(hidden));
  for (const record of records) list.prepend(item(record));
  while (list.children.length > kept) list.lastElementChild.remove();
  $("no-events").hidden = list.children.length > 0;
}

const item = record => el("li", { class: `is-${kindMeaning(record.kind)}`, "data-kind": record.kind }, icon(kindMeaning(record.kind)),
  el("p", {}, el("b", {}, record.event), `: ${record.reason}`, el("br"),
    el("span", { class: "when" }, `${clock(record.time)}  ${record.client}${showServer ? " > " + record.server : ""}`)));

function more(hidden) {
  const first = list.firstElementChild;
  if (first?.classList.contains("hiding")) { // frames on end that hide something share a line
    hidden += Number(first.dataset.count);
    first.remove();
  }
  return el("li", { class: "hiding", "data-count": hidden }, `${number(hidden)} more not shown`);
}
