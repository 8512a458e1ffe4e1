// The messages of the rooms: one list per room, in the order of the sequence numbers.

import { action, byId, face, make } from "/elements.js";

/** Longer lists are cut at their old end; what is cut can be loaded again. */
export const KEPT = 500;
/** Texts of one user that follow each other this closely have one head. */
const TOGETHER_MS = 5 * 60_000;
/** The list follows new messages when it is scrolled this close to its end. */
const NEAR_PX = 60;
/** Longer texts are folded. */
const FOLD_CHARS = 1200, FOLD_LINES = 15;
/** An address; parentheses belong to it in pairs. */
const LINK = /\bhttps?:\/\/(?:\([^\s<>"()]*\)|[^\s<>"()])+/gi;
/** Punctuation behind an address belongs to the sentence. */
const BEHIND_LINK = /[.,;:!?'*_\]}]+$/;
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const pane = byId("log"), latest = byId("latest");
let following = true;

/** Makes the list of a room. `earlier` loads older messages; `top` is called when the list is scrolled to its top. */
export function makeList({ earlier, top }) {
  const list = make("ol"), older = make("li", "older");
  older.append(action("link", "Earlier messages", earlier));
  older.hidden = true;
  list.append(older, make("li", "empty", "Nothing here yet. Say hello!"));
  list.hidden = true;
  list.addEventListener("top", top);
  pane.append(list);
  return list;
}

export function message(user, text, ts) {
  const item = make("li", "msg");
  const body = make("div", "body"), head = make("div", "head"), line = make("div", "line");
  const time = make("time", "", clock.format(ts)), name = make("b", "", user), shown = make("div", "text");
  time.dateTime = new Date(ts).toISOString();
  time.title = new Date(ts).toLocaleString();
  name.dir = shown.dir = "auto";
  shown.append(...linked(text));
  head.append(name, time);
  line.append(shown);
  body.append(head, line);
  if (text.length > FOLD_CHARS || text.split("\n").length > FOLD_LINES) fold(body);
  item.append(face(user), body);
  return Object.assign(item, { user, ts });
}

/** Marks a message as this visitor's own. */
export function markOwn(item) {
  if (item.matches(".mine")) return;
  item.classList.add("mine");
  item.querySelector(".head time").before(make("span", "you", "you"));
  if (item.parentElement) regroup(item);
}

/** Splits a text into text and links. Only http and https become links. */
function linked(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const address = found.replace(BEHIND_LINK, "");
    if (!URL.canParse(address)) continue;
    const link = make("a", "", address);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    parts.push(text.slice(end, index), link);
    end = index + address.length;
  }
  return [...parts, text.slice(end)];
}

/** Shows the beginning of a long text, and a button for the rest. */
function fold(body) {
  body.classList.add("folded");
  const more = action("link more", "Show more", () => {
    const folded = body.classList.toggle("folded");
    more.textContent = folded ? "Show more" : "Show less";
    more.setAttribute("aria-expanded", String(!folded));
  });
  more.setAttribute("aria-expanded", "false");
  body.append(more);
}

/** A line about an event; before an item, or at the end. */
export function notice(room, text, { bad = false, before = null } = {}) {
  const line = make("li", bad ? "notice bad" : "notice", text);
  line.dir = "auto";
  insert(room, line, before);
}

/** Puts an item at its place. Returns false if a message of that number is there. */
export function insert(room, item, before = null) {
  const stays = room.list.hidden || !atBottom(), height = pane.scrollHeight;
  let next = before;
  for (let at = item.seq && room.list.lastElementChild; at; at = at.previousElementSibling) {
    if (at.seq === item.seq) return false;
    if (at.seq < item.seq) break;
    if (at.seq || at.matches(".pending, .failed")) next = at;
  }
  room.list.insertBefore(item, next);
  room.list.querySelector(".empty")?.remove();
  regroup(item);
  if (!stays || room.list.hidden) cut(room);
  if (!stays) toBottom();
  else if (!room.list.hidden && next) pane.scrollTop += pane.scrollHeight - height; // what is read stays in place
  else if (!room.list.hidden && item.seq) latest.hidden = false;
  return true;
}

export function remove(item) {
  const next = item.nextElementSibling;
  item.remove();
  if (next) regroup(next);
}

/** The message of a number. */
export function find(room, seq) {
  const found = firstAfter(room, seq - 1);
  return found?.seq === seq ? found : null;
}

/** The first message after a number. */
export function firstAfter(room, seq) {
  for (const item of room.list.children) if (item.seq > seq) return item;
  return null;
}

/** Keeps what is there, and compares nothing new with it. */
export function outdate(room) {
  for (const item of room.list.children) delete item.seq;
}

/** Removes everything but texts that have no answer. */
export function clear(room) {
  room.list.replaceChildren(...[...room.list.children].filter(item => item.matches(".older, .pending, .failed")));
}

export function show(room) {
  for (const list of pane.children) list.hidden = list !== room.list;
  toBottom();
}

export function toBottom() {
  pane.scrollTop = pane.scrollHeight;
  following = true;
  latest.hidden = true;
}

function atBottom() { return pane.scrollHeight - pane.scrollTop - pane.clientHeight < NEAR_PX; }

/** Removes the oldest items. */
function cut(room) {
  if (room.list.childElementCount <= KEPT + 1) return;
  while (room.list.childElementCount > KEPT + 1) room.list.children[1].remove();
  regroup(room.list.children[1]); // its author and date may have stood above
  room.forgot();
}

/** Decides which parts of an item and of the next message are shown. */
function regroup(item) {
  for (let at = item; at; at = at.nextElementSibling) {
    if (!at.ts) continue;
    group(at);
    if (at !== item) break;
  }
}

function group(item) {
  const previous = item.previousElementSibling, isMine = of => of.matches(".mine");
  let before = previous;
  while (before && !before.ts) before = before.previousElementSibling;
  const day = calendar.format(item.ts), sameDay = before !== null && calendar.format(before.ts) === day;
  const sameUser = sameDay && before === previous && before.user === item.user && isMine(before) === isMine(item);
  item.classList.toggle("follows", sameUser && item.ts - before.ts < TOGETHER_MS);
  if (sameDay) delete item.dataset.day;
  else item.dataset.day = day;
}

pane.addEventListener("scroll", () => {
  following = atBottom();
  if (following) latest.hidden = true;
  if (pane.scrollTop < NEAR_PX) pane.querySelector("ol:not([hidden])")?.dispatchEvent(new Event("top"));
});
latest.addEventListener("click", toBottom);
// A phone's keyboard or an alert takes room.
new ResizeObserver(() => { if (following) toBottom(); }).observe(pane);
