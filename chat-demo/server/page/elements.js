// Small pieces of the document. Text enters it through `textContent` alone, so that no text is ever markup.

export const byId = id => document.getElementById(id);

export function make(tag, className = "", text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function action(className, text, run) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", run);
  return button;
}

/** A round letter for a user, of a colour that is the name's. */
export function paintFace(face, name) {
  let hash = 0;
  for (const char of name) hash = hash * 31 + char.codePointAt(0) | 0;
  face.textContent = [...name][0]?.toUpperCase() ?? "?";
  face.style.setProperty("--hue", (hash >>> 0) % 360);
  face.setAttribute("aria-hidden", "true");
  return face;
}

export function face(name) { return paintFace(make("span", "face"), name); }

/** A number of things, in words. */
export function amount(count, thing) { return `${count} ${thing}${count === 1 ? "" : "s"}`; }
