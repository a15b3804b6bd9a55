// Entries that move: from one queue to the other, to the application, and the
// dropped ones. Few at a time, and none where motion is unwanted.
import { el } from "./dom.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
const most = 12; // at a time: more is a flicker, and the numbers say it better
const ease = { duration: 380, easing: "cubic-bezier(.3, .7, .3, 1)" };
let flying = 0;

const enabled = () => !still.matches && !document.hidden;

// glide lets an element come from where it was.
export function glide(element, from) {
  if (!enabled() || flying >= most) return;
  const to = element.getBoundingClientRect();
  if (!from.width || Math.hypot(from.left - to.left, from.top - to.top) < 2) return;
  track(element.animate([{ transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` }, { transform: "none" }], ease));
}

// arrive lets an element come in from the left, where clients are.
export function arrive(element) {
  if (!enabled() || flying >= most) return;
  track(element.animate([{ opacity: 0, transform: "translateX(-2.5rem)" }, { opacity: 1, transform: "none" }], ease));
}

// fly sends a picture of an entry from a place to an element, where it fades.
export function fly(label, meaning, from, target) {
  if (!enabled() || flying >= most || !from.width) return;
  const to = target.getBoundingClientRect();
  const ghost = el("div", { class: `slot ghost ${meaning}`, "aria-hidden": "true" }, label);
  Object.assign(ghost.style, { left: `${from.left}px`, top: `${from.top}px`, width: `${from.width}px`, height: `${from.height}px` });
  document.body.append(ghost);
  const dx = to.left + to.width / 2 - from.left - from.width / 2;
  const dy = to.top + to.height / 2 - from.top - from.height / 2;
  track(ghost.animate([{ opacity: 1, transform: "none" }, { opacity: 1, offset: .7 }, { opacity: 0, transform: `translate(${dx}px, ${dy}px) scale(.6)` }], { ...ease, duration: 650 }), () => ghost.remove());
}

function track(animation, after) {
  flying++;
  animation.finished.catch(() => {}).finally(() => { flying--; after?.(); });
}
