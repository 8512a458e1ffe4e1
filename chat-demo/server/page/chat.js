// The page: connects what the server sends, and what the visitor does, with the parts that show it.

import { Client } from "/client.js";
import { Composer } from "/composer.js";
import { Dashboard } from "/dashboard.js";
import { action, byId, make, paintFace } from "/elements.js";
import * as log from "/log.js";
import { Rooms } from "/rooms.js";
import { Search } from "/search.js";
import * as signin from "/signin.js";
import { Typing } from "/typing.js";

const client = new Client(), rooms = new Rooms(client), composer = new Composer(client, rooms);
const dashboard = new Dashboard(), search = new Search(client, rooms), typing = new Typing(client, rooms);
rooms.onShown = (room, message) => composer.onShown(room, message);

/* Events of the client. */
let lostWhy = "", countdown;
const events = {
  connecting({ again }) { status("", again ? "Connecting again…" : "Connecting…"); },
  welcome({ user, node }) {
    rooms.me = user;
    signin.rememberUser(user);
    paintSelf(user);
    status("up", "Connected");
    byId("status").title = `to ${node}`;
    tellState();
  },
  lost({ reason }) {
    lostWhy = reason;
    countdown = undefined;
    for (const room of rooms) room.disconnected();
  },
  waiting({ ms }) {
    if (!countdown) {
      countdown = make("span");
      countdown.setAttribute("aria-hidden", "true"); // a screen reader would read each second
      status("down", `${lostWhy.replace(/\.$/, "")}.`, countdown, action("link", "Try now", () => client.connect()));
    }
    countdown.textContent = `Trying again in ${Math.ceil(ms / 1000)} s`;
  },
  refused({ reason }) {
    status("down", "Not connected", action("link", "Sign in", () => signin.ask()));
    signin.ask(reason);
  },
  malformed({ message }) { log.notice(rooms.active, `The server sent ${message}`, { bad: true }); },
  joined(joined) {
    rooms.get(joined.room)?.onJoined(joined);
    rooms.paint();
  },
  message(message) {
    const room = rooms.get(message.room), { user } = message;
    if (!room) return;
    room.add(message);
    if (room === rooms.active) typing.stop(user);
    if (user !== rooms.me && (room !== rooms.active || document.hidden || dashboard.shown)) room.unread++;
    if (!room.users.includes(user)) room.askMembers();
    rooms.paint();
  },
  error({ message, room, again }) {
    if (!again) log.notice(rooms.get(room) ?? rooms.active, `The server refused: ${message}`, { bad: true });
  },
  presence(presence) {
    const room = rooms.get(presence.room), { user, event } = presence;
    if (!room || user === rooms.me) return;
    if (event === "left") rooms.forgetState(user);
    room.onPresence(presence);
    log.notice(room, `${user} ${event}`);
    rooms.paint();
  },
  members({ room, users }) {
    rooms.get(room)?.onMembers(users);
    rooms.paint();
  },
  user_state({ user, state }) {
    if (rooms.setState(user, state) && user !== rooms.me) log.notice(rooms.active, `${user} is ${state}`);
    rooms.paint();
  },
  order_update({ order, status: now, room }) {
    log.notice(rooms.get(room) ?? rooms.active, `Order ${order}: ${now}`);
  },
  alert({ level, text }) {
    byId("alert").className = level;
    byId("alert-level").textContent = level;
    byId("alert-text").textContent = text;
    byId("alert").hidden = false;
  },
  search(found) { search.onFound(found); },
  typing(notice) { typing.onTyping(notice); },
  bye({ reason }) { status("", `The server says goodbye: ${reason}`); },
};
for (const [type, handle] of Object.entries(events)) client.addEventListener(type, ({ detail }) => handle(detail));

function status(kind, text, ...more) {
  byId("status").className = `status ${kind}`;
  byId("status").replaceChildren(make("span", "", text), ...more);
}

function paintSelf(name) {
  byId("me").textContent = name || "Sign in";
  paintFace(byId("my-face"), name);
}

function tellState() {
  const state = byId("state").value;
  // A visitor is online until it says otherwise.
  if (state !== "online" || rooms.setState(rooms.me, state)) client.send("user_state", { state });
  rooms.setState(rooms.me, state);
  rooms.paint();
}

/* The visitor. */
function showView() {
  const chats = location.pathname !== "/dashboard";
  byId("chat").hidden = byId("people-side").hidden = !chats;
  byId("dashboard").hidden = chats;
  for (const link of document.querySelectorAll("#views a")) {
    if ((link.pathname !== "/dashboard") === chats) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  dashboard.show(!chats);
  rooms.paint();
  if (!chats) return;
  look();
  log.toBottom();
  if (!client.active) begin();
}

function addressOf(room) { return `/#${encodeURIComponent(room.name)}`; }

function go(path) {
  history.pushState(null, "", path);
  showView();
}

/** What is looked at is read. */
function look() {
  if (document.hidden || dashboard.shown) return;
  rooms.active.unread = 0;
  rooms.paint();
}

function begin() {
  const known = signin.credentials();
  if (known) client.connect(known);
  else signin.ask();
}

function showPeople(open) {
  byId("people-side").classList.toggle("open", open);
  byId("show-people").setAttribute("aria-expanded", String(open));
}

signin.onSignIn(
  given => {
    byId("text").focus(); // the dialog's close event may come later than the first keys
    client.connect(given);
  },
  () => {
    if (!signin.credentials()) status("down", "Not connected", action("link", "Join the chat", () => signin.ask()));
    byId("text").focus();
  },
);
byId("rename").addEventListener("click", () => signin.ask());
byId("state").addEventListener("change", tellState);
byId("dismiss").addEventListener("click", () => { byId("alert").hidden = true; byId("text").focus(); });
byId("join").addEventListener("submit", event => {
  event.preventDefault();
  const name = byId("join-name").value.trim().replace(/^#\s*/, "");
  if (!name) return;
  event.target.reset();
  rooms.enter(name);
  byId("text").focus();
});
byId("views").addEventListener("click", event => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.pathname === "/dashboard" ? link.pathname : addressOf(rooms.active));
});
byId("show-people").addEventListener("click", event => {
  event.stopPropagation();
  showPeople(!byId("people-side").classList.contains("open"));
});
byId("hide-people").addEventListener("click", () => {
  showPeople(false);
  byId("show-people").focus();
});
document.addEventListener("click", ({ target }) => { if (!target.closest("#people-side")) showPeople(false); });
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && byId("people-side").matches(".open")) byId("hide-people").click();
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  rooms.step(event.key === "ArrowUp" ? -1 : 1);
});
document.addEventListener("visibilitychange", look);
addEventListener("popstate", showView);
addEventListener("hashchange", () => {
  const { room, token } = signin.readAddress();
  if (room) rooms.enter(room);
  if (token) begin();
});
addEventListener("online", () => { if (!client.user && client.active) client.connect(); });

rooms.restore(signin.readAddress().room);
document.addEventListener("room", ({ detail: room }) => {
  if (location.pathname === "/dashboard") go(addressOf(room));
  else history.replaceState(null, "", addressOf(room));
});
if (location.pathname !== "/dashboard") history.replaceState(null, "", addressOf(rooms.active));
paintSelf(signin.credentials()?.name ?? "");
showView();
