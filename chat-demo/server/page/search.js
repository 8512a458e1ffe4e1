// The search in the room that is shown: results while the visitor types.

import { action, byId, make } from "/elements.js";

/** The server is asked when the visitor pauses this long. A later search cancels the one before. */
const PAUSE_MS = 150;
const LIMIT = 20;
const clock = new Intl.DateTimeFormat([], { dateStyle: "short", timeStyle: "short" });

export class Search {
  #client; #rooms; #timer;
  #field = byId("search");
  #list = byId("found");

  constructor(client, rooms) {
    this.#client = client;
    this.#rooms = rooms;
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
    });
    this.#field.addEventListener("keydown", ({ key }) => { if (key === "Escape") this.#clear(); });
    document.addEventListener("room", () => this.#clear());
  }

  get #text() { return this.#field.value.trim(); }

  #ask() {
    const text = this.#text, room = this.#rooms.active;
    if (!text) this.#clear();
    else if (room.joined) this.#client.send("search", { room: room.name, text, limit: LIMIT });
  }

  /** Shows an answer, unless the visitor has typed on. */
  onFound({ room, text, messages }) {
    if (room !== this.#rooms.active.name || text !== this.#text) return;
    const rows = messages.toReversed().map(message => this.#row(message));
    this.#list.replaceChildren(...(rows.length ? rows : [make("li", "none", "Nothing found")]));
    this.#list.hidden = false;
  }

  #row({ seq, user, text, ts }) {
    const row = make("li"), go = action("", "", () => this.#jump(seq)), said = make("span", "said", text);
    said.dir = "auto";
    go.append(make("bdi", "", user), make("time", "", clock.format(ts)), said);
    row.append(go);
    return row;
  }

  async #jump(seq) {
    const item = await this.#rooms.active.reach(seq);
    if (!item) return;
    this.#clear();
    item.tabIndex = -1;
    item.scrollIntoView({ block: "center" });
    item.focus();
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#field.value = "";
    this.#list.hidden = true;
  }
}
