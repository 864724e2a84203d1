// The page: data from the page itself, decisions kept in the browser, files in and out.

import { mount } from "./review.js";
import { merged } from "./review_state.js";
import { NAME, Store, clientOf, recall, remember } from "./review_store.js";

const data = JSON.parse(document.getElementById("data").textContent);
const store = new Store(data.run, data.queue, data.hash);
let client = clientOf(store);
const works = store.works();
const said = {
  off:
    "This browser does not keep your decisions (a private window, or storage is blocked). They are " +
    "here only while this page is open: send them back before you close it.",
  full:
    "the browser's storage is full or blocked. Nothing is lost while this page is open: send your " +
    "decisions back before you close it.",
};

// --- what was sent back already

let sent = "";
const sentKey = () => `${store.name}-sent:${encodeURIComponent(app.reviewer())}`;
const lastOf = (lines) => lines.at(-1)?.at ?? "";

function markSent() {
  sent = lastOf(app.lines());
  remember(sentKey(), sent);
}

function toSend() {
  if (!app.reviewer()) return false;
  const before = sent > recall(sentKey()) ? sent : recall(sentKey());
  return lastOf(app.lines()) > before;
}

// --- files

function send() {
  const lines = app.lines();
  const reviewer = app.reviewer();
  const { run, queue, items } = data;
  const exported = new Date().toISOString();
  const header = { nbutils_review: 1, run, queue, items: items.length, client, reviewer, exported };
  const text = [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
  const file = `${["review", run, queue, reviewer].map(harmless).join("-")}.jsonl`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  markSent();
  app.say("file", `${file} is in your downloads: send it to whoever gave you this page.`, "good");
}

function harmless(name) {
  return name.replace(/[^\p{L}\p{N}_.-]+/gu, "-").replace(/^\.+/, "");
}

function load() {
  const field = document.createElement("input");
  field.type = "file";
  field.accept = ".jsonl";
  field.addEventListener("change", async () => {
    const [file] = field.files;
    try {
      app.say("file", loaded(file.name, await file.text()), "good");
    } catch (error) {
      app.say("file", error.message, "wrong");
    }
  });
  field.click();
}

function refuse(name, header) {
  const { run, queue } = data;
  const me = app.reviewer();
  if (header.nbutils_review !== 1) {
    throw new Error(`${name} was not made by "Send back": choose a file named review-….jsonl.`);
  }
  if (header.run !== run || header.queue !== queue) {
    const whose = `${header.queue} of run ${header.run}`;
    throw new Error(`${name} belongs to ${whose}, this page to ${queue} of run ${run}: open it there.`);
  }
  if (header.reviewer !== me) {
    const whose = header.reviewer;
    throw new Error(`${name} holds the decisions of ${whose}, and you are ${me}: ${whose} can go on with it.`);
  }
}

// take the lines of a file in; the sentence that says so
function loaded(name, text) {
  const [header = {}, ...lines] = parsed(name, text);
  refuse(name, header);
  const here = new Set(data.items.map(({ item }) => item));
  const ours = lines.filter((line) => here.has(line.item) && line.reviewer === app.reviewer());
  const known = new Set(app.lines().map((line) => JSON.stringify(line)));
  const fresh = ours.filter((line) => !known.has(JSON.stringify(line)));
  const nothingOpen = !toSend();
  // who goes on with the work of another machine is still the same person
  if (!app.lines().length && header.client) client = clientOf(store, header.client);
  const added = app.add(fresh, { go: true, client });
  keepAll(fresh);
  if (nothingOpen) markSent();
  const strange = lines.length - ours.length;
  const left = strange ? ` ${strange} on items that are not in this page were left out.` : "";
  const news = `${added} new line${added === 1 ? "" : "s"} from ${name}`;
  return `${news}, ${ours.length - added} known already.${left}`;
}

function parsed(name, text) {
  const rows = text.split("\n").filter((row) => row.trim());
  return rows.map((row, i) => {
    try {
      const line = JSON.parse(row);
      const needed = ["at", "item", "reviewer", "decision"];
      const decision = needed.every((key) => typeof line[key] === "string");
      if (i === 0 || decision) return line;
    } catch {
      // said below, with the others
    }
    const what = `${name}, line ${i + 1}, is not a decision: nothing was loaded;`;
    throw new Error(`${what} send it back again from where it was made.`);
  });
}

function keepAll(lines) {
  try {
    lines.forEach((line) => store.write(line));
  } catch {
    app.say("storage", said.off, "wrong");
  }
}

// --- the review

const root = document.getElementById("review");
const app = mount(root, {
  ...data,
  client,
  reviewer: data.reviewer || recall(NAME),
  remember: data.reviewer ? undefined : (name) => remember(NAME, name),
  resume: (reviewer) => ({ lines: merged(data.lines, store.read(reviewer)), unsaved: [] }),
  async save(line) {
    try {
      store.write(line);
    } catch {
      throw new Error(said.full);
    }
  },
  kept: works
    ? "Your decisions are kept in this browser; “Send back” makes the file to return."
    : "Your decisions are not kept: “Send back” makes the file to return.",
  tools: [
    { label: "Send back", title: "Download your decisions as a file, to return them", act: send },
    { label: "Load", title: "Go on from a file that was sent back", act: load },
  ],
});
if (!works) app.say("storage", said.off, "wrong");

const take = () => document.activeElement === document.body && root.focus();
take();
addEventListener("focus", take);

addEventListener("storage", ({ key, newValue }) => {
  const reviewer = app.reviewer();
  if (newValue && reviewer && key.startsWith(store.prefix(reviewer))) app.add([JSON.parse(newValue)]);
});
addEventListener("beforeunload", (event) => {
  if (app.unsaved() || toSend()) event.preventDefault();
});
