// One room as this visitor knows it, and how it catches up with what was said while the visitor was not there.
//
// What is asked of a room is answered in order. A second `join` behind a question for history is therefore answered when
// all of that history has come: it says where the end is, which no other frame does.

import { action, amount, make } from "/elements.js";
import * as log from "/log.js";
import { KIND } from "/protocol.js";

/** So many messages are asked for at a time. */
const PAGE = 100;

export class Room {
  #send;
  /** The epoch of all numbers here; unknown before the room is joined. */
  #epoch;
  /** The newest message seen, to recover by. */
  #last = 0;
  /** The oldest message of those that reach without a gap to the newest. */
  #edge = Infinity;
  /** What is missed: all after one message, up to another. */
  #gap;
  /** The edge when history was asked for, until all of it has come. */
  #asked;
  /** Whether the server keeps nothing older. */
  #exhausted = false;
  /** Whether the history on its way was asked for by numbers of an epoch that has ended. */
  #outdated = false;

  constructor(name, { send, show, leave }) {
    this.#send = send;
    this.name = name;
    this.joined = false;
    this.unread = 0;
    /** The names of those who are here, sorted; empty when they are too many to be listed. */
    this.users = [];
    this.members = 0;
    this.list = log.makeList(() => this.#lookBack());
    this.row = make("li");
    const away = action("leave", "×", leave);
    away.setAttribute("aria-label", `Leave ${name}`);
    this.row.append(action("go", name, show), make("span", "count"), away);
  }

  /** Asks to be let in, and for what was missed. */
  join() {
    // Without its epoch a number says nothing.
    const seen = this.#epoch === undefined ? {} : { after: this.#last, epoch: this.#epoch };
    this.#send(KIND.JOIN, { room: this.name, ...seen });
  }

  /** The connection is gone, and with it all that was asked. */
  disconnected() {
    this.joined = false;
    this.#asked = undefined;
    if (this.#gap) this.#last = this.#gap.after;
    this.#gap = undefined;
    this.#outdated = false;
    this.list.parentElement.removeAttribute("aria-busy");
  }

  /** Answers the join, or the one behind a question for history; comes unasked when the room begins a new epoch. */
  onJoined({ seq, epoch, members, recovered }) {
    const known = this.#epoch, anew = known !== undefined && known !== epoch;
    this.members = members;
    if (this.joined && !anew) return this.#lookedBack();
    this.joined = true;
    this.#epoch = epoch;
    this.askMembers();
    if (anew) return this.#beginAnew(seq);
    const missed = seq - this.#last;
    if (recovered) {
      if (missed > 0) log.notice(this, `Recovered ${amount(missed, "message")}`);
      return;
    }
    if (missed > log.KEPT) {
      if (known !== undefined) {
        log.clear(this);
        this.#startAnew(`You missed ${amount(missed, "message")}: here are the newest`);
      }
    } else {
      // What the server did not send at once it may send page by page.
      if (known !== undefined && missed > 0) this.#gap = { after: this.#last, upTo: seq };
      this.#edge = seq + 1;
    }
    this.#last = Math.max(this.#last, seq);
    if (seq > 0) this.#lookBack();
  }

  /** Takes a message; false when it is here already. `fresh` tells whether it is newer than all others. */
  onMessage(item) {
    if (!log.insert(this, item)) return { taken: false, fresh: false };
    const fresh = item.seq > this.#last;
    this.#last = Math.max(this.#last, item.seq);
    if (item.seq > (this.#gap?.after ?? 0)) this.#edge = Math.min(this.#edge, item.seq);
    this.#offerOlder();
    return { taken: true, fresh };
  }

  onPresence({ user, event }) {
    const users = new Set(this.users);
    if (event === "left") users.delete(user);
    else users.add(user);
    this.onMembers([...users]);
  }

  onMembers(users) {
    this.users = users.toSorted((one, other) => one.localeCompare(other));
    this.members = users.length;
  }

  askMembers() { this.#send(KIND.MEMBERS, { room: this.name }); }

  /** The list was cut: its oldest message is another one. */
  forgot(oldest) {
    if (this.#gap) return;
    this.#edge = oldest ?? Infinity;
    this.#exhausted = false;
    this.#offerOlder();
  }

  #beginAnew(seq) {
    log.outdate(this);
    this.#gap = undefined;
    this.#startAnew("The room began anew: the server may have lost what is above");
    this.#last = seq;
    this.#outdated = this.#asked !== undefined; // the answer is on its way
    if (seq > 0) this.#lookBack();
  }

  #startAnew(why) {
    log.notice(this, why);
    this.#edge = Infinity;
    this.#exhausted = false;
  }

  #lookBack() {
    if (this.#asked !== undefined) return;
    this.#asked = this.#edge;
    this.list.parentElement.setAttribute("aria-busy", "true"); // nobody wants to hear all of it
    const before = Number.isFinite(this.#edge) ? { before: this.#edge } : {};
    this.#send(KIND.HISTORY, { room: this.name, ...before, limit: PAGE });
    this.#send(KIND.JOIN, { room: this.name });
  }

  #lookedBack() {
    const came = this.#edge < this.#asked;
    this.#asked = undefined;
    this.list.parentElement.removeAttribute("aria-busy");
    if (this.#outdated) {
      this.#outdated = false;
      if (this.#last > 0) this.#lookBack();
      return;
    }
    if (this.#gap && came && this.#edge > this.#gap.after + 1) return this.#lookBack();
    if (this.#gap) this.#closeGap(this.#gap);
    else if (!came) this.#exhausted = true;
    this.#offerOlder();
  }

  #closeGap({ after, upTo }) {
    const before = log.firstAfter(this, after), lost = this.#edge - after - 1;
    if (lost > 0) {
      log.notice(this, `Too late: ${amount(lost, "message")} ${lost === 1 ? "is" : "are"} lost`, { bad: true, before });
      this.#exhausted = true; // none of them is kept, nor any before them
    } else {
      log.notice(this, `Recovered ${amount(upTo - after, "message")}`, { before });
    }
    this.#gap = undefined;
    this.#edge = log.firstAfter(this, 0)?.seq ?? Infinity;
  }

  #offerOlder() {
    const older = this.#edge > 1 && Number.isFinite(this.#edge) && !this.#exhausted && !this.#gap;
    this.list.firstElementChild.hidden = !older;
  }
}
