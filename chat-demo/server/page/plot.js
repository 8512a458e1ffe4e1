// A small plot of the last two minutes: lines or stacked areas over time, and the newest values in large.

import { make } from "/elements.js";

const SPAN_MS = 120_000;
/** A pause longer than that is a gap in the lines. */
const PAUSE_MS = 3500;
/** A stacked value is the mean of about this many samples. */
const MEAN_OF = 5;
const SVG = "http://www.w3.org/2000/svg";
const STEPS = [1, 2, 3, 4, 5, 6, 8, 10];

export class Plot {
  #format; #least; #unit; #title; #stacked; #samples = []; #top = make("span"); #middle = make("span"); #lines; #values; #picture;

  /**
   * `labels` name the values; the scale ends at `least` or higher; `unit` returns the unit that a value reads best in.
   * `stacked` areas stand on each other; otherwise each value is a line.
   */
  constructor({ title, labels, format, least = 2, unit = () => 1, stacked = false }) {
    this.#stacked = stacked;
    this.#title = title;
    this.#format = format;
    this.#least = least;
    this.#unit = unit;
    this.element = make("section", "plot");
    const heading = make("h3", "", title), now = make("div", stacked ? "values stacked" : "values");
    this.#values = labels.map((label, index) => {
      const value = make("b", "", "–"), shown = make("span", `value line-${index}`);
      shown.append(value, ...(labels.length > 1 ? [make("span", "label", label)] : []));
      now.append(shown);
      return value;
    });
    this.#picture = draw("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img" });
    for (const y of [0, 50, 100]) this.#picture.append(draw("path", { class: "grid", d: `M0 ${y}H100` }));
    this.#lines = labels.map((_, index) => draw("path", { class: `${stacked ? "area" : "line"} line-${index}` }));
    this.#picture.append(...this.#lines.toReversed()); // the first is on top
    const up = make("div", "up"), along = make("div", "along"), body = make("div", "body");
    up.append(this.#top, this.#middle, make("span", "", format(0)));
    along.append(make("span", "", "2 min ago"), make("span", "", "1 min"), make("span", "", "now"));
    for (const axis of [up, along]) axis.setAttribute("aria-hidden", "true");
    body.append(up, this.#picture, along);
    this.element.append(heading, now, body);
    this.element.hidden = true; // until there is something to show
  }

  /** Takes one value per label; a value that is not a number is not drawn. */
  add(at, values) {
    const there = values.some(Number.isFinite);
    if (there) this.element.hidden = false;
    const before = this.#samples.at(-1)?.values;
    // What is stacked are samples of instants: their mean over some seconds tells the shares.
    if (this.#stacked && before) values = values.map((value, index) => before[index] + (value - before[index]) / MEAN_OF);
    this.#samples = this.#samples.filter(sample => at - sample.at <= SPAN_MS);
    this.#samples.push({ at, values });
    if (!this.element.hidden) this.#paint(at, values);
  }

  #paint(now, values) {
    const highest = this.#stacked ? sum : ({ values: all }) => all;
    const known = this.#samples.flatMap(highest).filter(Number.isFinite);
    const most = Math.max(this.#least, ...known), unit = this.#unit(most);
    const rounded = roundUp(most / unit) * unit;
    // The half of a count is a count.
    const counts = this.#stacked || known.every(Number.isInteger), top = counts && rounded % 2 === 1 ? rounded + 1 : rounded;
    this.#top.textContent = this.#format(top);
    this.#middle.textContent = this.#format(top / 2);
    this.#lines.forEach((line, index) => line.setAttribute("d", this.#course(index, now, top)));
    values.forEach((value, index) => { this.#values[index].textContent = this.#shown(value); });
    const ever = known.length ? `; at most ${this.#format(Math.max(...known))} in two minutes` : "";
    this.#picture.setAttribute("aria-label", `${this.#title}: ${values.map(value => this.#shown(value)).join(", ")}${ever}`);
  }

  #shown(value) { return Number.isFinite(value) ? this.#format(value) : "–"; }

  #course(index, now, top) {
    let course = "", drawnAt = -Infinity;
    for (const { at, values } of this.#samples) {
      const value = this.#stacked ? sum({ values: values.slice(0, index + 1) }) : values[index];
      if (!Number.isFinite(value)) continue;
      const x = (100 - (now - at) / SPAN_MS * 100).toFixed(2), y = (100 - value / top * 100).toFixed(2);
      const pauses = at - drawnAt > PAUSE_MS;
      // An area reaches from the bottom to its value; the areas below it are drawn over it.
      if (this.#stacked && pauses) course += `${course && `V100`}M${x} 100L${x} ${y}`;
      else course += `${pauses ? "M" : "L"}${x} ${y}`;
      drawnAt = at;
    }
    return this.#stacked && course ? `${course}V100` : course;
  }
}

function sum({ values }) { return values.reduce((all, value) => all + value, 0); }

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** The next number that reads well, and whose half does. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * STEPS.find(step => step * power >= value * 0.999999);
}
