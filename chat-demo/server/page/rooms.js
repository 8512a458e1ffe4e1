// The rooms that this visitor is in: which they are, which one is looked at, and who is there.

import { amount, byId, face, make } from "/elements.js";
import * as log from "/log.js";
import { KIND } from "/protocol.js";
import { Room } from "/room.js";

const FIRST_ROOM = "general";
/** More names help nobody. */
const SHOWN_USERS = 200;

export class Rooms {
  #rooms = new Map();
  #states = new Map();
  #connection;
  /** The room that is looked at. */
  active;
  /** The name of this visitor. */
  me = "";

  constructor(connection) { this.#connection = connection; }

  get(name) { return this.#rooms.get(name); }

  [Symbol.iterator]() { return this.#rooms.values(); }

  /** The rooms of the last visit, and the one that is wanted, which is looked at. */
  restore(wanted) {
    let names = [];
    try { names = JSON.parse(localStorage.getItem("rooms")) ?? []; } catch { /* a broken note is no note */ }
    for (const name of names.length ? names : [FIRST_ROOM]) this.enter(String(name));
    this.enter(wanted || this.#rooms.keys().next().value);
  }

  enter(name) {
    if (!this.#rooms.has(name)) {
      const room = new Room(name, {
        send: (kind, payload) => this.#connection.send(kind, payload),
        show: () => this.show(room),
        leave: () => this.leave(room),
      });
      this.#rooms.set(name, room);
      byId("rooms").append(room.row);
      this.#remember();
      if (this.#connection.welcomed) room.join();
    }
    this.show(this.#rooms.get(name));
  }

  leave(room) {
    if (this.#rooms.size === 1) return log.notice(room, "This is your only room: join another before you leave it");
    this.#connection.send(KIND.LEAVE, { room: room.name });
    this.#rooms.delete(room.name);
    room.row.remove();
    room.list.remove();
    this.#remember();
    if (room === this.active) this.show(this.#rooms.values().next().value);
  }

  show(room) {
    this.active = room;
    room.unread = 0;
    log.show(room);
    if (room.joined) room.askMembers();
    this.paint();
    room.row.scrollIntoView({ block: "nearest", inline: "nearest" });
    document.dispatchEvent(new CustomEvent("room", { detail: room }));
  }

  /** Looks at the room so many places further in the list. */
  step(places) {
    const all = [...this.#rooms.values()], at = all.indexOf(this.active) + places;
    this.show(all[(at + all.length) % all.length]);
  }

  /** How a user is: true when that is news. */
  setState(user, state) {
    const news = (this.#states.get(user) ?? "online") !== state;
    this.#states.set(user, state);
    return news;
  }

  forgetState(user) { this.#states.delete(user); }

  paint() {
    let unread = 0;
    for (const room of this) {
      unread += room.unread;
      const [go, count] = room.row.children;
      room.row.className = room === this.active ? "now" : room.unread ? "fresh" : "";
      go.setAttribute("aria-current", String(room === this.active));
      count.textContent = room.unread > 99 ? "99+" : String(room.unread);
      count.hidden = room.unread === 0;
    }
    const { name, users, members } = this.active;
    const view = byId("chat").hidden ? "Dashboard" : `#${name}`;
    document.title = `${unread ? `(${unread}) ` : ""}${view} · chat-demo`;
    byId("title").textContent = `# ${name}`;
    byId("text").placeholder = `Message #${name}`;
    byId("people-title").textContent = byId("show-people").textContent = amount(members, "member");
    byId("people").replaceChildren(...users.slice(0, SHOWN_USERS).map(user => this.#person(user)));
    const more = members - Math.min(users.length, SHOWN_USERS);
    if (more > 0) byId("people").append(make("li", "state", users.length ? `and ${more} more` : "too many to list"));
  }

  #person(user) {
    const row = make("li"), state = this.#states.get(user) ?? "online";
    row.append(face(user), make("span", "who", user === this.me ? `${user} (you)` : user));
    if (state !== "online") row.append(make("span", "state", state));
    return row;
  }

  #remember() { localStorage.setItem("rooms", JSON.stringify([...this.#rooms.keys()])); }
}
