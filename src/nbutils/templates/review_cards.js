// What stands around an item: start, help, end, the reviewers' views, the editor.

import { changes, el } from "./review_parts.js";
import { duration, median } from "./review_state.js";

export const SAID = { approve: "approved", edit: "edited", reject: "rejected", rate: "rated" };
export const SIGNS = { approve: "✓", edit: "✎", reject: "✗", rate: "★", skip: "↷" };
export const INTRO = {
  candidates:
    "Is the answer right, and would it help somebody who has to act on this case? Approve it as " +
    "it is, mend what is small, reject what is wrong. Numbers are checked by program: ✓ follows " +
    "from the case, ✗ does not, ? could not be checked.",
  ratings: "How useful is the answer to somebody who has to act on this case? One key, 0 to 5.",
  adjudication:
    "Two reviewers who did not know of one another disagree on this answer. Decide which holds: " +
    "the answer as it is, one of their views, an edit of your own, or a rejection.",
};

export function button(label, act, { key, title, name, kind } = {}) {
  const shortcut = /^[A-Z0-9?]$/.test(key) ? key : null;
  const options = { type: "button", class: kind, title, "data-act": name, "aria-keyshortcuts": shortcut };
  const click = (event) => {
    act();
    // after a click with the mouse the keys belong to the review, not to the button
    if (event.detail) document.activeElement.closest("button")?.closest(".nbreview")?.focus();
  };
  return el("button", { ...options, on: { click } }, key && el("kbd", {}, key), el("span", {}, label));
}

function table(rows) {
  const body = rows.map(([head, cell]) => el("tr", {}, el("th", { scope: "row" }, head), el("td", {}, cell)));
  return el("table", {}, el("tbody", {}, body));
}

export function startCard(count, queue, name, start) {
  const field = el("input", {
    "data-first": true,
    name: "reviewer",
    autocomplete: "name",
    maxlength: 60,
    required: true,
    value: name,
  });
  const submit = (event) => {
    event.preventDefault();
    const given = field.value.normalize("NFC").trim();
    if (given) start(given);
  };
  const why =
    "It stands beside each of your decisions and sets the order in which you see the items: use " +
    "the same one every time.";
  return el(
    "form",
    { class: "card", on: { submit } },
    el("h3", {}, `${count} item${count === 1 ? "" : "s"} to review`),
    el("p", {}, INTRO[queue]),
    el("label", {}, "Your name", field),
    el("p", { class: "soft" }, why),
    el("button", { class: "main" }, "Start"),
  );
}

export function emptyCard() {
  const text = "This queue has no items: you can close it.";
  return el("div", { class: "card" }, el("h3", {}, "Nothing to review"), el("p", {}, text));
}

// counts: [[sign, count, words], ...]; tool: what to do now, if anything is left to do
export function doneCard(total, counts, seconds, kept, tool) {
  const shown = counts.filter(([, count, words]) => count || words !== "skipped");
  const sum = seconds.reduce((all, value) => all + value, 0);
  const typical = Math.round(median(seconds));
  const time = `${duration(sum)} in all, ${typical} s for a typical item.`;
  return el(
    "div",
    { class: "card" },
    el("h3", {}, total === 1 ? "The one item is decided" : `All ${total} decided`),
    table(shown.map(([sign, count, words]) => [`${sign} ${words}`, String(count)])),
    seconds.length > 0 && el("p", { class: "soft" }, time),
    el("p", {}, kept),
    tool && button(tool.label, tool.act, { kind: "main", name: "finish", title: tool.title }),
  );
}

export function helpCard(actions, queue, kept, back) {
  const keys = actions.map(({ key, label, title }) => [key, title ?? label]);
  if (queue !== "ratings") keys.push(["Ctrl Enter", "Save an edit"]);
  keys.push(["Esc", "Leave an edit, a note, the reasons or this list"]);
  return el(
    "div",
    { class: "card help" },
    el("h3", {}, "Keys"),
    table(keys.map(([key, words]) => [el("kbd", {}, key), words])),
    el("p", {}, INTRO[queue]),
    el("p", { class: "soft" }, `A later decision on the same item replaces the earlier one. ${kept}`),
    button("Back", back, { key: "Esc", kind: "main" }),
  );
}

// --- beside the answer

// reason: code to text
export function viewsOf(item, reason) {
  const each = item.views.map((view, i) => {
    const why = view.decision === "reject" && view.reason ? `: ${reason(view.reason)}` : "";
    const said = `${SIGNS[view.decision] ?? ""} ${SAID[view.decision] ?? view.decision}${why}`;
    return el(
      "section",
      { class: "view" },
      el("h4", {}, el("kbd", {}, String(i + 1)), i ? "Second reviewer" : "First reviewer"),
      el("p", { class: "said" }, said),
      view.note && el("p", { class: "soft", dir: "auto" }, view.note),
      view.decision === "edit" && changes(item.output, view.edit ?? "", 80),
    );
  });
  return el("div", { class: "views" }, each);
}

// draft: what was left unfinished; changed(text or null) keeps it
export function editor(item, standing, draft, changed) {
  const start = draft ?? standing ?? item.output;
  const field = el("textarea", { "data-first": true, dir: "auto", "aria-label": "Your version" });
  const diff = el("div");
  field.value = start;
  field.setSelectionRange(0, 0);
  const drawn = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
    const same = field.value.trim() === item.output.trim();
    const nothing = "Nothing changed yet: saved like this, it is an approval.";
    diff.replaceChildren(same ? el("p", { class: "soft" }, nothing) : changes(item.output, field.value));
  };
  const restart = () => {
    field.value = item.output;
    changed(null);
    drawn();
    field.focus();
  };
  field.addEventListener("input", () => {
    changed(field.value);
    drawn();
  });
  queueMicrotask(drawn); // its height is known once it stands in the page
  return el(
    "article",
    { class: "answer editing", "aria-label": "Edit" },
    el(
      "div",
      {},
      el(
        "h3",
        {},
        draft == null ? "Your version" : "Your version, as you left it",
        start !== item.output && button("Start from the original", restart, { kind: "link" }),
      ),
      field,
    ),
    el("div", { class: "live" }, el("h3", {}, "Changes"), diff),
  );
}

export function noteForm(ask, text, keep) {
  const field = el("input", { "data-first": true, dir: "auto", maxlength: 1000, value: text });
  field.setSelectionRange(text.length, text.length);
  const submit = (event) => {
    event.preventDefault();
    keep(field.value.trim());
  };
  const done = el("button", {}, el("kbd", {}, "Enter"), "Keep");
  return el("form", { class: "noting", on: { submit } }, el("label", {}, ask, field), done);
}
