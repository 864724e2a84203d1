// Lines kept in the browser: an entry each, so that two tabs never overwrite one another's.

import { identity } from "./review_state.js";

export const NAME = "nbreview-name"; // where the name of who reviews here is remembered

export class Store {
  constructor(...names) {
    this.name = ["nbreview", ...names].map(encodeURIComponent).join(":");
  }

  prefix(reviewer) {
    return `${this.name}:${encodeURIComponent(reviewer)}:`;
  }

  key(line) {
    return `${this.prefix(line.reviewer)}${identity(line)}`;
  }

  // all reading and writing may throw: storage can be forbidden, or full
  works() {
    try {
      localStorage.setItem(this.name, "1");
      localStorage.removeItem(this.name);
      return true;
    } catch {
      return false;
    }
  }

  read(reviewer) {
    try {
      const own = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix(reviewer)));
      return own.map((key) => JSON.parse(localStorage.getItem(key)));
    } catch {
      return [];
    }
  }

  write(line) {
    localStorage.setItem(this.key(line), JSON.stringify(line));
  }

  drop(line) {
    try {
      localStorage.removeItem(this.key(line));
    } catch {
      // then nothing was kept either
    }
  }
}

// a small note to oneself, lost without harm
export function recall(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

export function remember(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    // asked again next time
  }
}

// the random name of this browser's work on a queue: the same after a reload
export function clientOf(store, given = "") {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const fresh = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const client = given || recall(`${store.name}-client`) || fresh;
  remember(`${store.name}-client`, client);
  return client;
}
