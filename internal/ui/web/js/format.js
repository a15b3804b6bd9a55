// Times and numbers as people read them, and which of the four meanings a kind
// of event or a state of a connection has.

export const number = n => n.toLocaleString("en");

export const plural = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

export function duration(ms) {
  if (ms < 1) return `${Math.max(0, Math.round(ms * 1000))} µs`;
  if (ms < 100) return `${ms.toPrecision(2)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 120) return `${s.toFixed(s < 60 ? 1 : 0)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

// age is a duration as short as a slot has room for.
export function age(ms) {
  if (ms < 10000) return `${(ms / 1000).toFixed(1)} s`;
  return duration(ms).replace(/\.\d/, "");
}

// micros is an RFC 3339 time in milliseconds with the microseconds that Date
// would lose.
export function micros(text) {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return Math.floor(Date.parse(text) / 1000) * 1000 + Number("0." + fraction.padEnd(3, "0")) * 1000;
}

export function clock(text) {
  const date = new Date(text);
  const two = n => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${(/\.(\d+)/.exec(text)?.[1] ?? "").padEnd(6, "0").slice(0, 6)}`;
}

const kinds = {
  "syn-admitted": "incomplete", "syn-repeated": "incomplete", "synack-retransmitted": "incomplete", "cookie-sent": "incomplete", "parked": "incomplete",
  "promoted": "completed", "accepted": "accepted",
  "syn-dropped": "dropped", "ack-dropped": "dropped", "ack-reset": "dropped", "ack-forgotten": "dropped", "expired": "dropped", "evicted": "dropped", "adoption-failed": "dropped",
};
export const kindMeaning = kind => kinds[kind] ?? "other";

const states = {
  incomplete: ["incomplete", "incomplete"], cookie: ["incomplete", "SYN cookie"], completed: ["completed", "completed"],
  accepted: ["accepted", "accepted"], closed: ["accepted", "closed"], dropped: ["dropped", "dropped"], expired: ["dropped", "expired"],
  evicted: ["dropped", "evicted"], forgotten: ["dropped", "ACK forgotten"], failed: ["dropped", "adoption failed"], reset: ["other", "reset"],
  refused: ["other", "refused, closed port"], arriving: ["other", "arriving"],
};
export const stateMeaning = state => (states[state] ?? ["other"])[0];
export const stateText = state => (states[state] ?? ["", state])[1];

// flagNames are tcpdump's letters in words.
const letters = { F: "FIN", S: "SYN", R: "RST", P: "PSH", ".": "ACK", U: "URG", E: "ECE", W: "CWR" };
export const flagNames = flags => flags === "none" ? "no flags" : [...flags].map(letter => letters[letter] ?? letter).join(" ");
