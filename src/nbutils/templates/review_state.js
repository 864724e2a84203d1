// Order, replay and comparison of a review: what needs no page.

export const DECISIONS = ["approve", "edit", "reject", "rate"];

// 32-bit FNV-1a over the UTF-8 bytes; nbutils.review.decisions has the same
export function fnv1a(text) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  return value >>> 0;
}

// each reviewer's own order, the same on every machine
export function order(reviewer, items) {
  const keyed = items.map((item) => [fnv1a(`${reviewer}:${item.item}`), item]);
  keyed.sort(([a, x], [b, y]) => a - b || (x.item < y.item ? -1 : 1));
  return keyed.map(([, item]) => item);
}

export function identity(line) {
  return [line.at, line.client, line.item, line.decision].join(" ");
}

// whether a line belongs to this reviewer and queue; rows that came from a table name no queue
export function belongs(line, reviewer, queue) {
  const here = line.queue ? line.queue === queue : queue !== "adjudication";
  return here && line.reviewer === reviewer;
}

// both lists, each line once, by time
export function merged(lines, more) {
  const known = new Map([...lines, ...more].map((line) => [identity(line), line]));
  const at = (line) => line.at || "";
  return [...known.values()].sort((a, b) => (at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0));
}

/* What lines that are sorted by time come to:
   standing: item to the decision that stands; skips: item to the position of its last skip;
   trail: what "undo" takes back, the last at the end. */
export function replay(lines) {
  const stacks = new Map();
  const skips = new Map();
  const trail = [];
  lines.forEach((line, position) => {
    const stack = stacks.get(line.item) ?? stacks.set(line.item, []).get(line.item);
    if (line.decision === "skip") {
      skips.set(line.item, position);
      trail.push(line);
    } else if (DECISIONS.includes(line.decision)) {
      stack.push(line);
      trail.push(line);
    } else if (line.decision === "undo" && stack.length) {
      trail.splice(trail.lastIndexOf(stack.pop()), 1);
    }
  });
  const held = [...stacks].filter(([, stack]) => stack.length);
  return { standing: new Map(held.map(([item, stack]) => [item, stack.at(-1)])), skips, trail };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// "3 min", "1 h 10": coarse on purpose, it is a guess
export function duration(seconds) {
  const exact = seconds / 60;
  if (exact < 1) return "1 min";
  const minutes = exact < 20 ? Math.round(exact) : Math.round(exact / 5) * 5;
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return `${Math.floor(minutes / 60)} h${rest ? ` ${String(rest).padStart(2, "0")}` : ""}`;
}

// --- differences of two texts, word by word

const LARGEST = 4_000_000; // cells of the table; beyond that the middle counts as rewritten

// [["=" | "-" | "+", text], ...]
export function differences(before, after) {
  const a = before.match(/\S+\s*|\s+/g) ?? [];
  const b = after.match(/\S+\s*|\s+/g) ?? [];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const middle = aligned(a.slice(head, a.length - tail), b.slice(head, b.length - tail));
  const same = (words) => words.map((word) => ["=", word]);
  return joined([...same(a.slice(0, head)), ...middle, ...same(a.slice(a.length - tail))]);
}

// by the longest common subsequence
function aligned(a, b) {
  const gone = (words) => words.map((word) => ["-", word]);
  const come = (words) => words.map((word) => ["+", word]);
  if (a.length * b.length > LARGEST) return [...gone(a), ...come(b)];
  const width = b.length + 1;
  const length = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const below = length[(i + 1) * width + j];
      const beside = length[i * width + j + 1];
      const both = length[(i + 1) * width + j + 1] + 1;
      length[i * width + j] = a[i] === b[j] ? both : Math.max(below, beside);
    }
  }
  const found = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      found.push(["=", a[i++]]);
      j++;
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
      found.push(["-", a[i++]]);
    } else {
      found.push(["+", b[j++]]);
    }
  }
  return [...found, ...gone(a.slice(i)), ...come(b.slice(j))];
}

// neighbours of one kind as one piece; of a replacement first what went, then what came
function joined(pieces) {
  const done = [];
  let [gone, come] = ["", ""];
  const flush = () => {
    if (gone) done.push(["-", gone]);
    if (come) done.push(["+", come]);
    [gone, come] = ["", ""];
  };
  for (const [kind, text] of pieces) {
    if (kind === "-") gone += text;
    else if (kind === "+") come += text;
    else {
      flush();
      if (done.at(-1)?.[0] === "=") done.at(-1)[1] += text;
      else done.push(["=", text]);
    }
  }
  flush();
  return done;
}
