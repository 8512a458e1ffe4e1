// The page: what the server says and what the visitor does, brought to where it belongs.

import { Composer } from "/composer.js";
import { Connection } from "/connection.js";
import { Dashboard } from "/dashboard.js";
import { action, byId, make, paintFace } from "/elements.js";
import * as log from "/log.js";
import { KIND } from "/protocol.js";
import { Rooms } from "/rooms.js";
import * as signin from "/signin.js";

/** Whoever speaks is here; rooms larger than that change too often to ask. */
const ASK_BELOW = 500;

const connection = new Connection({
  connecting: again => status("", again ? "Connecting again…" : "Connecting…"),
  welcome: welcomed,
  frame: (kind, payload) => frames[kind]?.(payload),
  nonsense: error => log.notice(rooms.active, `The server sent ${error.message}`, { bad: true }),
  lost: disconnected,
  waiting,
  refused: why => {
    status("down", "Not connected", action("link", "Sign in", () => signin.ask()));
    signin.ask(why);
  },
});
const rooms = new Rooms(connection), composer = new Composer(connection, rooms), dashboard = new Dashboard();

/* What the server says. */
const frames = {
  [KIND.JOINED](joined) {
    const room = rooms.get(joined.room);
    room?.onJoined(joined);
    composer.onJoined(room);
    rooms.paint();
  },
  [KIND.MESSAGE]({ room: name, seq, user, text, ts }) {
    const room = rooms.get(name), mine = user === rooms.me;
    if (!room) return;
    const { taken, fresh } = room.onMessage(Object.assign(log.message(user, text, ts, mine), { seq }));
    if (taken && mine) composer.onOwn(room, text);
    if (!fresh) return;
    if (!mine && (room !== rooms.active || document.hidden || dashboard.shown)) room.unread++;
    if (room.members < ASK_BELOW && !room.users.includes(user)) room.askMembers();
    rooms.paint();
  },
  [KIND.ACK]: ack => composer.onAck(ack),
  [KIND.ERROR]({ code, message, id }) {
    const why = message || code;
    if (!composer.onRefused(id, code, why)) log.notice(rooms.active, `The server refused: ${why}`, { bad: true });
  },
  [KIND.PRESENCE](presence) {
    const room = rooms.get(presence.room), { user, event } = presence;
    if (!room || user === rooms.me) return;
    if (event === "left") rooms.forgetState(user);
    room.onPresence(presence);
    log.notice(room, `${user} ${event}`);
    rooms.paint();
  },
  [KIND.MEMBERS]({ room, users }) {
    rooms.get(room)?.onMembers(users);
    rooms.paint();
  },
  [KIND.USER_STATE]({ user, state }) {
    if (rooms.setState(user, state) && user !== rooms.me) log.notice(rooms.active, `${user} is ${state}`);
    rooms.paint();
  },
  [KIND.ORDER_UPDATE]({ order, status, room }) {
    log.notice(rooms.get(room) ?? rooms.active, `Order ${order}: ${status}`);
  },
  [KIND.ALERT]({ level, text }) {
    byId("alert").className = level;
    byId("alert-level").textContent = level;
    byId("alert-text").textContent = text;
    byId("alert").hidden = false;
  },
  [KIND.BYE]: ({ reason }) => status("", `The server says goodbye: ${reason}`),
};

/* The connection. */
let lostWhy = "", countdown;

function welcomed({ user, node, max_payload: limit }) {
  rooms.me = user;
  signin.rememberUser(user);
  composer.limit = limit;
  composer.onWelcome(user);
  paintSelf(user);
  status("up", "Connected");
  byId("status").title = `to ${node}`;
  for (const room of rooms) room.join();
  tellState();
}

function disconnected(why) {
  lostWhy = why;
  countdown = undefined;
  for (const room of rooms) room.disconnected();
  composer.onLost();
}

function waiting(ms) {
  if (!countdown) {
    countdown = make("span");
    countdown.setAttribute("aria-hidden", "true"); // nobody wants to hear it
    status("down", `${lostWhy.replace(/\.$/, "")}.`, countdown, action("link", "Try now", () => connection.connect()));
  }
  countdown.textContent = `Trying again in ${Math.ceil(ms / 1000)} s`;
}

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
  if (state !== "online" || rooms.setState(rooms.me, state)) connection.send(KIND.USER_STATE, { state });
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
  if (!connection.trying && !connection.welcomed) begin();
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
  if (known) connection.signIn(known);
  else signin.ask();
}

function showPeople(open) {
  byId("people-side").classList.toggle("open", open);
  byId("show-people").setAttribute("aria-expanded", String(open));
}

signin.onSignIn(
  given => connection.signIn(given),
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
document.addEventListener("click", ({ target }) => { if (!target.closest("#people-side")) showPeople(false); });
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && byId("people-side").matches(".open")) {
    showPeople(false);
    byId("show-people").focus();
  }
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
addEventListener("online", () => { if (!connection.welcomed && connection.trying) connection.connect(); });

rooms.restore(signin.readAddress().room);
document.addEventListener("room", ({ detail: room }) => {
  if (location.pathname === "/dashboard") go(addressOf(room));
  else history.replaceState(null, "", addressOf(room));
});
if (location.pathname !== "/dashboard") history.replaceState(null, "", addressOf(rooms.active));
paintSelf(signin.credentials()?.name ?? "");
showView();
