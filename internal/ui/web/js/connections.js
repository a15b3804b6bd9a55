// The list of recent connections, of which one is chosen for the ladder.
import { $, el, icon, setText } from "./dom.js";
import { stateMeaning, stateText } from "./format.js";

const list = $("connection-list");
const items = new Map(); // id -> element
let all = [];
let chosen = null;
let followed = 0; // when the newest one was chosen last
let notify = () => {};
export const onChange = fn => { notify = fn; };

const filters = {
  "": () => true,
  queued: c => c.state === "incomplete" || c.state === "completed",
  dropped: c => c.drops > 0,
  accepted: c => stateMeaning(c.state) === "accepted",
};

export function show(connections) {
  all = connections;
  if ($("follow").checked && all.length && (!current() || performance.now() - followed > 1000)) {
    const newest = all.find(filters[$("filter").value]);
    if (newest && newest.id !== chosen) { followed = performance.now(); chosen = newest.id; }
  }
  render();
  notify(current());
}

export const current = () => all.find(c => c.id === chosen);

export function choose(id) {
  chosen = id;
  $("follow").checked = false;
  render();
  notify(current());
}

// chooseClient chooses the newest connection of a client.
export function chooseClient(client) {
  const found = all.find(c => c.client === client);
  if (found) choose(found.id);
}

function render() {
  const shown = all.filter(filters[$("filter").value]);
  const ids = new Set(shown.map(c => c.id));
  for (const [id, item] of items) if (!ids.has(id)) { item.remove(); items.delete(id); }
  shown.forEach((connection, i) => {
    const item = update(connection);
    if (list.children[i] !== item) list.insertBefore(item, list.children[i] ?? null);
  });
  $("no-connections").hidden = all.length > 0;
}

function update(connection) {
  let item = items.get(connection.id);
  if (!item) {
    const button = el("button", { type: "button" }, icon("other"), el("span", { class: "who" }, connection.client), el("span", { class: "what" }));
    button.addEventListener("click", () => choose(connection.id));
    item = el("li", { "data-id": connection.id }, button);
    items.set(connection.id, item);
  }
  const button = item.firstChild;
  const meaning = stateMeaning(connection.state);
  const sign = `#i-${meaning}`;
  const use = button.firstChild.firstChild;
  if (use.getAttribute("href") !== sign) use.setAttribute("href", sign);
  item.dataset.state = connection.state;
  const what = button.lastChild;
  what.className = `what is-${meaning}`;
  button.firstChild.setAttribute("class", `is-${meaning}`);
  const drops = connection.drops && connection.state !== "dropped" ? `, ${connection.drops} dropped` : connection.drops > 1 ? ` ×${connection.drops}` : "";
  setText(what, stateText(connection.state) + drops);
  if (connection.id === chosen) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  return item;
}

$("filter").addEventListener("change", () => show(all));
$("follow").addEventListener("change", () => { followed = 0; show(all); });
