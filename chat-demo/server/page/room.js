// One room of this visitor: its messages, its members, and the history that is loaded.

import { action, amount, make } from "/elements.js";
import * as log from "/log.js";

/** How many messages are requested at a time. */
const PAGE = 100;
/** How long to wait before messages are requested again from an overloaded server. */
const LATER_MS = 2_000;
/** The members of larger rooms change too often to be listed. */
const LISTED = 500;

export class Room {
  #client; #mine; #shown; #membership;
  /** The number from which the list has no gap up to the newest message. */
  #edge = Infinity;
  /** Missed messages that are being loaded: those after one number, up to another. */
  #gap;
  /** Counts what ends a load: a gap behind the loaded messages, and each new start. */
  #turn = 0;
  /** Whether the server keeps older messages; `undefined` if not known. */
  #older;
  #loading = false;
  /** Numbers of this session's own messages, and the epoch that they belong to. */
  #own = { epoch: undefined, numbers: [] };

  /** `mine` tells whether a user is certainly this visitor; `shown` is called with each message. */
  constructor(name, client, { show, leave, mine, shown }) {
    this.#client = client;
    this.#mine = mine;
    this.#shown = shown;
    this.name = name;
    this.unread = 0;
    this.draft = "";
    /** The sorted names of the members; empty if there are too many to list. */
    this.users = [];
    this.members = 0;
    this.list = log.makeList({ earlier: () => this.#load(), top: () => this.#probe() });
    this.row = make("li");
    const away = action("leave", "×", leave), go = action("go", name, show);
    away.setAttribute("aria-label", `Leave ${name}`);
    go.dir = "auto";
    this.row.append(go, make("span", "count"), away);
    this.#membership = client.join(name);
  }

  get joined() { return this.#membership.joined; }

  disconnected() {
    // An open gap is requested again.
    if (this.#gap) this.#membership.last = this.#gap.after;
    this.#gap = undefined;
  }

  /** Handles a join, the start of a new epoch, and messages that the server itself missed. */
  onJoined({ seq, epoch, members, recovered, missed, anew }) {
    this.members = members;
    this.users = [];
    this.askMembers();
    this.#recallOwn(epoch);
    if (anew) {
      log.outdate(this);
      this.#startOver("The room began anew: the server may have lost what is above");
    } else if (recovered) {
      if (missed > 0) log.notice(this, `Recovered ${amount(missed, "message")}`);
      return;
    } else if (missed > log.KEPT) {
      log.clear(this);
      this.#startOver(`You missed ${amount(missed, "message")}: here are the newest`);
    } else {
      // The server may still send page by page what it did not send at once.
      if (missed > 0) {
        this.#gap = { after: this.#gap?.after ?? seq - missed, upTo: seq };
        this.#turn++;
      }
      this.#edge = seq + 1;
    }
    if (seq > 0) this.#load();
  }

  /** Shows a message, unless it is in the list. */
  add(message) {
    const { seq, user, text, ts } = message, item = Object.assign(log.message(user, text, ts), { seq });
    if (this.#own.numbers.includes(seq) || this.#mine(user)) log.markOwn(item);
    if (seq > (this.#gap?.after ?? 0)) this.#edge = Math.min(this.#edge, seq);
    if (!log.insert(this, item)) return;
    this.#shown(this, message);
  }

  /** Remembers that a message is this session's own, also after a reload. Returns its item, if it is in the list. */
  own(seq) {
    this.#own.numbers = [...this.#own.numbers.slice(1 - log.KEPT), seq];
    sessionStorage.setItem(`own:${this.name}`, JSON.stringify(this.#own));
    const item = log.find(this, seq);
    if (item) log.markOwn(item);
    return item;
  }

  onPresence({ user, event }) {
    if (this.users.length === 0) return void (this.members += event === "left" ? -1 : 1);
    const users = new Set(this.users);
    if (event === "left") users.delete(user);
    else users.add(user);
    this.onMembers([...users]);
  }

  onMembers(users) {
    this.users = users.toSorted((one, other) => one.localeCompare(other));
    this.members = users.length;
  }

  askMembers() { if (this.members < LISTED) this.#client.send("members", { room: this.name }); }

  /** Loads older messages down to a number. Returns its item, if the server still has it. */
  async reach(seq) {
    for (let edge; !log.find(this, seq) && this.#edge > seq && this.#edge !== edge;) {
      edge = this.#edge;
      await this.#load();
    }
    return log.find(this, seq);
  }

  /** The oldest messages were removed from the list. */
  forgot() {
    if (this.#gap) return;
    this.#edge = log.firstAfter(this, 0)?.seq ?? Infinity;
    this.#offer(undefined);
  }

  #recallOwn(epoch) {
    if (this.#own.epoch === epoch) return;
    this.#own = { epoch, numbers: [] };
    try {
      const kept = JSON.parse(sessionStorage.getItem(`own:${this.name}`));
      if (kept.epoch === epoch) this.#own = kept;
    } catch { /* nothing is kept */ }
  }

  #startOver(why) {
    log.notice(this, why);
    this.#edge = Infinity;
    this.#gap = undefined;
    this.#turn++;
    this.#offer(false);
  }

  /** Asks for messages before the oldest one; returns nothing if the connection is lost or the epoch ends. */
  async #request(limit) {
    if (this.#loading) return undefined;
    this.#loading = true;
    const before = Number.isFinite(this.#edge) ? this.#edge : undefined;
    const answer = await this.#client.history(this.name, { before, limit }).catch(error => error);
    this.#loading = false;
    if (answer.code === "new_epoch") this.#load();
    if (answer.code === "overloaded") setTimeout(() => this.list.isConnected && this.#load(), LATER_MS * (1 + Math.random()));
    return answer instanceof Error ? undefined : answer;
  }

  async #load() {
    const pane = this.list.parentElement;
    pane.setAttribute("aria-busy", "true"); // a screen reader does not read a whole page
    this.#offer(undefined);
    const turn = this.#turn, messages = await this.#request(PAGE), gap = this.#gap, edge = this.#edge;
    pane.removeAttribute("aria-busy");
    if (!messages) return;
    if (turn !== this.#turn) return void this.#load();
    for (const message of messages) this.add(message);
    if (gap && this.#edge < edge && this.#edge > gap.after + 1) return void this.#load();
    if (gap) this.#closeGap(gap);
    this.#probe();
  }

  /** Finds out whether the server keeps messages older than those in the list. */
  async #probe() {
    if (this.#older !== undefined || this.#gap) return;
    const edge = this.#edge;
    if (edge <= 1 || !Number.isFinite(edge)) return this.#offer(false);
    const turn = this.#turn, older = await this.#request(1);
    if (older && turn !== this.#turn) return void this.#load();
    if (older && edge === this.#edge) this.#offer(older.length > 0);
  }

  #closeGap({ after, upTo }) {
    const before = log.firstAfter(this, after), lost = this.#edge - after - 1;
    if (lost > 0) {
      log.notice(this, `Too late: ${amount(lost, "message")} ${lost === 1 ? "is" : "are"} lost`, { bad: true, before });
    } else {
      log.notice(this, `Recovered ${amount(upTo - after, "message")}`, { before });
    }
    this.#gap = undefined;
    this.#edge = log.firstAfter(this, 0)?.seq ?? Infinity;
  }

  #offer(older) {
    this.#older = older;
    this.list.firstElementChild.hidden = !older;
  }
}
