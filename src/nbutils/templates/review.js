// One reviewer, one queue, one item at a time; the doors (page, widget) give data and storage.

import { belongs, duration, median, merged, order, replay } from "./review_state.js";
import { answerOf, caseOf, changes, checksOf, el } from "./review_parts.js";
import { INTRO, SAID, SIGNS, button, doneCard, editor, emptyCard } from "./review_cards.js";
import { helpCard, noteForm, startCard, viewsOf } from "./review_cards.js";

export { fnv1a, order } from "./review_state.js";

const SLOW = 5000; // ms after which a save that is not answered is mentioned
const FEW = 3; // decisions needed for a guess of the time left
const FREE = "other"; // the reason that needs a note to say anything
const LETTERS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const ARROWS = { "←": "arrowleft", "→": "arrowright" };

/* options: what nbutils.review.page.payload gives, lines (earlier ones), client, and
   save(line) -> Promise; resume(reviewer) -> {lines, unsaved}; remember(name), if the name may be
   asked for; tools: [{label, title, act}]; kept: a sentence on where decisions are; slow: one for
   when saving takes long; framed: whether the review stands among other things.

   add(lines, {go, client}) takes lines from elsewhere in and returns how many were new;
   say(id, text, kind) shows a banner until it is called without a text. */
export function mount(root, options) {
  const review = new Review(root, options);
  return {
    lines: () => [...review.lines],
    add: (lines, how) => review.add(lines, how),
    say: (id, text, kind) => review.say(id, text, kind),
    unsaved: () => review.queue.length > 0 || ["edit", "note"].includes(review.mode),
    reviewer: () => review.reviewer,
    destroy: () => review.destroy(),
  };
}

class Review {
  constructor(root, options) {
    this.root = root;
    this.options = { tools: [], reasons: [], rubric: [], lines: [], kept: "", ...options };
    this.lines = [];
    this.queue = []; // lines that are not stored yet
    this.returned = new Set(); // skips taken back
    this.notices = new Map();
    this.edits = new Map(); // unfinished edits and notes, by item
    this.notes = new Map();
    this.spent = new Map(); // seconds in view since the last decision, by item
    this.saving = null; // the attempt under way
    this.frame();
    this.listen();
    if (this.options.reviewer) this.begin(this.options.reviewer);
    else this.draw("name");
  }

  frame() {
    const { title, framed } = this.options;
    this.root.classList.add("nbreview");
    this.root.classList.toggle("framed", Boolean(framed));
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", title);
    this.head = el("header", { class: "top" });
    this.banners = el("div", { class: "banners", role: "alert" });
    this.body = el("div", { class: "body" });
    this.bar = el("footer", { class: "bar" });
    this.live = el("p", { class: "unseen", "aria-live": "polite" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.root.replaceChildren(this.head, this.banners, this.body, this.bar, this.live, this.tip);
  }

  listen() {
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.root.addEventListener("keydown", (event) => this.pressed(event), { signal });
    this.root.addEventListener("pointerover", (event) => this.explain(event.target), { signal });
    this.root.addEventListener("click", (event) => (this.explain(event.target), this.whole()), { signal });
    this.root.addEventListener("scroll", () => this.explain(null), { signal });
    document.addEventListener("visibilitychange", () => this.clock(this.timed), { signal });
  }

  destroy() {
    this.ending.abort();
    clearTimeout(this.timer);
    this.root.replaceChildren();
  }

  // derivation of the number under the pointer
  explain(target) {
    const claim = target?.closest?.(".claim");
    this.tip.hidden = !claim;
    if (!claim) return;
    this.tip.textContent = claim.dataset.why;
    const [box, frame] = [claim.getBoundingClientRect(), this.root.getBoundingClientRect()];
    const room = this.root.clientWidth - this.tip.offsetWidth - 8;
    const left = Math.max(8, Math.min(box.left - frame.left, room));
    const above = box.top - frame.top - this.tip.offsetHeight - 6;
    const top = above > this.head.offsetHeight ? above : box.bottom - frame.top + 6;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${top + this.root.scrollTop}px`;
  }

  // ------------------------------------------------------------------ state

  begin(reviewer) {
    const { queue, items, lines, resume } = this.options;
    this.reviewer = reviewer;
    const kept = resume?.(reviewer) ?? { lines: [], unsaved: [] };
    const all = [...lines, ...kept.lines, ...kept.unsaved];
    this.lines = merged(all.filter((line) => belongs(line, reviewer, queue)), []);
    this.queue = [...kept.unsaved];
    this.returned.clear();
    this.base = order(reviewer, items);
    this.replay();
    this.show(this.next(0));
    this.flush();
  }

  // the item on the screen stays while somebody may be looking at it
  add(lines, { go = document.hidden, client } = {}) {
    const { queue } = this.options;
    if (client) this.options.client = client;
    const before = this.lines.length;
    const own = lines.filter((line) => belongs(line, this.reviewer, queue));
    this.lines = merged(this.lines, own);
    const added = this.lines.length - before;
    if (!added) return 0;
    this.replay();
    const idle = this.mode === "item" || this.mode === "done";
    if (idle && (go || !this.current)) this.show(this.next(0));
    else if (idle) this.draw(this.mode);
    else this.drawHead();
    return added;
  }

  replay() {
    this.state = replay(this.lines.filter((line) => !this.returned.has(line)));
    const { skips, standing } = this.state;
    const late = this.base.filter(({ item }) => skips.has(item));
    late.sort((a, b) => skips.get(a.item) - skips.get(b.item));
    this.sequence = [...this.base.filter(({ item }) => !skips.has(item)), ...late];
    this.decided = this.sequence.filter(({ item }) => standing.has(item)).length;
  }

  standing(item = this.current) {
    return this.state.standing.get(item.item);
  }

  // the first undecided item from a position on, and then from the beginning
  next(from) {
    const rest = [...this.sequence.slice(from), ...this.sequence.slice(0, from)];
    return rest.find((item) => !this.standing(item)) ?? null;
  }

  position(item = this.current) {
    return this.sequence.indexOf(item);
  }

  name(item) {
    return item.id || `Item ${this.position(item) + 1}`;
  }

  note(item = this.current) {
    return this.notes.get(item.item) ?? this.standing(item)?.note ?? "";
  }

  // ------------------------------------------------------------------ time

  // count the item that was in view up to now, and go on with this one
  clock(item) {
    const now = performance.now();
    if (this.timed && this.since != null) {
      const seconds = (this.spent.get(this.timed.item) ?? 0) + (now - this.since) / 1000;
      this.spent.set(this.timed.item, seconds);
    }
    this.timed = item;
    this.since = document.hidden ? null : now;
  }

  seconds(item) {
    this.clock(this.timed);
    const seconds = this.spent.get(item.item) ?? 0;
    this.spent.delete(item.item);
    return Math.round(seconds * 10) / 10;
  }

  taken() {
    return [...this.state.standing.values()].map((line) => line.seconds).filter(Number.isFinite);
  }

  left() {
    const taken = this.taken();
    const open = this.sequence.length - this.decided;
    if (taken.length < FEW || !open) return "";
    return `, about ${duration(median(taken) * open)} left`;
  }

  // ------------------------------------------------------------------ decisions

  line(item, said) {
    // later than any other line, so that sorting by time keeps the order
    const last = Date.parse(this.lines.at(-1)?.at) || 0;
    const at = new Date(Math.max(Date.now(), last + 1)).toISOString();
    const { queue, client } = this.options;
    const about = { at, queue, item: item.item, id: item.id, reviewer: this.reviewer };
    const nothing = { decision: "", reason: null, edit: null, rating: null, note: null };
    return { ...about, ...nothing, ...said, seconds: this.seconds(item), client };
  }

  keep(item, said) {
    const line = this.line(item, said);
    this.lines.push(line);
    this.queue.push(line);
    this.replay();
    this.flush();
  }

  decide(said) {
    const item = this.current;
    const from = this.position();
    this.keep(item, { note: this.note() || null, ...said });
    this.edits.delete(item.item);
    this.notes.delete(item.item);
    const rating = said.rating == null ? "" : ` ${said.rating}`;
    this.last = `${this.name(item)} ${SAID[said.decision]}${rating}`;
    this.show(this.next(from + 1));
  }

  // an edit that changes nothing is an approval
  edited(text) {
    const plain = (words) => words.replace(/\r\n?/g, "\n").trim();
    if (!plain(text)) this.tell("The answer is empty: reject it instead, or go on editing.");
    else if (plain(text) === plain(this.current.output)) this.decide({ decision: "approve" });
    else this.decide({ decision: "edit", edit: text.trim() });
  }

  take(view) {
    const { decision, reason, edit } = view;
    if (decision === "edit" && edit) this.edited(edit);
    else if (decision === "reject") this.decide({ decision, reason: reason ?? null });
    else this.decide({ decision: "approve" });
  }

  reject(code) {
    if (code === FREE && !this.note()) this.draw("note", { rejecting: code });
    else this.decide({ decision: "reject", reason: code });
  }

  skip() {
    const item = this.current;
    const from = this.position();
    if (this.standing()) return this.walk(1);
    if (this.sequence.length - this.decided === 1) return this.tell("This is the last open item.");
    this.keep(item, { decision: "skip" });
    this.last = `${this.name(item)} skipped, it comes again at the end`;
    this.show(this.next(from));
  }

  undo() {
    const known = new Map(this.base.map((item) => [item.item, item]));
    const line = this.state.trail.findLast(({ item }) => known.has(item));
    if (!line) return this.tell("Nothing to take back.");
    const item = known.get(line.item);
    if (line.decision === "skip") {
      this.returned.add(line); // a skip decides nothing: no line is needed to take it back
      this.replay();
    } else {
      this.keep(item, { decision: "undo" });
    }
    this.last = `${this.name(item)}: ${SAID[line.decision] ?? "skipped"} taken back`;
    this.show(item);
  }

  walk(step) {
    const to = this.current ? this.position() + step : this.sequence.length - 1;
    if (this.sequence[to]) this.show(this.sequence[to]);
    else if (to > 0 && this.decided === this.sequence.length) this.show(null);
    else this.tell(to < 0 ? "This is the first item." : "This is the last item.");
  }

  noted(text) {
    const { rejecting } = this.detail;
    const { current } = this;
    const standing = this.standing();
    this.notes.set(current.item, text);
    if (rejecting && text) return this.reject(rejecting);
    if (standing && (standing.note ?? "") !== text) {
      const { decision, reason, edit, rating } = standing;
      this.keep(current, { decision, reason, edit, rating, note: text || null });
      this.notes.delete(current.item);
    }
    this.draw("item");
  }

  // ------------------------------------------------------------------ saving

  // one after the other, so that they are stored in order; a failed one is tried again
  async flush() {
    if (this.saving) return this.drawSaved();
    while (this.queue.length) {
      const attempt = (this.saving = Symbol("attempt"));
      this.timer = setTimeout(() => this.stalled(), SLOW);
      this.drawSaved();
      const error = await this.stored(this.queue[0]);
      if (this.saving !== attempt) return; // tried again meanwhile
      clearTimeout(this.timer);
      this.saving = null;
      if (error) return this.failed(error);
      this.queue.shift();
      this.say("saving", "");
    }
    this.drawSaved();
  }

  async stored(line) {
    try {
      await this.options.save(line);
      return null;
    } catch (error) {
      return error;
    }
  }

  stalled() {
    const text = this.options.slow || "Saving takes long.";
    this.say("saving", text, "warn", () => this.retry());
  }

  failed(error) {
    const { length } = this.queue;
    const text = `${length} decision${length === 1 ? " is" : "s are"} not saved: ${error.message}`;
    this.say("saving", text, "wrong", () => this.retry());
    this.drawSaved();
  }

  retry() {
    this.saving = null;
    clearTimeout(this.timer);
    this.flush();
  }

  // ------------------------------------------------------------------ drawing

  show(item) {
    this.clock(item);
    this.current = item;
    this.draw(item ? "item" : "done");
    this.root.scrollTop = 0;
    this.whole();
    const done = `${this.decided} of ${this.sequence.length} decided.`;
    this.live.textContent = this.last ? `${this.last}. ${done}` : done;
  }

  // among other things, the one that is worked on is seen from head to keys
  whole() {
    const { framed } = this.options;
    if (framed && this.root.matches(":focus-within")) this.root.scrollIntoView({ block: "nearest" });
  }

  draw(mode, detail = {}) {
    const inside = this.root.contains(document.activeElement);
    const pushed = inside && document.activeElement.dataset.act;
    [this.mode, this.detail] = [mode, detail];
    this.tip.hidden = true;
    this.drawHead();
    this.body.replaceChildren(...this.inside(mode).filter(Boolean));
    this.bar.replaceChildren(...this.keys(mode).filter(Boolean));
    this.bar.hidden = !this.bar.firstChild;
    // a notebook's cursor is not taken away
    if (!inside && (mode !== "name" || this.options.framed)) return;
    const field = this.root.querySelector("[data-first]");
    const same = pushed && this.root.querySelector(`[data-act="${CSS.escape(pushed)}"]`);
    (field ?? (same || this.root)).focus({ preventScroll: mode === "item" });
  }

  inside(mode) {
    const { items, queue, kept, tools } = this.options;
    if (mode === "name") return [startCard(items.length, queue, this.reviewer ?? "", (n) => this.named(n))];
    if (!this.sequence.length) return [emptyCard()];
    if (mode === "help") {
      return [helpCard(this.actions("item").flat(), queue, kept, () => this.toggleHelp())];
    }
    if (mode === "done") {
      return [doneCard(this.sequence.length, this.counted(), this.taken(), kept, tools[0])];
    }
    return this.item(mode);
  }

  named(name) {
    this.options.remember?.(name);
    this.begin(name);
    this.root.focus();
  }

  toggleHelp() {
    if (this.mode === "help") this.show(this.current);
    else if (this.mode === "item" || this.mode === "done") {
      this.clock(null);
      this.draw("help");
    }
  }

  // --- head

  drawHead() {
    const heading = el("h2", {}, this.options.title);
    if (this.mode === "name") return this.head.replaceChildren(el("div", { class: "row" }, heading));
    const { length } = this.sequence;
    const fill = el("span", { class: "fill" });
    fill.style.width = `${length ? (100 * this.decided) / length : 0}%`;
    const range = { "aria-valuemin": 0, "aria-valuemax": length, "aria-valuenow": this.decided };
    const track = el("div", { class: "track", role: "progressbar", "aria-label": "Decided", ...range }, fill);
    const done = el("span", {}, el("b", {}, `${this.decided} of ${length}`), ` decided${this.left()}`);
    this.saved = el("span", { class: "saved" });
    this.head.replaceChildren(
      el("div", { class: "row" }, heading, this.who(), this.tools()),
      track,
      el("div", { class: "row counts" }, done, this.tally(), this.saved),
    );
    this.drawSaved();
  }

  who() {
    const options = { kind: "link", title: "Somebody else reviews" };
    const change = this.options.remember && button("change", () => this.draw("name"), options);
    return el("span", { class: "who" }, this.reviewer, change);
  }

  tools() {
    const own = this.options.tools.map(({ label, title, act }) =>
      button(label, act, { title, kind: "quiet", name: label }),
    );
    const help = button("Keys", () => this.toggleHelp(), { key: "?", kind: "quiet", name: "help" });
    return el("span", { class: "tools" }, own, help);
  }

  // [[sign, count, words], ...]
  counted() {
    const { queue, rubric } = this.options;
    const said = this.sequence.map((item) => this.standing(item));
    const count = (key, value) => said.filter((line) => line && line[key] === value).length;
    const open = this.sequence.filter((item, i) => !said[i] && this.state.skips.has(item.item)).length;
    const skipped = [SIGNS.skip, open, "skipped"];
    if (queue === "ratings") {
      return [...rubric.map(({ rating }) => ["", count("rating", rating), `rated ${rating}`]), skipped];
    }
    const kinds = ["approve", "edit", "reject"];
    return [...kinds.map((kind) => [SIGNS[kind], count("decision", kind), SAID[kind]]), skipped];
  }

  tally() {
    const each = this.counted().map(([sign, count, words]) => {
      const shown = count || (sign && words !== "skipped");
      return shown && el("span", {}, sign && el("i", { "aria-hidden": "true" }, sign), ` ${count} ${words}`);
    });
    return el("span", { class: "tally" }, each);
  }

  drawSaved() {
    if (!this.saved) return;
    const waiting = this.queue.length > 0;
    const failed = waiting && !this.saving;
    const kept = this.lines.length ? "✓ Saved" : "";
    this.saved.textContent = failed ? "✗ Not saved" : waiting ? "Saving…" : kept;
    this.saved.classList.toggle("wrong", failed);
  }

  say(id, text, kind = "", again = null) {
    if (text) this.notices.set(id, { text, kind, again });
    else if (!this.notices.delete(id)) return;
    const shown = [...this.notices].map(([name, notice]) => {
      const close = () => this.say(name, "");
      const [label, act] = notice.again ? ["Try again", notice.again] : ["Close", close];
      const way = button(label, act, { kind: "link" });
      return el("p", { class: `banner ${notice.kind}` }, el("span", {}, notice.text), way);
    });
    this.banners.replaceChildren(...shown);
  }

  // a word on what was just done
  tell(text) {
    this.live.textContent = text;
    const last = this.bar.querySelector(".last");
    if (last) last.textContent = text;
  }

  // --- body

  item(mode) {
    const { current } = this;
    const standing = this.standing();
    const where = `Item ${this.position() + 1} of ${this.sequence.length}`;
    const about = [where, current.id, ...(current.about ?? [])].filter(Boolean);
    return [
      !this.decided && el("p", { class: "intro" }, INTRO[this.options.queue]),
      el(
        "div",
        { class: "item" },
        el("h3", { dir: "auto" }, current.title || current.id || "Item"),
        el("ul", { class: "about" }, about.map((text) => el("li", { dir: "auto" }, text))),
      ),
      standing && el("p", { class: "standing" }, this.words(standing)),
      el(
        "div",
        { class: "pair" },
        caseOf(current),
        mode === "edit" ? this.editor(standing) : this.answer(standing),
      ),
    ];
  }

  answer(standing) {
    const { current } = this;
    const note = this.note();
    const edit = standing?.decision === "edit" && standing.edit;
    const views = current.views?.length > 0 && viewsOf(current, (code) => this.reason(code));
    return el(
      "article",
      { class: "answer", "aria-label": "Answer" },
      el("h3", {}, "Answer"),
      answerOf(current),
      edit && el("section", { class: "yours" }, el("h3", {}, "Your edit"), changes(current.output, edit, 80)),
      views,
      checksOf(current),
      note && el("p", { class: "note", dir: "auto" }, el("b", {}, "Your note: "), note),
    );
  }

  editor(standing) {
    const { current, edits } = this;
    const changed = (text) => (text == null ? edits.delete(current.item) : edits.set(current.item, text));
    return editor(current, standing?.edit, edits.get(current.item), changed);
  }

  reason(code) {
    return this.options.reasons.find((reason) => reason.code === code)?.text ?? code;
  }

  words(line) {
    const what = line.decision === "rate" ? `rated this ${line.rating}` : `${SAID[line.decision]} this`;
    const why = line.reason ? `: ${this.reason(line.reason)}` : "";
    return `${SIGNS[line.decision]} You ${what}${why}. Decide again to change it.`;
  }

  // ------------------------------------------------------------------ keys

  // decisions and the rest for a mode: {key, label, title, act}
  actions(mode) {
    const back = () => this.draw("item");
    if (mode === "reason") return [this.reasons(), [{ key: "Esc", label: "Back", act: back }]];
    if (mode === "edit") {
      const save = () => this.edited(this.root.querySelector("textarea").value);
      const title = "Go back; what you wrote waits until you press E again";
      const ways = [{ key: "Ctrl Enter", label: "Save the edit", act: save }];
      return [[...ways, { key: "Esc", label: "Cancel", title, act: back }], []];
    }
    const note = () => this.draw("note");
    const side = [
      ["S", "Skip", "Skip: it comes again after the others", () => this.skip()],
      ["U", "Undo", "Undo the last decision and return to it (also Ctrl Z)", () => this.undo()],
      ["N", "Note", "Note: a line on this item, kept with your decision", note],
      ["←", "Back", "Go back to look again", () => this.walk(-1)],
      ["→", "On", "Go on without deciding", () => this.walk(1)],
    ].map(([key, label, title, act]) => ({ key, label, title, act }));
    if (mode === "done") return [[], side.filter(({ key }) => key === "U" || key === "←")];
    if (mode === "note") return [[], [{ key: "Esc", label: "Cancel", act: () => this.escape() }]];
    return [this.decisions(), side];
  }

  decisions() {
    const { queue, rubric, reasons } = this.options;
    if (queue === "ratings") {
      const rate = (rating) => () => this.decide({ decision: "rate", rating });
      return rubric.map(({ rating, text }) => ({ key: String(rating), label: text, act: rate(rating) }));
    }
    const approve = () => this.decide({ decision: "approve" });
    const edit = () => this.draw("edit");
    const reject = () => (reasons.length ? this.draw("reason") : this.reject(null));
    const own = [
      { key: "A", label: "Approve", title: "Approve the answer as it is", act: approve },
      { key: "E", label: "Edit", title: "Edit the answer, with its changes in view", act: edit },
      { key: "R", label: "Reject", title: "Reject the answer, with a reason", act: reject },
    ];
    const views = (this.current?.views ?? []).slice(0, 2).map((view, i) => {
      const label = i ? "As the second" : "As the first";
      return { key: String(i + 1), label, title: `${label} reviewer decided`, act: () => this.take(view) };
    });
    return [own[0], ...views, ...own.slice(1)];
  }

  reasons() {
    return this.options.reasons
      .slice(0, LETTERS.length)
      .map(({ code, text }, i) => ({ key: LETTERS[i], label: text, act: () => this.reject(code) }));
  }

  keys(mode) {
    if (mode === "name" || mode === "help" || !this.sequence.length) return [];
    const groups = this.actions(mode).map((group) =>
      group.map(({ key, label, title, act }) => button(label, act, { key, title, name: key })),
    );
    const kind = mode === "reason" ? "reasons" : this.options.queue === "ratings" ? "ratings" : "choices";
    const ask = this.detail.rejecting ? "What is it?" : "Note on this item";
    const last = mode === "item" || mode === "done" ? this.last : "";
    return [
      el("p", { class: "click" }, "Click here to use the keys"),
      mode === "reason" && el("p", { class: "ask" }, "Why? Press the key of the reason."),
      mode === "note" && noteForm(ask, this.note(), (text) => this.noted(text)),
      groups[0].length > 0 && el("div", { class: `keys ${kind}` }, groups[0]),
      el("div", { class: "keys side" }, groups[1], el("span", { class: "last" }, last)),
    ];
  }

  pressed(event) {
    if (event.isComposing) return;
    if (this.acted(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (!((event.ctrlKey || event.metaKey) && event.key === "s")) {
      event.stopPropagation(); // a notebook around it has keys of its own: only saving it passes
    }
  }

  // whether the key meant something here
  acted(event) {
    const key = keyOf(event);
    const control = event.ctrlKey || event.metaKey;
    if (key === "escape") return this.escape();
    if (event.target.matches("input, textarea")) {
      const save = this.mode === "edit" && control && key === "enter" && !event.repeat;
      if (save) this.edited(event.target.value);
      return save;
    }
    if (event.altKey || (control && key !== "z") || this.mode === "name") return false;
    // held down, a key walks, but decides only once
    if (event.repeat && !key.startsWith("arrow")) return true;
    if (key === "?") this.toggleHelp();
    else if (control && ["item", "done"].includes(this.mode)) this.undo();
    else if (!control) return this.chosen(key);
    return true;
  }

  chosen(key) {
    if (!["item", "done", "reason"].includes(this.mode) || !this.sequence.length) return false;
    const actions = this.actions(this.mode).flat();
    const found = actions.find((action) => (ARROWS[action.key] ?? action.key.toLowerCase()) === key);
    found?.act();
    return Boolean(found);
  }

  escape() {
    if (this.mode === "help") this.toggleHelp();
    else if (this.mode === "note" && this.detail.rejecting) this.draw("reason");
    else if (["reason", "edit", "note"].includes(this.mode)) this.draw("item");
    else if (this.mode === "name" && this.reviewer) this.show(this.current);
    else return false;
    return true;
  }
}

// the letter on the key where the layout has Latin letters, else the key's place
function keyOf(event) {
  const { key, code } = event;
  if (key.length > 1 || /^[a-z0-9?]$/i.test(key)) return key.toLowerCase();
  return code.replace(/^(?:Key|Digit|Numpad)/, "").toLowerCase();
}
