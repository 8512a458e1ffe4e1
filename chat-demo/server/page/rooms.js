// The rooms of this session, the active room among them, and the members' states.

import { amount, byId, face, make } from "/elements.js";
import * as log from "/log.js";
import { Room } from "/room.js";
import { credentials } from "/signin.js";

const FIRST_ROOM = "general";
/** How many members are listed. */
const SHOWN_USERS = 200;

export class Rooms {
  #rooms = new Map();
  #states = new Map();
  #client;
  /** The room that is shown. */
  active;
  /** The name of this visitor. */
  me = "";
  /** Called with a room and each message that it shows. */
  onShown;

  constructor(client) { this.#client = client; }

  get(name) { return this.#rooms.get(name); }

  [Symbol.iterator]() { return this.#rooms.values(); }

  /** Enters the rooms of this session and the wanted one, and shows the wanted one. */
  restore(wanted) {
    let names = [];
    try { names = JSON.parse(sessionStorage.getItem("rooms")) ?? []; } catch { /* nothing is kept */ }
    for (const name of names.length ? names : [FIRST_ROOM]) this.enter(String(name));
    this.enter(wanted || this.#rooms.keys().next().value);
  }

  enter(name) {
    if (!this.#rooms.has(name)) {
      const room = new Room(name, this.#client, {
        show: () => this.show(room),
        leave: () => this.leave(room),
        // The server has verified the name of a user with a token. A guest's name may be another guest's, too.
        mine: user => user === this.me && Boolean(credentials()?.token),
        shown: (shownIn, message) => this.onShown(shownIn, message),
      });
      this.#rooms.set(name, room);
      byId("rooms").append(room.row);
      this.#remember();
    }
    this.show(this.#rooms.get(name));
  }

  leave(room) {
    if (this.#rooms.size === 1) return log.notice(room, "This is your only room: join another before you leave it");
    this.#client.leave(room.name);
    this.#rooms.delete(room.name);
    room.row.remove();
    room.list.remove();
    this.#remember();
    if (room === this.active) this.show(this.#rooms.values().next().value);
  }

  show(room) {
    const field = byId("text");
    if (this.active) this.active.draft = field.value;
    field.value = room.draft;
    this.active = room;
    room.unread = 0;
    log.show(room);
    if (room.joined) room.askMembers();
    this.paint();
    room.row.scrollIntoView({ block: "nearest", inline: "nearest" });
    document.dispatchEvent(new CustomEvent("room", { detail: room }));
  }

  /** Shows the room that many places further in the list. */
  step(places) {
    const all = [...this.#rooms.values()], at = all.indexOf(this.active) + places;
    this.show(all[(at + all.length) % all.length]);
  }

  /** Sets a user's state. Returns whether it has changed. */
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
    const who = make("span", "who"), name = make("bdi", "", user);
    who.append(name, user === this.me ? " (you)" : "");
    row.append(face(user), who);
    if (state !== "online") row.append(make("span", "state", state));
    return row;
  }

  #remember() { sessionStorage.setItem("rooms", JSON.stringify([...this.#rooms.keys()])); }
}
