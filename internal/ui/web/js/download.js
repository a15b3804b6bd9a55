// The capture: a link could not send the key, so that the page fetches the file
// and hands it to the browser.
import { ask, refusal } from "./ask.js";
import { $, el } from "./dom.js";

export function onClick(complain) {
  const button = $("download");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const response = await ask("api/capture.pcapng", { cache: "no-store" });
      if (!response.ok) throw new Error(await refusal(response));
      const name = /filename="(.+)"/.exec(response.headers.get("Content-Disposition"))?.[1] ?? "tcplab.pcapng";
      const url = URL.createObjectURL(await response.blob());
      el("a", { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has read it by then
    } catch (error) {
      complain(error instanceof TypeError ? "The instance does not answer." : `No capture: ${error.message}`);
    }
    button.disabled = false;
  });
}
