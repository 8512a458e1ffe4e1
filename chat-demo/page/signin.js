// Who this visitor is: the dialog that asks, and what this browser remembers.
//
// A name is kept for good, a token for as long as the tab is open. The address can bring both what to log in with and
// where to go: `#general`, `#token=…` or `#token=…&room=general`.

import { byId } from "/elements.js";

const dialog = byId("sign-in"), form = dialog.querySelector("form");

/** The room that the address names, and whether it brought a token; that does not stay in it. */
export function readAddress() {
  const hash = location.hash.slice(1);
  if (!hash.startsWith("token=")) {
    try { return { room: decodeURIComponent(hash).trim(), token: false }; } catch { return { room: "", token: false }; }
  }
  const given = new URLSearchParams(hash);
  sessionStorage.setItem("token", given.get("token"));
  history.replaceState(null, "", location.pathname);
  return { room: given.get("room")?.trim() ?? "", token: true };
}

/** What to say hello with, if that is known. */
export function credentials() {
  const name = localStorage.getItem("name"), token = sessionStorage.getItem("token");
  if (!name && !token) return undefined;
  return { ...(name && { name }), ...(token && { token }) };
}

export function rememberName(name) { localStorage.setItem("name", name); }

export function ask(why = "") {
  form.elements.name.value = localStorage.getItem("name") ?? "";
  form.elements.token.value = sessionStorage.getItem("token") ?? "";
  form.querySelector(".why").textContent = why;
  form.querySelector("details").open = Boolean(why || form.elements.token.value);
  if (!dialog.open) dialog.showModal();
  form.elements.name.select();
}

/** `run` is called with the credentials when they were given, and `closed` when the dialog is closed, given or not. */
export function onSignIn(run, closed) {
  form.addEventListener("submit", () => {
    const name = form.elements.name.value.trim(), token = form.elements.token.value.trim();
    if (token) sessionStorage.setItem("token", token);
    else sessionStorage.removeItem("token");
    if (name) rememberName(name);
    const given = credentials();
    if (given) run(given);
  });
  form.elements.token.addEventListener("input", requireOne);
  form.elements.name.addEventListener("input", requireOne);
  dialog.addEventListener("close", closed);
}

/** A name or a token is enough. */
function requireOne() { form.elements.name.required = !form.elements.token.value.trim(); }
