// The WebSocket: says hello, keeps it alive, and comes back when it is lost.

import { KIND, SUBPROTOCOL, decode, encode } from "/protocol.js";

const FIRST_DELAY_MS = 500, LONGEST_DELAY_MS = 30_000;
/** After a connection that lasted so long, the first delay is the shortest again. */
const STEADY_MS = 10_000;
/** How long to wait for the reason for which the server refuses connections. */
const ASK_MS = 3_000;
/** So many heartbeats may go unanswered. */
const PATIENCE = 2.5;

/**
 * Tells what happens to those that `on` names: `connecting(again)`, `welcome(payload)`, `frame(kind, payload)`,
 * `nonsense(error)`, `lost(why)`, `waiting(ms)` until the next attempt, and `refused(why)`, after which it makes no more.
 */
export class Connection {
  #on; #credentials; #socket; #farewell; #welcomedAt; #heardAt; #beat; #retry;
  #attempt = 0;

  constructor(on) { this.#on = on; }

  /** Whether the server has answered the hello. */
  get welcomed() { return this.#welcomedAt !== undefined; }

  /** Whether there is a connection, or one is being made. */
  get trying() { return this.#socket !== undefined || this.#retry !== undefined; }

  /** Connects, as somebody else if need be. */
  signIn(credentials) {
    this.hangUp();
    this.#credentials = credentials;
    this.#attempt = 0;
    this.connect();
  }

  send(kind, payload) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(encode(kind, payload));
    return true;
  }

  /** Connects at once, however long the wait was to be. */
  connect() {
    this.hangUp();
    this.#farewell = undefined;
    this.#on.connecting(this.#attempt > 0);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.#socket = new WebSocket(`${scheme}://${location.host}/ws`, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => { if (socket === this.#socket) this.#hear(data); };
    let opened = false;
    socket.onopen = () => { opened = true; this.send(KIND.HELLO, this.#credentials); };
    socket.onclose = async ({ code, reason }) => {
      // A browser does not tell what a refused handshake was answered with.
      const why = reason || (opened ? "" : await whyNotReady());
      if (socket === this.#socket) this.#closed(code, why);
    };
  }

  /** Ends the connection, and all attempts to come back. */
  hangUp() {
    const socket = this.#socket;
    this.#socket = this.#welcomedAt = undefined;
    clearInterval(this.#beat);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (socket) {
      socket.close();
      this.#on.lost("");
    }
  }

  #hear(data) {
    this.#heardAt = Date.now();
    let kind, payload;
    try {
      [kind, payload] = decode(data);
    } catch (error) {
      return this.#on.nonsense(error);
    }
    if (kind === KIND.WELCOME) this.#welcomed(payload);
    else if (kind === KIND.BYE) this.#farewell = payload;
    else if (kind === KIND.ERROR && !this.welcomed) return this.#refused(payload.message || payload.code);
    this.#on.frame(kind, payload);
  }

  #welcomed(welcome) {
    this.#welcomedAt = Date.now();
    this.#beat = setInterval(() => {
      if (Date.now() - this.#heardAt > PATIENCE * welcome.heartbeat_ms) this.#lost("The server fell silent");
      else this.send(KIND.HEARTBEAT);
    }, welcome.heartbeat_ms);
    this.#on.welcome(welcome);
  }

  #closed(code, reason) {
    const policy = code === 1008;
    if (policy && !this.welcomed) this.#refused(reason || "The server does not let you in");
    else this.#lost(this.#farewell?.reason || reason || "Connection lost");
  }

  #refused(why) {
    this.hangUp();
    this.#on.refused(why);
  }

  #lost(why) {
    if (this.welcomed && Date.now() - this.#welcomedAt > STEADY_MS) this.#attempt = 0;
    const notBefore = this.#farewell?.reconnect_after_ms ?? 0;
    // Jitter spreads the clients of a server that restarts.
    const jitter = 0.5 + Math.random() / 2;
    const delay = notBefore + jitter * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt++);
    this.hangUp();
    this.#on.lost(why);
    this.#wait(Date.now() + delay);
  }

  #wait(due) {
    const left = due - Date.now();
    if (left <= 0) return this.connect();
    this.#on.waiting(left);
    this.#retry = setTimeout(() => this.#wait(due), Math.min(1000, left));
  }
}

/** Returns the reason for which the server refuses connections; empty if it accepts them or does not answer. */
async function whyNotReady() {
  try {
    const answer = await fetch("/readyz", { cache: "no-store", signal: AbortSignal.timeout(ASK_MS) });
    return answer.status === 503 ? `The server takes no newcomers: ${(await answer.text()).trim()}` : "";
  } catch {
    return "";
  }
}
