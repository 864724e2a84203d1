// The widget: data from the kernel, decisions to the kernel, kept here until it has them.

import { mount } from "./review.js";
import { identity } from "./review_state.js";
import { NAME, Store, clientOf, recall, remember } from "./review_store.js";

function render({ model, el: place }) {
  const data = model.get("data");
  const store = new Store(data.run, data.queue, data.hash);
  const waiting = new Map();
  const root = document.createElement("div");
  place.append(root);

  function receive({ line, error }) {
    if (!line) return;
    const answer = waiting.get(identity(line));
    waiting.delete(identity(line));
    if (error) return answer?.reject(new Error(error));
    store.drop(line);
    // known to views that are drawn later, and to the others of now
    model.get("lines").push(line);
    app.add([line]);
    answer?.resolve();
  }

  function save(line) {
    try {
      store.write(line);
    } catch {
      // the kernel is where it belongs; this copy is for the time it does not answer
    }
    return new Promise((resolve, reject) => {
      waiting.set(identity(line), { resolve, reject });
      model.send({ line });
    });
  }

  model.on("msg:custom", receive);
  const app = mount(root, {
    ...data,
    client: clientOf(store),
    reviewer: data.reviewer || recall(NAME),
    framed: true,
    lines: model.get("lines"),
    resume: (reviewer) => ({ lines: [], unsaved: store.read(reviewer) }),
    save,
    remember: data.reviewer ? undefined : (name) => remember(NAME, name),
    kept:
      "Every decision is written to the run's decisions file at once; running the cell again goes " +
      "on from there.",
    slow:
      "The kernel has not answered yet. If it is busy, it will; if it was restarted, run the cell " +
      "again: your decisions are kept until then.",
  });
  return () => {
    model.off("msg:custom", receive);
    app.destroy();
  };
}

export default { render };
