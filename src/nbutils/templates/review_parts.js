// What an item looks like: case, series, answer with its numbers marked, differences.
// Texts of items reach the page as text nodes only.

import { differences } from "./review_state.js";

export function el(tag, options = {}, ...children) {
  const { on = {}, ...attributes } = options;
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

// --- texts with labelled lines

const LABEL = /^([A-Z][A-Za-z ]{1,24}):[ \t]*/gm;

// [{label, start, end}]: where each labelled part stands in a text, its label left out
function sections(text) {
  const found = [...text.matchAll(LABEL)];
  const parts = found.map((match, i) => ({
    label: match[1],
    start: match.index + match[0].length,
    end: found[i + 1]?.index ?? text.length,
  }));
  const first = found[0]?.index ?? text.length;
  if (text.slice(0, first).trim()) parts.unshift({ label: "", start: 0, end: first });
  for (const part of parts) part.end = part.start + text.slice(part.start, part.end).trimEnd().length;
  return parts;
}

function labelled(label, ...children) {
  const head = label && el("h4", {}, label);
  return el("section", { class: label ? "part" : "part bare" }, head, ...children);
}

// --- the case

export function caseOf(item) {
  const parts = sections(item.input).map(({ label, start, end }) => {
    const text = item.input.slice(start, end);
    const words = el("p", { class: "text", dir: "auto" }, text);
    return labelled(label, label === "Data" && chart(item.values, text), words);
  });
  return el(
    "article",
    { class: "case", "aria-label": "Case" },
    el("h3", {}, "Case"),
    el("p", { class: "task text", dir: "auto" }, item.instruction),
    parts,
  );
}

const SVG = "http://www.w3.org/2000/svg";

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// the series as a line: a gap where a period is missing, first and last value written out
function chart(values, data) {
  const known = (values ?? []).filter((value) => value != null);
  if (known.length < 2) return null;
  const [width, height, side, top, bottom] = [360, 122, 18, 20, 34];
  const low = Math.min(...known);
  const range = Math.max(...known) - low;
  const names = printed(values, data);
  const period = data.match(/last\s+\d+\s+([a-z]+?)s?\b/i)?.[1] ?? "";
  const x = (i) => side + (i * (width - 2 * side)) / Math.max(values.length - 1, 1);
  const share = (value) => (range ? (value - low) / range : 0.5);
  const y = (value) => height - bottom - share(value) * (height - top - bottom);
  const label = (i, ...more) => `${period || "no."} ${i + 1}${more.join("")}`;
  const line = values.map((v, i) => (v == null ? "" : `${values[i - 1] == null ? "M" : "L"}${x(i)} ${y(v)}`));
  const cross = (i) => `M${x(i) - 3} ${height - bottom - 3}l6 6m0 -6l-6 6`;
  const dots = values.map((value, i) =>
    value == null
      ? svg("path", { class: "gap", d: cross(i) }, svg("title", {}, label(i, ": missing")))
      : svg("circle", { cx: x(i), cy: y(value), r: 3.2 }, svg("title", {}, label(i, ": ", names[i]))),
  );
  const written = new Set([values.findIndex((v) => v != null), values.findLastIndex((v) => v != null)]);
  if (range) written.add(values.indexOf(Math.max(...known))).add(values.indexOf(low));
  const half = (i) => names[i].length * 3.2; // of a label's width, about
  const texts = spaced([...written], x, half).map((i) => {
    const above = values[i] > low || !range;
    const middle = Math.min(Math.max(x(i), half(i)), width - half(i));
    const place = { x: middle, y: y(values[i]) + (above ? -8 : 15), "text-anchor": "middle" };
    return svg("text", { ...place, class: "value" }, names[i]);
  });
  const ends = [0, values.length - 1].map((i) => {
    const [anchor, shift] = i ? ["end", side - 4] : ["start", 4 - side];
    const place = { x: x(i) + shift, y: height - 1, "text-anchor": anchor };
    return svg("text", { ...place, class: "axis" }, label(i));
  });
  const said = `Series of ${values.length} values: ${names.join(", ")}`;
  const box = { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said, class: "chart" };
  return svg("svg", box, svg("path", { class: "line", d: line.join("") }), ...dots, ...texts, ...ends);
}

// values as the case prints them, if they can be told apart there
function printed(values, data) {
  const inside = data.match(/\[([^\]]*)\]/)?.[1] ?? "";
  const items = inside.split(/,\s+|;\s*/).map((text) => text.trim());
  return items.length === values.length ? items : values.map((value) => String(value ?? "missing"));
}

// of labels that would touch, the first named stays
function spaced(positions, x, half) {
  const kept = [];
  const apart = (i, j) => Math.abs(x(i) - x(j)) > half(i) + half(j) + 8;
  for (const i of positions) if (kept.every((j) => apart(i, j))) kept.push(i);
  return kept;
}

// --- the answer

const MARKS = {
  right: ["✓", "supported"],
  wrong: ["✗", "wrong"],
  open: ["?", "not checked"],
};

function segmentsOf(item) {
  const segments = item.segments ?? [];
  const whole = segments.map(([text]) => text).join("") === item.output;
  return whole ? segments : [[item.output, "", ""]];
}

function slice(segments, start, end) {
  const parts = [];
  let at = 0;
  for (const [text, kind, why] of segments) {
    const piece = text.slice(Math.max(start - at, 0), Math.max(end - at, 0));
    if (piece) parts.push([piece, kind, why]);
    at += text.length;
  }
  return parts;
}

function marked([text, kind, why]) {
  if (!MARKS[kind]) return text;
  const [mark, words] = MARKS[kind];
  const sign = el("sup", { role: "img", "aria-label": words }, mark);
  const said = why ? `${words}: ${why}` : words;
  return el("span", { class: `claim ${kind}`, "data-why": said }, el("u", {}, text), sign);
}

export function answerOf(item) {
  const segments = segmentsOf(item);
  const parts = sections(item.output).map(({ label, start, end }) => {
    const pieces = slice(segments, start, end).map(marked);
    return labelled(label, el("p", { class: "text", dir: "auto" }, pieces));
  });
  return parts.length ? parts : el("p", { class: "soft" }, "The answer is empty.");
}

// what the check of the numbers found: reachable without pointing at them
export function checksOf(item) {
  const numbers = segmentsOf(item).filter(([, kind]) => MARKS[kind]);
  if (!numbers.length && !item.findings?.length) return null;
  const findings = (item.findings ?? []).map((text) =>
    el("li", { dir: "auto" }, el("span", { class: "sign", "aria-hidden": "true" }, "✗"), text),
  );
  const rows = numbers.map(([text, kind, why]) =>
    el(
      "tr",
      { class: kind },
      el("th", { scope: "row" }, text),
      el("td", { class: "state" }, `${MARKS[kind][0]} ${MARKS[kind][1]}`),
      el("td", { dir: "auto" }, why),
    ),
  );
  return el(
    "section",
    { class: "checks", "aria-label": "Numbers" },
    findings.length > 0 && el("ul", { class: "findings" }, findings),
    rows.length > 0 &&
      el(
        "details",
        {},
        el("summary", {}, counted(numbers)),
        el("div", { class: "scroll" }, el("table", {}, el("tbody", {}, rows))),
      ),
  );
}

function counted(numbers) {
  const total = `${numbers.length} number${numbers.length === 1 ? "" : "s"}`;
  const parts = Object.entries(MARKS).map(([kind, [mark, words]]) => {
    const count = numbers.filter(([, found]) => found === kind).length;
    return count && `${count} ${words} ${mark}`;
  });
  return `${total}: ${parts.filter(Boolean).join(", ")}`;
}

// --- differences

// room: how much of what stayed the same is shown on either side of a change
export function changes(before, after, room = Infinity) {
  const around = (text) =>
    text.length > 2 * room ? `${text.slice(0, room).trimEnd()} … ${text.slice(-room).trimStart()}` : text;
  const pieces = differences(before, after).map(([kind, text]) =>
    kind === "=" ? around(text) : el(kind === "-" ? "del" : "ins", {}, text),
  );
  return el("p", { class: "text diff", dir: "auto" }, pieces);
}
