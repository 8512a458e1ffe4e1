// Who writes something in the room that is shown.

import { byId } from "/elements.js";

/** How often to send a typing notice. */
const EVERY_MS = 3_000;
/** How long a notice is shown. */
const SHOWN_MS = 5_000;

export class Typing {
  #rooms; #sent;
  /** Timers of the users that write. */
  #users = new Map();

  constructor(client, rooms) {
    this.#rooms = rooms;
    byId("text").addEventListener("input", ({ target }) => {
      const room = rooms.active, now = Date.now();
      if (!target.value || !room.joined || this.#sent?.room === room && now - this.#sent.at < EVERY_MS) return;
      if (client.send("typing", { room: room.name })) this.#sent = { room, at: now };
    });
    document.addEventListener("room", () => { for (const user of this.#users.keys()) this.stop(user); });
  }

  onTyping({ room, user }) {
    if (room !== this.#rooms.active.name) return;
    this.stop(user);
    this.#users.set(user, setTimeout(() => this.stop(user), SHOWN_MS));
    this.#paint();
  }

  /** A user has sent its text, or paused. */
  stop(user) {
    clearTimeout(this.#users.get(user));
    if (this.#users.delete(user)) this.#paint();
  }

  #paint() {
    const [one, two, more] = this.#users.keys();
    const who = more ? "Several people are" : two ? `${one} and ${two} are` : `${one} is`;
    byId("typing").textContent = one ? `${who} typing…` : "";
  }
}
