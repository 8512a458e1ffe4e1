// Texts of this visitor, from the key press to the server's answer.

import { newKey } from "/client.js";
import { action, byId, make } from "/elements.js";
import * as log from "/log.js";

/** The same text is refused again for these reasons. */
const FINAL = ["too_large", "bad_payload", "forbidden"];

export class Composer {
  #client; #rooms;
  #field = byId("text");
  /** Failed texts that may have arrived: an attempt got no answer. */
  #uncertain = new Set();

  constructor(client, rooms) {
    this.#client = client;
    this.#rooms = rooms;
    const form = byId("compose"), field = this.#field;
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

  /** A message is shown: if its text is an uncertain one, that has arrived. */
  onShown(room, { seq, user, text }) {
    if (user !== this.#rooms.me) return;
    for (const entry of this.#uncertain) {
      if (entry.room !== room || entry.text !== text) continue;
      this.#discard(entry);
      room.own(seq);
      return;
    }
  }

  async #publish(room, text, key = newKey()) {
    const item = log.message(this.#rooms.me, text, Date.now()), entry = { item, room, text, key };
    log.markOwn(item);
    item.classList.add("pending");
    item.setAttribute("aria-hidden", "true"); // a screen reader reads it once, when it is a message
    log.insert(room, item);
    log.toBottom();
    if (this.#client.user === undefined) return this.#fail(entry, { message: "no connection" });
    try {
      const { seq } = await this.#client.publish(room.name, text, { key });
      log.remove(item);
      const tick = make("span", "tick", "✓");
      tick.title = `The server has it, as number ${seq}`;
      tick.setAttribute("role", "img");
      tick.setAttribute("aria-label", "delivered");
      room.own(seq)?.querySelector(".text").after(tick);
    } catch (error) {
      this.#fail(entry, error);
    }
  }

  #fail(entry, { code, message, uncertain = false }) {
    const { item, room, text, key } = entry;
    const why = `${uncertain ? "Perhaps not sent" : "Not sent"}: ${message.replace(/\.$/, "")}. `;
    const line = make("div", "why", why);
    if (uncertain) this.#uncertain.add(entry);
    item.classList.replace("pending", "failed");
    item.removeAttribute("aria-hidden");
    const act = (label, then) => action("link", label, () => { this.#discard(entry); then(); this.#field.focus(); });
    line.append(
      FINAL.includes(code)
        ? act("Edit", () => { this.#field.value = [text, this.#field.value].filter(Boolean).join("\n"); })
        : act("Send again", () => this.#publish(room, text, key)),
      act("Discard", () => {}),
    );
    item.lastChild.append(line);
    if (room === this.#rooms.active) log.toBottom();
  }

  #discard(entry) {
    this.#uncertain.delete(entry);
    log.remove(entry.item);
  }
}
