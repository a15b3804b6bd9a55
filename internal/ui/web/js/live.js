// The stream of the server: read, checked for silence, and taken up again for
// as long as the page is open and can be seen, and the instance is the one that
// the page was opened for.
import { ask, refusal } from "./ask.js";

const silence = 5000; // milliseconds without a frame; there are five a second
const waits = [300, 700, 1500, 3000];

// follow calls on[name](data) for each event, and state("live" | "connecting" |
// "lost" | "ended", reason). After the end there is no other try: the next
// instance has another key, and whoever else takes its port is not to be asked.
export function follow(url, on, state) {
  let tries = 0;
  let controller = null;
  let timer = 0;
  let over = false; // ended, or refused for good

  const later = () => {
    clearTimeout(timer);
    if (!document.hidden && !over) timer = setTimeout(run, waits[Math.min(tries++, waits.length - 1)]);
  };

  async function run() {
    controller?.abort();
    const mine = controller = new AbortController();
    let reason = "";
    let ended = false;
    try {
      await read(url, mine, (name, data) => {
        if (name === "hello") { tries = 0; state("live"); }
        if (name === "bye") ended = true;
        on[name]?.(data);
      });
    } catch (error) {
      reason = error.reason ?? "";
      over = error.status === 401;
    }
    if (mine !== controller) return; // a newer one has begun
    over ||= ended;
    state(ended ? "ended" : "lost", reason);
    later();
  }

  // A page that nobody sees takes no part: it begins anew when it is seen again.
  document.addEventListener("visibilitychange", () => {
    if (over) return;
    if (document.hidden) {
      const old = controller;
      controller = null;
      old?.abort();
      clearTimeout(timer);
    } else {
      state("connecting");
      run();
    }
  });
  state("connecting");
  run();
}

async function read(url, controller, message) {
  let watchdog = 0;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => controller.abort(), silence);
  };
  alive();
  try {
    const response = await ask(url, { signal: controller.signal, cache: "no-store" });
    if (!response.ok) throw Object.assign(new Error(url), { status: response.status, reason: await refusal(response) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const name = /^event: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        if (name && data && !controller.signal.aborted) message(name, JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(watchdog);
  }
}
