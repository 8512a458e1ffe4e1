// Who this visitor is. Each window of a browser is a session of its own: name, token and rooms survive a reload of the
// window, and no other window has them.
//
// The address can bring a token and a room: `#general`, `#token=…` or `#token=…&room=general`.

import { byId } from "/elements.js";

// A browser copies the storage of a window that is duplicated. A window that reloads has left the page before.
if (!sessionStorage.getItem("left") && !document.wasDiscarded) sessionStorage.clear();
addEventListener("pagehide", () => sessionStorage.setItem("left", "true"));
addEventListener("pageshow", () => sessionStorage.removeItem("left"));

/** A character other than spaces, control and format characters. */
const VISIBLE = /[^\s\p{C}]/u;
const dialog = byId("sign-in"), form = dialog.querySelector("form");

/**
 * Returns the room that the address names, and whether it had a token to sign in with. Removes the token from the
 * address. A link can come from any site, so a signed-in user is asked before its token replaces the sign-in.
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

/** Returns whether the token would replace another user: of this session, or the last user of this browser. */
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
  byId("link-me").textContent = sessionStorage.getItem("user") ?? localStorage.getItem("user") ?? "yourself";
  question.returnValue = "";
  if (!question.open) question.showModal();
}

/** Returns what to connect with, if it is known. */
export function credentials() {
  const name = sessionStorage.getItem("name"), token = sessionStorage.getItem("token");
  if (!name && !token) return undefined;
  return { ...(name && { name }), ...(token && { token }) };
}

/** Remembers the name that the server knows this visitor by. A later link with a token is compared with it. */
export function rememberUser(user) { for (const storage of [sessionStorage, localStorage]) storage.setItem("user", user); }

export function ask(why = "") {
  if (question.open) return; // one question after the other
  form.elements.name.value = sessionStorage.getItem("name") ?? "";
  form.elements.token.value = sessionStorage.getItem("token") ?? "";
  form.querySelector(".why").textContent = why;
  form.querySelector("details").open = Boolean(why || form.elements.token.value);
  if (!dialog.open) dialog.showModal();
  form.elements.name.select();
}

/** `run` is called with the credentials when they were given, and `closed` when the dialog is closed, given or not. */
export function onSignIn(run, closed) {
  form.addEventListener("submit", event => {
    event.preventDefault();
    const name = form.elements.name.value.trim(), token = form.elements.token.value.trim();
    if (!token && !VISIBLE.test(name)) {
      form.querySelector(".why").textContent = "This name is blank. Enter a name that others can see.";
      return form.elements.name.select();
    }
    if (token) sessionStorage.setItem("token", token);
    else sessionStorage.removeItem("token");
    if (name) sessionStorage.setItem("name", name);
    dialog.close();
    run(credentials());
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
