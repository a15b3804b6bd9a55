// Requests to the instance. They have the key that the server has handed this
// page behind the # of its address. The key stays in this tab: the cookie, which
// browsers send to every port of a host, is worth nothing without it.
const name = "tcplab-key";
const given = /^#key=(\w+)$/.exec(location.hash)?.[1];
if (given) {
  sessionStorage.setItem(name, given);
  // Load the page again, in the place of this entry of the tab's history, which
  // still has the address with the token; history.replaceState would leave that.
  location.replace(location.pathname);
  await new Promise(() => {}); // nothing else begins in the meantime
}

// ask is fetch, with the key.
export const ask = (path, options = {}) =>
  fetch(path, { ...options, headers: { ...options.headers, "Tcplab-Key": sessionStorage.getItem(name) ?? "" } });

// refusal is what an answer that refuses says.
export async function refusal(response) {
  const text = await response.text();
  try { return JSON.parse(text).error; } catch { return text.trim() || `${response.status} ${response.statusText}`; }
}
