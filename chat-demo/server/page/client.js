/**
 * A client of chat-demo for browsers. It needs only `frames.js` beside it. `PROTOCOL.md` describes the wire.
 *
 * `Client` keeps one WebSocket open: it reconnects, joins its rooms again and receives what it missed. A text is
 * published once, however often the connection is lost before the ack.
 *
 * ```js
 * import { Client } from "http://127.0.0.1:8080/client.js";
 *
 * const client = new Client({ name: "ann" });
 * client.addEventListener("message", ({ detail }) => console.log(`${detail.user}: ${detail.text}`));
 * client.join("lobby");
 * client.connect();
 * const { seq } = await client.publish("lobby", "hi");
 * ```
 */

import { decode, encode, jsonBytes } from "/frames.js";

const FIRST_DELAY_MS = 500, LONGEST_DELAY_MS = 30_000;
/** After a connection that lasted this long, the first delay is the shortest again. */
const STEADY_MS = 10_000;
/** How long to wait for the reason for which the server refuses connections. */
const REASON_MS = 3_000;
/** The connection is lost after a silence of this many heartbeats. */
const SILENT_BEATS = 2.5;

/**
 * Why a publish or a question for history failed. `code` is a code of PROTOCOL.md, or one of the client's:
 * `too_large`, `not_member`, `disconnected`, `new_epoch`, `other_user`.
 */
export class ClientError extends Error {
  constructor(code, message, uncertain = false) {
    super(message);
    this.code = code;
    /** Whether the text may have been published: an earlier attempt got no answer. */
    this.uncertain = uncertain;
  }
}

/** A room that the client is in, or joins as soon as it is connected. */
export class Membership {
  /** Whether the server has confirmed the membership on this connection. */
  joined = false;
  /** The epoch of all numbers; `undefined` before the first join. */
  epoch;
  /** The number of the newest message received. Lower it to receive later messages again on the next connection. */
  last = 0;
  /** The number of the newest message that the server has sent or reported. */
  _newest = 0;
  /** Whether the server has not answered a join; how many it has refused in a row; the timer of the next. */
  _joining = false; _refusals = 0; _retry;
  /** Questions for history that the server has not answered. */
  _asked = [];

  constructor(room) { this.room = room; }
}

/**
 * One user's connection to a server.
 *
 * Events carry their data as `detail`:
 *
 * | event | detail |
 * |---|---|
 * | `connecting` | `again`: whether an attempt went before |
 * | `welcome` | the server's `welcome` |
 * | `joined` | the server's `joined`; `missed`: messages since the last one seen; `anew`: whether the epoch is another. It also comes when the server itself missed messages |
 * | `message` | a new message, each once and in order: `room`, `seq`, `user`, `text`, `ts` |
 * | `presence`, `members`, `user_state`, `order_update`, `alert`, `search`, `typing`, `bye` | the frame's payload |
 * | `error` | a refusal that belongs to no `publish`: `code`, `message`; `room` if it was not joined, or left; `again`: whether its last join was refused, too |
 * | `malformed` | `message`: what is wrong with a frame of the server |
 * | `lost` | `reason`; empty if the client ended the connection |
 * | `waiting` | `ms` until the next attempt; once a second |
 * | `refused` | `reason`: the server rejects the user or its token; the client makes no more attempts |
 */
export class Client extends EventTarget {
  #server; #credentials; #socket; #farewell; #welcome; #welcomedAt; #heardAt; #beat; #retry;
  #attempt = 0;
  #ids = 0;
  /** Memberships by room. */
  #rooms = new Map();
  /** Texts without an answer, by the id that the answer will have. */
  #unanswered = new Map();

  /**
   * Creates a client that is not connected.
   *
   * @param {object} [options]
   * @param {string} [options.name] The name of a guest.
   * @param {string} [options.token] The token of a user.
   * @param {string} [options.server] The server's origin; by default the origin of this module.
   */
  constructor({ server = new URL(import.meta.url).origin, ...credentials } = {}) {
    super();
    this.#server = server;
    this.#credentials = credentials;
  }

  /** The user's name as the server knows it; `undefined` without a connection. */
  get user() { return this.#welcome?.user; }

  /** Whether the client is connected, connects, or waits for its next attempt. */
  get active() { return this.#socket !== undefined || this.#retry !== undefined; }

  /**
   * Connects at once, and again whenever the connection is lost. Ends the present connection, if any.
   *
   * @param {{name?: string, token?: string}} [credentials] Another user to connect as.
   */
  connect(credentials) {
    this.close();
    if (credentials) {
      this.#credentials = credentials;
      this.#attempt = 0;
    }
    this.#farewell = undefined;
    this.#emit("connecting", { again: this.#attempt > 0 });
    const url = new URL("/ws", this.#server);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = this.#socket = new WebSocket(url, "chat.json.v1");
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => { if (socket === this.#socket) this.#receive(data); };
    let opened = false;
    socket.onopen = () => { opened = true; this.send("hello", this.#credentials); };
    socket.onclose = async ({ code, reason }) => {
      // A browser does not reveal the answer to a refused handshake.
      const why = reason || (opened ? "" : await this.#whyNotReady());
      if (socket === this.#socket) this.#closed(code, why);
    };
  }

  /** Ends the connection and all attempts. Rooms and unanswered texts are kept for the next `connect`. */
  close() { this.#end(""); }

  /**
   * Joins a room, now and after each reconnect. After a reconnect the server sends what was missed, if it has all of
   * it: see `recovered` and `missed` of the event `joined`.
   *
   * @param {string} room
   * @returns {Membership}
   */
  join(room) {
    const known = this.#rooms.get(room);
    if (known) return known;
    const membership = new Membership(room);
    this.#rooms.set(room, membership);
    if (this.#welcome) this.#join(membership);
    return membership;
  }

  /** Leaves a room. @param {string} room */
  leave(room) {
    const membership = this.#rooms.get(room);
    this.#rooms.delete(room);
    this.send("leave", { room });
    if (!membership) return;
    clearTimeout(membership._retry);
    this.#fail(membership, "not_member", "the room was left");
  }

  /**
   * Publishes a text in a room that was joined. The text is sent when the room is joined, and sent again with the same
   * key until the server answers. Rejects with a `ClientError`, also if the server refuses the join. After a refused
   * join, the next text joins again.
   *
   * @param {string} room
   * @param {string} text
   * @param {object} [options]
   * @param {string} [options.key] The key of an earlier attempt: the server keeps one text of each key.
   * @returns {Promise<{room: string, seq: number}>} The number of the message, which was received before.
   */
  async publish(room, text, { key = newKey() } = {}) {
    const id = String(++this.#ids), payload = { room, text, id, key };
    if (!this.#rooms.has(room)) throw new ClientError("not_member", "the room was not joined");
    return new Promise((resolve, reject) => {
      const entry = { payload, attempts: 0, user: undefined, resolve, reject };
      this.#unanswered.set(id, entry);
      const membership = this.#rooms.get(room);
      if (membership.joined) this.#send(entry);
      else if (this.#welcome && !membership._joining) this.#join(membership);
    });
  }

  /**
   * Requests older messages; fewer than `limit` may come. Rejects with a `ClientError` when the connection is lost, the
   * server is overloaded, or the room begins a new epoch.
   *
   * @param {string} room
   * @param {{before?: number, limit?: number}} [options] By default the newest 100.
   * @returns {Promise<object[]>} The messages, the oldest first.
   */
  async history(room, { before, limit = 100 } = {}) {
    const membership = this.#rooms.get(room);
    if (!membership?.joined) throw new ClientError("not_member", "the room is not joined");
    return new Promise((resolve, reject) => {
      membership._asked.push({ messages: [], error: undefined, resolve, reject });
      this.send("history", { room, before, limit });
      // The server answers in order. The answer to a second join therefore marks the end of the history.
      this.send("join", { room });
    });
  }

  /** Sends a frame by its name in PROTOCOL.md, such as `members`. @returns {boolean} False without a connection. */
  send(name, payload) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(encode(name, payload));
    return true;
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  #receive(data) {
    this.#heardAt = Date.now();
    let name, payload;
    try {
      [name, payload] = decode(data);
    } catch (error) {
      return this.#emit("malformed", { message: error.message });
    }
    switch (name) {
      case "welcome": return this.#welcomed(payload);
      case "joined": return this.#joined(payload);
      case "message": return this.#message(payload);
      case "ack": return this.#settle(payload.id, undefined, payload);
      case "error": return this.#refusal(payload);
      case "heartbeat": return undefined;
      case "bye": this.#farewell = payload;
    }
    if (name) this.#emit(name, payload);
  }

  #welcomed(welcome) {
    this.#welcome = welcome;
    this.#welcomedAt = Date.now();
    clearInterval(this.#beat); // A hello with a fresh token is welcomed again.
    this.#beat = setInterval(() => {
      if (Date.now() - this.#heardAt > SILENT_BEATS * welcome.heartbeat_ms) this.#lost("The server fell silent");
      else this.send("heartbeat");
    }, welcome.heartbeat_ms);
    // The server does not recognise the key of another user.
    for (const [id, { user, attempts }] of this.#unanswered) {
      if (attempts > 0 && user !== welcome.user) this.#settle(id, new ClientError("other_user", "the connection broke", true));
    }
    for (const room of this.#rooms.values()) if (!room.joined) this.#join(room);
    this.#emit("welcome", welcome);
  }

  #join(membership) {
    const { room, epoch, last } = membership;
    clearTimeout(membership._retry);
    membership._joining = this.send("join", epoch === undefined ? { room } : { room, after: last, epoch });
  }

  /** Handles the answer to a join, the mark behind a history, a new epoch, or messages that the server itself missed. */
  #joined(joined) {
    const room = this.#rooms.get(joined.room);
    if (!room) return;
    const known = room.epoch !== undefined, anew = known && room.epoch !== joined.epoch;
    // The answer to a question follows all messages up to its number.
    const skipped = joined.seq > room._newest;
    if (room.joined && !anew && !skipped) {
      const { messages, error, resolve, reject } = room._asked.shift() ?? {};
      return error ? reject(error) : resolve?.(messages);
    }
    if (anew) for (const question of room._asked) question.error = new ClientError("new_epoch", "the room began a new epoch");
    // A server that is behind sends messages again that another has sent.
    const missed = known && !anew ? Math.max(0, joined.seq - room.last) : 0;
    clearTimeout(room._retry);
    Object.assign(room, { joined: true, _joining: false, _refusals: 0, epoch: joined.epoch, _newest: joined.seq });
    if (!joined.recovered) room.last = known && !anew ? Math.max(room.last, joined.seq) : joined.seq;
    this.#emit("joined", { ...joined, missed, anew });
    for (const entry of this.#unanswered.values()) if (entry.payload.room === joined.room) this.#send(entry);
  }

  #message(message) {
    const room = this.#rooms.get(message.room);
    if (room) room._newest = Math.max(room._newest, message.seq);
    if (message.seq > room?.last) {
      room.last = message.seq;
      this.#emit("message", message);
    } else {
      room?._asked[0]?.messages.push(message);
    }
  }

  #send(entry) {
    const { payload } = entry;
    if (jsonBytes(payload).length > this.#welcome?.max_payload) {
      return this.#settle(payload.id, new ClientError("too_large", "too long"));
    }
    if (!this.send("publish", payload)) return undefined;
    entry.user = this.user;
    return entry.attempts++;
  }

  #refusal({ code, message, id, room }) {
    const entry = this.#unanswered.get(id);
    if (!this.#welcome && code === "overloaded") this.#lost(message || code);
    else if (!this.#welcome) this.#refused(message || code);
    else if (!entry) {
      const membership = this.#rooms.get(room), asked = [...this.#rooms.values()].flatMap(({ _asked }) => _asked);
      // It may be about a question for history, whose answer would lack messages.
      if (code === "overloaded" && !room) for (const question of asked) question.error ??= new ClientError(code, message || code);
      this.#emit("error", { code, message: message || code, room, again: membership?._refusals > 0 });
      this.#notJoined(membership, code, message || code);
    }
    else if (code === "uncertain") this.#send(entry);
    else this.#settle(id, new ClientError(code, message || code, entry.attempts > 1));
  }

  /** Handles a refused join: fails what waits for it, and joins later if the server is overloaded. */
  #notJoined(membership, code, message) {
    if (!membership) return;
    const asked = membership._asked;
    // Without this mark, the end of the history would not show.
    if (membership.joined && asked.length && code !== "forbidden") return asked.shift().reject(new ClientError(code, message));
    membership.joined = membership._joining = false;
    this.#fail(membership, code, message);
    clearTimeout(membership._retry);
    if (code === "overloaded") membership._retry = setTimeout(() => this.#join(membership), delay(membership._refusals++));
  }

  #fail({ room, _asked }, code, message) {
    for (const { reject } of _asked.splice(0)) reject(new ClientError(code, message));
    for (const [id, { payload, attempts }] of this.#unanswered) {
      if (payload.room === room) this.#settle(id, new ClientError(code, message, attempts > 0));
    }
  }

  #settle(id, error, ack) {
    const entry = this.#unanswered.get(id);
    this.#unanswered.delete(id);
    if (error) entry?.reject(error);
    else entry?.resolve({ room: ack.room, seq: ack.seq });
  }

  #end(reason) {
    const socket = this.#socket;
    this.#socket = this.#welcome = undefined;
    clearInterval(this.#beat);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (!socket) return;
    socket.close();
    for (const room of this.#rooms.values()) {
      room.joined = room._joining = false;
      clearTimeout(room._retry);
      for (const { reject } of room._asked.splice(0)) reject(new ClientError("disconnected", "the connection was lost"));
    }
    this.#emit("lost", { reason });
  }

  #closed(code, reason) {
    if (code === 1008 && !this.#welcome) this.#refused(reason || "The server does not let you in");
    else this.#lost(this.#farewell?.reason || reason || "Connection lost");
  }

  #refused(reason) {
    this.close();
    this.#emit("refused", { reason });
  }

  #lost(reason) {
    if (this.#welcome && Date.now() - this.#welcomedAt > STEADY_MS) this.#attempt = 0;
    const notBefore = this.#farewell?.reconnect_after_ms ?? 0;
    const due = Date.now() + notBefore + delay(this.#attempt++);
    this.#end(reason);
    this.#wait(due);
  }

  #wait(due) {
    const left = due - Date.now();
    if (left <= 0) return this.connect();
    this.#emit("waiting", { ms: left });
    this.#retry = setTimeout(() => this.#wait(due), Math.min(1000, left));
  }

  /** Returns the reason for which the server refuses connections; empty if it accepts them or does not answer. */
  async #whyNotReady() {
    try {
      const options = { cache: "no-store", signal: AbortSignal.timeout(REASON_MS) };
      const answer = await fetch(new URL("/readyz", this.#server), options);
      return answer.status === 503 ? `The server refuses new connections: ${(await answer.text()).trim()}` : "";
    } catch {
      return "";
    }
  }
}

/** Returns the ms to wait after a number of failures. Jitter spreads the clients of a server that restarts. */
function delay(failures) {
  const jitter = 0.5 + Math.random() / 2;
  return jitter * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
}

/** Returns a random key for `publish`. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");
}
