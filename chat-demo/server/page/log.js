// What was said, a list a room. A list is in the order of the sequence numbers, whatever the order of arrival.

import { action, byId, face, make } from "/elements.js";

/** A list of more is cut at its old end; what is cut can be loaded again. */
export const KEPT = 500;
/** Texts of one user that follow each other so soon stand together. */
const TOGETHER_MS = 5 * 60_000;
/** So near to the end one follows what is said. */
const NEAR_PX = 60;
const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const pane = byId("log"), latest = byId("latest");
let following = true;

/** The list of a room; `earlier` is called for what was said before. */
export function makeList(earlier) {
  const list = make("ol"), older = make("li", "older");
  older.append(action("link", "Earlier messages", earlier));
  older.hidden = true;
  list.append(older, make("li", "empty", "Nothing here yet. Say hello!"));
  list.hidden = true;
  pane.append(list);
  return list;
}

export function message(user, text, ts, mine) {
  const item = make("li", mine ? "msg mine" : "msg");
  const body = make("div", "body"), head = make("div", "head"), line = make("div", "line");
  const time = make("time", "", clock.format(ts));
  time.dateTime = new Date(ts).toISOString();
  time.title = new Date(ts).toLocaleString();
  head.append(make("b", "", user), ...(mine ? [make("span", "you", "you")] : []), time);
  line.append(make("div", "text", text));
  body.append(head, line);
  item.append(face(user), body);
  return Object.assign(item, { user, ts });
}

/** A line about what happened; before an item, or at the end. */
export function notice(room, text, { bad = false, before = null } = {}) {
  insert(room, make("li", bad ? "notice bad" : "notice", text), before);
}

/** Puts an item at its place. False when a message of that number is there already. */
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

/** The first message after a number. */
export function firstAfter(room, seq) {
  for (const item of room.list.children) if (item.seq > seq) return item;
  return null;
}

/** What is there stays, and nothing that comes is compared with it. */
export function outdate(room) {
  for (const item of room.list.children) delete item.seq;
}

/** Leaves nothing but what is on its way. */
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

/** Drops the oldest. */
function cut(room) {
  if (room.list.childElementCount <= KEPT + 1) return;
  while (room.list.childElementCount > KEPT + 1) room.list.children[1].remove();
  room.forgot(firstAfter(room, 0)?.seq);
}

/** An item changes how it looks itself, and how the next one does. */
function regroup(item) {
  for (let at = item; at; at = at.nextElementSibling) {
    if (!at.ts) continue;
    group(at);
    if (at !== item) break;
  }
}

function group(item) {
  const previous = item.previousElementSibling;
  let before = previous;
  while (before && !before.ts) before = before.previousElementSibling;
  const day = calendar.format(item.ts), sameDay = before !== null && calendar.format(before.ts) === day;
  const together = sameDay && before === previous && before.user === item.user && item.ts - before.ts < TOGETHER_MS;
  item.classList.toggle("follows", together);
  if (sameDay) delete item.dataset.day;
  else item.dataset.day = day;
}

pane.addEventListener("scroll", () => {
  following = atBottom();
  if (following) latest.hidden = true;
});
latest.addEventListener("click", toBottom);
// A phone's keyboard or an alert takes room.
new ResizeObserver(() => { if (following) toBottom(); }).observe(pane);
