// Who this visitor is: the dialog that asks, and what this browser remembers.
//
// A name is kept for good, a token for as long as the tab is open. The address can bring both what to log in with and
// where to go: `#general`, `#token=…` or `#token=…&room=general`.

import { byId } from "/elements.js";

const dialog = byId("sign-in"), form = dialog.querySelector("form");

/**
 * Returns the room that the address names, and whether it had a token to sign in with. Removes the token from the address. A link can
 * come from any site, so a signed-in user is asked before its token replaces the sign-in.
 */
export function readAddress() {
  const hash = location.hash.slice(1);
  if (!hash.startsWith("token=")) {
    try { return { room: decodeURIComponent(hash).trim(), token: false }; } catch { return { room: "", token: false }; }
  }
  const given = new URLSearchParams(hash), token = given.get("token");
  history.replaceState(null, "", location.pathname);
  const replaces = replacesSomebody(token);
  if (replaces) offer(token);
  else sessionStorage.setItem("token", token);
  return { room: given.get("room")?.trim() ?? "", token: !replaces };
}

/** Whether somebody is logged in here, or was in this browser, whose place the token would take. */
function replacesSomebody(token) {
  const known = credentials(), last = localStorage.getItem("user");
  if (known) return known.token !== token;
  return Boolean(last) && last !== userOf(token);
}

/** The user whom a token names; what it says is for the server to verify. */
function userOf(token) {
  try {
    const claims = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    return String(JSON.parse(new TextDecoder().decode(Uint8Array.from(claims, letter => letter.charCodeAt(0)))).sub);
  } catch {
    return "";
  }
}

/* A link's token, until the visitor has decided. */
const question = byId("link-token");
let offered;

function offer(token) {
  offered = token;
  byId("link-user").textContent = userOf(token).slice(0, 64) || "somebody else";
  byId("link-me").textContent = localStorage.getItem("user") ?? localStorage.getItem("name") ?? "yourself";
  question.returnValue = "";
  if (!question.open) question.showModal();
}

/** What to say hello with, if that is known. */
export function credentials() {
  const name = localStorage.getItem("name"), token = sessionStorage.getItem("token");
  if (!name && !token) return undefined;
  return { ...(name && { name }), ...(token && { token }) };
}

function rememberName(name) { localStorage.setItem("name", name); }

/** Who the server says that this visitor is. */
export function rememberUser(user) { localStorage.setItem("user", user); }

export function ask(why = "") {
  if (question.open) return; // one question after the other
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
  question.addEventListener("close", () => {
    if (question.returnValue !== "use") return credentials() ? undefined : ask();
    sessionStorage.setItem("token", offered);
    dialog.close();
    run(credentials());
  });
  form.elements.token.addEventListener("input", requireOne);
  form.elements.name.addEventListener("input", requireOne);
  dialog.addEventListener("close", closed);
}

/** A name or a token is enough. */
function requireOne() { form.elements.name.required = !form.elements.token.value.trim(); }
