// What the reader has written and solved: kept in this browser, and nowhere else.
//
// One entry a page, {cells: {id: {source, from, solved}}}: the reader's text where it differs from the book's, the
// book's text that they began with, and whether the last check said "Right".

export const KIND = "regularization-book-answers";

export class Store {
  constructor(site) {
    this.prefix = `book ${new URL(site).pathname} `;
    this.fallback = {};
    this.works = true;
  }

  // Storage may be switched off or full: then answers last as long as the page is open, and the page says so.
  read(page) {
    try {
      return JSON.parse(localStorage.getItem(this.prefix + page)) || { cells: {} };
    } catch {
      return this.fallback[page] || { cells: {} };
    }
  }

  write(page, entry) {
    this.fallback[page] = entry;
    try {
      if (Object.keys(entry.cells).length) localStorage.setItem(this.prefix + page, JSON.stringify(entry));
      else localStorage.removeItem(this.prefix + page);
      this.works = true;
    } catch {
      this.works = false;
    }
  }

  cell(page, id) {
    return this.read(page).cells[id] || {};
  }

  put(page, id, facts) {
    const entry = this.read(page);
    const cell = { ...entry.cells[id], ...facts };
    if (cell.source === undefined && !cell.solved) delete entry.cells[id];
    else entry.cells[id] = cell;
    this.write(page, entry);
  }

  forget(page) {
    this.write(page, { cells: {} });
  }

  pages() {
    try {
      const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
      return keys.map((key) => key.slice(this.prefix.length)).sort();
    } catch {
      return Object.keys(this.fallback);
    }
  }

  solved(page) {
    return Object.values(this.read(page).cells).filter((cell) => cell.solved).length;
  }

  exported() {
    const pages = Object.fromEntries(this.pages().map((page) => [page, this.read(page)]));
    return JSON.stringify({ kind: KIND, version: 1, pages }, null, 1);
  }

  // Take what a file holds, in place of what is here for the same pages; return how many pages it holds.
  imported(text) {
    const { kind, version, pages } = JSON.parse(text);
    if (kind !== KIND || version !== 1) throw new Error("this is not a file of answers from this book");
    for (const [page, entry] of Object.entries(pages)) {
      const cells = {};
      for (const [id, { source, from, solved }] of Object.entries(entry.cells)) {
        cells[id] = { solved: solved === true };
        if (typeof source === "string") Object.assign(cells[id], { source, from: String(from) });
      }
      this.write(page, { cells });
    }
    return Object.keys(pages).length;
  }
}

// Offer a text as a file to save.
export function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
