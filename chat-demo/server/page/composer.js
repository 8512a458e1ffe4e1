// Texts on their way, from the key to the server's word that it has them.

import { action, byId, make } from "/elements.js";
import * as log from "/log.js";
import { KIND, payloadLength } from "/protocol.js";

export class Composer {
  #connection; #rooms;
  /** Texts that no ack has come for, by the id that it will name. */
  #pending = new Map();
  /** Texts that were refused after an attempt without an answer: they may have arrived. */
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
  onRefused(id, code, why) {
    const entry = this.#pending.get(id);
    if (!entry) return false;
    if (code === "uncertain") this.#repeat(id, entry);
    else this.#giveUp(id, entry, why);
    return true;
  }

  /** The room is joined again: what was sent and not answered is sent again, and delivered once. */
  onJoined(room) {
    for (const [id, entry] of this.#pending) if (entry.room === room && entry.lost) this.#repeat(id, entry);
  }

  onLost() { for (const entry of this.#pending.values()) entry.lost = true; }

  /** The server has welcomed somebody: of another user it would not know the texts again. */
  onWelcome(user) {
    for (const [id, entry] of this.#pending) if (entry.user !== user) this.#giveUp(id, entry, "the connection broke");
  }

  /** A message of this visitor came: if it is one of the uncertain texts, then that arrived after all. */
  onOwn(room, text) {
    for (const entry of this.#uncertain) {
      if (entry.room !== room || entry.text !== text) continue;
      this.#discard(entry);
      return;
    }
  }

  #publish(room, text, key = newKey()) {
    const id = String(++this.#ids), user = this.#rooms.me, item = log.message(user, text, Date.now(), true);
    item.classList.add("pending");
    item.setAttribute("aria-hidden", "true"); // heard once, when it is a message
    const entry = { item, room, text, user, key, lost: false, repeated: false };
    this.#pending.set(id, entry);
    log.insert(room, item);
    log.toBottom();
    const payload = { room: room.name, text, id, key };
    if (payloadLength(payload) > this.limit) this.#fail(id, entry, "Not sent: too long");
    else if (!room.joined || !this.#connection.send(KIND.PUBLISH, payload)) {
      this.#fail(id, entry, "Not sent: no connection");
    }
  }

  #repeat(id, entry) {
    const { room: { name }, text, key } = entry;
    entry.lost = !this.#connection.send(KIND.PUBLISH, { room: name, text, id, key });
    entry.repeated = true;
  }

  /** Nothing more is tried. */
  #giveUp(id, entry, why) {
    const perhaps = entry.lost || entry.repeated;
    if (perhaps) this.#uncertain.add(entry);
    this.#fail(id, entry, `${perhaps ? "Perhaps not sent" : "Not sent"}: ${why}`);
  }

  #fail(id, entry, why) {
    this.#pending.delete(id);
    const { item, room, text, key } = entry, line = make("div", "why", `${why.replace(/\.$/, "")}. `);
    item.classList.replace("pending", "failed");
    item.removeAttribute("aria-hidden");
    line.append(
      action("link", "Send again", () => { this.#discard(entry); this.#publish(room, text, key); byId("text").focus(); }),
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

/** A text with the key of another one is that one. */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}
