// Texts on their way, from the key to the server's word that it has them.

import { action, byId, make } from "/elements.js";
import * as log from "/log.js";
import { KIND, payloadLength } from "/protocol.js";

export class Composer {
  #connection; #rooms;
  /** Texts that no ack has come for, by the id that it will name. */
  #pending = new Map();
  /** Texts that went out before the connection broke: nobody knows whether they arrived. */
  #uncertain = new Set();
  #ids = 0;
  /** The longest payload that the server takes. */
  limit = Infinity;

  constructor(connection, rooms) {
    this.#connection = connection;
    this.#rooms = rooms;
    const form = byId("compose"), field = byId("text");
    form.addEventListener("submit", event => {
      event.preventDefault();
      const text = field.value.trim();
      if (!text) return;
      field.value = "";
      this.#publish(rooms.active, text);
      field.focus();
    });
    field.addEventListener("keydown", event => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
  }

  /** The server has the text: its message stands in the list already. */
  onAck({ id, room, seq }) {
    const entry = this.#pending.get(id);
    if (!entry) return;
    this.#pending.delete(id);
    entry.item.remove();
    const item = this.#rooms.get(room) && log.firstAfter(this.#rooms.get(room), seq - 1);
    if (item?.seq !== seq) return;
    const tick = make("span", "tick", "✓");
    tick.title = `The server has it, as number ${seq}`;
    tick.setAttribute("role", "img");
    tick.setAttribute("aria-label", "delivered");
    item.querySelector(".text").after(tick);
  }

  /** The server refused a text. False when it was none of these. */
  onRefused(id, why) {
    const entry = this.#pending.get(id);
    if (entry) this.#fail(id, entry, `Not sent: ${why}`);
    return entry !== undefined;
  }

  onLost() {
    for (const [id, entry] of this.#pending) {
      this.#uncertain.add(entry);
      this.#fail(id, entry, "Perhaps not sent: the connection broke");
    }
  }

  /** A message of this visitor came: if it is one of the uncertain texts, then that arrived after all. */
  onOwn(room, text) {
    for (const entry of this.#uncertain) {
      if (entry.room !== room || entry.text !== text) continue;
      this.#discard(entry);
      return;
    }
  }

  #publish(room, text) {
    const id = String(++this.#ids), item = log.message(this.#rooms.me, text, Date.now(), true);
    item.classList.add("pending");
    item.setAttribute("aria-hidden", "true"); // heard once, when it is a message
    const entry = { item, room, text };
    this.#pending.set(id, entry);
    log.insert(room, item);
    log.toBottom();
    const payload = { room: room.name, text, id };
    if (payloadLength(payload) > this.limit) this.#fail(id, entry, "Not sent: too long");
    else if (!room.joined || !this.#connection.send(KIND.PUBLISH, payload)) {
      this.#fail(id, entry, "Not sent: no connection");
    }
  }

  #fail(id, entry, why) {
    this.#pending.delete(id);
    const { item, room, text } = entry, line = make("div", "why", `${why.replace(/\.$/, "")}. `);
    item.classList.replace("pending", "failed");
    item.removeAttribute("aria-hidden");
    line.append(
      action("link", "Send again", () => { this.#discard(entry); this.#publish(room, text); byId("text").focus(); }),
      action("link", "Discard", () => { this.#discard(entry); byId("text").focus(); }),
    );
    item.lastChild.append(line);
    if (room === this.#rooms.active) log.toBottom();
  }

  #discard(entry) {
    this.#uncertain.delete(entry);
    entry.item.remove();
  }
}
