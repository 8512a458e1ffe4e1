// The server's figures, requested once a second while the dashboard is visible.

import { byId, make } from "/elements.js";
import { Plot } from "/plot.js";

const PERIOD_MS = 1000, PATIENCE_MS = 2500;
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const decimals = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = value => value === undefined ? undefined : exact.format(value);
const count = value => exact.format(value);
const pace = value => short.format(value);
const milliseconds = value => `${decimals.format(value)} ms`;
const percent = value => `${decimals.format(value)} %`;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];
const power = value => value < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
const unit = value => 1024 ** power(value);
const bytes = value => `${decimals.format(value / unit(value))} ${UNITS[power(value)]}`;

/* The plots. Each reads its values from `now`, the server's answer; `rate`, the growth of a counter per second; and
   `pool`, the figures of the workers, which all subpools share. A figure that the server does not have is undefined. */
const TRAFFIC = [
  { title: "Connections", labels: ["open"], format: count, read: ({ now }) => [now.connections] },
  { title: "Messages a second", labels: ["messages"], format: pace, read: ({ rate }) => [rate("messages")] },
  { title: "Deliveries a second", labels: ["deliveries"], format: pace, read: ({ rate }) => [rate("deliveries")] },
];
const POOL = [
  {
    title: "Workers, mean of 5 s", labels: ["closures", "futures", "reactor", "searching", "idle"], format: count, stacked: true,
    read({ pool }) {
      const { running_closures: closures, running_futures: futures, in_reactor: reactor, idle_threads: parked } = pool;
      const idle = Math.max(0, parked - reactor), busy = closures + futures + reactor + idle;
      return [closures, futures, reactor, Math.max(0, pool.threads - busy), idle];
    },
  },
  {
    title: "Ready tasks by lane", labels: ["futures", "high", "normal", "low"], format: count,
    read: ({ pool }) => [pool.queued_futures, pool.queued_high, pool.queued_normal, pool.queued_low],
  },
  {
    title: "Queue age", labels: ["futures", "normal", "low"], format: milliseconds, least: 0.1,
    read: ({ now: { queue_age_ms: age } }) => [age.futures, age.normal, age.low],
  },
  {
    title: "Fan-out latency", labels: ["p50", "p99", "p99.9"], format: milliseconds, least: 0.1,
    read: ({ now }) => [now.fanout_p50_ms, now.fanout_p99_ms, now.fanout_p999_ms],
  },
];
const PROCESS = [
  {
    title: "CPU, of all cores", labels: ["server", "machine"], format: percent, least: 10,
    read: ({ now, rate }) => [rate("cpu_seconds") * 100 / now.machine.cpus, now.machine.cpu_percent],
  },
  {
    title: "Memory", labels: ["resident"], format: bytes, least: 1 << 20, unit,
    read: ({ now }) => [now.rss_bytes || undefined],
  },
  {
    title: "Bytes a second", labels: ["out", "in"], format: bytes, least: 1024, unit,
    read: ({ rate }) => [rate("bytes_out"), rate("bytes_in")],
  },
];
/** Figures without a plot. */
const FACTS = [
  ["up", now => duration(now.uptime_seconds)],
  ["rooms", now => whole(now.rooms)],
  ["messages", now => whole(now.messages)],
  ["kept in history", now => whole(now.history_messages)],
  ["history", now => bytes(now.history_bytes)],
  ["threads", now => whole(now.threads)],
  ["open files", now => whole(now.open_files)],
  ["refused", now => whole(now.refused)],
  ["dropped", now => whole(Object.values(now.drops).reduce((sum, drops) => sum + drops, 0))],
  ["memory of the machine", now => percent(now.machine.memory_percent)],
  ["pressure", now => now.pressure],
  ["publishes held back", now => now.publish_delay_ms ? milliseconds(now.publish_delay_ms) : undefined],
  ["tuned", now => now.tuner && `${now.tuner.what} of ${now.tuner.pool}: ${now.tuner.last ?? now.tuner.limit}`],
  ["panics", now => whole(now.panics)],
];

export class Dashboard {
  #plots = []; #before; #timer; #asking = false;
  shown = false;

  constructor() {
    for (const [place, charts] of [["traffic", TRAFFIC], ["pool", POOL], ["process", PROCESS]]) {
      for (const chart of charts) {
        const plot = new Plot(chart);
        this.#plots.push([plot, chart.read]);
        byId(place).append(plot.element);
      }
    }
    document.addEventListener("visibilitychange", () => this.#ask());
  }

  show(shown) {
    this.shown = shown;
    this.#ask();
  }

  async #ask() {
    if (this.#asking) return;
    clearTimeout(this.#timer);
    if (!this.shown || document.hidden) return;
    this.#asking = true;
    const due = performance.now() + PERIOD_MS;
    try {
      const answer = await fetch("/api/stats", { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error(`${answer.status}`);
      this.#paint(await answer.json(), performance.now());
      this.#setStatus("up", `Live from ${this.#before.now.node}`);
    } catch {
      this.#setStatus("down", "The server does not answer");
    }
    this.#asking = false;
    this.#timer = setTimeout(() => this.#ask(), Math.max(0, due - performance.now()));
  }

  #setStatus(kind, text) {
    const line = byId("dashboard-status");
    byId("figures").hidden = !this.#before;
    byId("no-figures").hidden = Boolean(this.#before);
    if (line.textContent === text) return;
    line.className = `status ${kind}`;
    line.textContent = text;
    byId("no-figures").textContent = `${text}. Its figures appear here as soon as it does.`;
  }

  #paint(now, at) {
    // The counters of a server that was restarted begin at zero.
    const before = this.#before?.now.uptime_seconds <= now.uptime_seconds ? this.#before : undefined;
    const rate = name => before && (now[name] - before.now[name]) / (at - before.at) * 1000;
    const pool = now.pools.service;
    for (const [plot, read] of this.#plots) plot.add(at, read({ now, rate, pool }));
    byId("slots").replaceChildren(...Object.entries(now.pools).map(([name, figures]) => slots(name, figures)));
    byId("facts").replaceChildren(...FACTS.flatMap(([name, read]) => {
      const value = read(now), pair = make("div");
      pair.append(make("dt", "", name), make("dd", "", value));
      return value === undefined ? [] : [pair];
    }));
    this.#before = { now, at };
  }
}

/** A row of a bar: the slots of one subpool in use, of its capacity. */
function slots(name, { in_flight: used, capacity, waiting }) {
  const row = make("li"), bar = make("div", "bar"), fill = make("div");
  const text = `${count(used)} of ${count(capacity)}${waiting ? `, ${count(waiting)} waiting` : ""}`;
  fill.style.width = `${Math.min(100, used / Math.max(1, capacity) * 100)}%`;
  fill.hidden = used === 0;
  bar.append(fill);
  bar.setAttribute("aria-hidden", "true"); // the text says the same
  row.append(make("span", "", name.replaceAll("_", " ")), make("span", "figure", text), bar);
  return row;
}

function duration(seconds) {
  const full = Math.floor(seconds), two = number => String(number).padStart(2, "0");
  if (full < 60) return `${full} s`;
  if (full < 3600) return `${Math.floor(full / 60)} min ${two(full % 60)} s`;
  return `${exact.format(Math.floor(full / 3600))} h ${two(Math.floor(full % 3600 / 60))} min`;
}
