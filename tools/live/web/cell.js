// One code cell of the page: its buttons, its editor once it is wanted, and what it shows.

import { add, inWords, make } from "./output.js";

let loadingEditor = null; // the editor's module, asked for once

function editorModule(address) {
  loadingEditor ??= import(address).catch((error) => {
    loadingEditor = null;
    throw error;
  });
  return loadingEditor;
}

export class Cell {
  // `page` has run(cell), stopped(), say(text), store, name and config.
  constructor(element, number, page) {
    Object.assign(this, { element, number, page });
    this.id = element.dataset.liveId;
    this.check = element.dataset.liveCheck || "";
    this.input = element.querySelector(".cell_input");
    this.original = element.querySelector(".cell_input pre").textContent.replace(/\n$/, "");
    this.shown = element.querySelector(":scope > .cell_output");
    this.runs = true;
    this.output = null;
    this.outputs = [];
    this.editor = null;
    this.makeTools();
    const kept = page.store.cell(page.name, this.id);
    this.source = kept.source ?? this.original;
    this.changed = kept.source !== undefined && kept.from !== this.original;
    if (kept.source !== undefined) this.showText();
    this.mark();
  }

  makeTools() {
    const label = this.check ? "Run and check" : "Run";
    const button = (text, name, act) => {
      const made = make("button", { type: "button", className: `live-${name}`, textContent: text, onclick: act });
      made.setAttribute("aria-label", `${text}, cell ${this.number}`);
      return made;
    };
    this.runButton = button(label, "run", () => this.page.run(this));
    this.runButton.title = "Shift+Enter in the editor";
    this.editButton = button("Edit", "edit", () => this.edit());
    this.resetButton = button("Reset", "reset", () => this.reset());
    this.resetButton.title = "Give back the cell as it is in the book";
    this.note = make("span", { className: "live-note" });
    const tools = make("div", { className: "live-tools" });
    tools.append(this.runButton, this.editButton, this.resetButton, this.note);
    this.input.after(tools);
    this.input.addEventListener("click", (event) => {
      if (this.editor || event.target.closest("button") || String(getSelection())) return;
      this.edit();
    });
  }

  get edited() {
    return this.source !== this.original;
  }

  // The reader's text in place of the book's, before there is an editor.
  showText() {
    this.text ??= make("pre", { className: "live-source" });
    this.text.textContent = this.source;
    this.input.after(this.text);
    this.input.hidden = true;
    this.text.onclick = () => this.edit();
  }

  async edit() {
    if (this.editor) return this.editor.focus();
    this.note.textContent = "Loading the editor";
    try {
      const { create } = await editorModule(this.page.config.editor);
      if (this.editor) return;
      this.box = make("div", { className: "live-editor" });
      this.input.after(this.box);
      this.input.hidden = true;
      this.text?.remove();
      this.editor = create(this.box, this.source, `Code of cell ${this.number}. Escape leaves the editor.`, {
        change: (text) => this.write(text),
        run: () => this.page.run(this),
        leave: () => this.runButton.focus(),
      });
      this.editButton.hidden = true;
      this.editor.focus();
      this.mark();
    } catch {
      this.note.textContent = "The editor could not be loaded. Check the network and press Edit again.";
    }
  }

  write(text) {
    this.source = text;
    this.changed = false;
    const kept = this.edited ? { source: text, from: this.original } : { source: undefined, from: undefined };
    this.page.store.put(this.page.name, this.id, kept);
    this.mark();
  }

  // The cell as it is in the book, with what the book shows below it.
  reset() {
    this.source = this.original;
    this.changed = false;
    this.editor?.remove();
    this.box?.remove();
    this.text?.remove();
    this.editor = this.box = null;
    this.input.hidden = this.editButton.hidden = false;
    this.output?.remove();
    this.output = null;
    if (this.shown) this.shown.hidden = false;
    this.page.store.put(this.page.name, this.id, { source: undefined, from: undefined, solved: false });
    this.mark();
    this.page.count();
    this.runButton.focus();
  }

  clear() {
    this.output?.remove();
    this.outputs = [];
    this.output = make("div", { className: "cell_output live-output" });
    if (this.shown) this.shown.hidden = true;
    this.element.append(this.output);
  }

  add(output) {
    this.outputs.push(output);
    const drawn = this.shown?.querySelector("img");
    add(this.output, output, drawn ? drawn.alt : `Figure that cell ${this.number} drew`);
    if (output.kind === "check") {
      const solved = JSON.parse(output.text).status === "Right";
      this.page.store.put(this.page.name, this.id, { solved });
      this.page.count();
      this.mark();
    }
  }

  words() {
    return inWords(this.outputs);
  }

  setBusy(busy) {
    this.element.classList.toggle("live-busy", busy);
  }

  // Say in the line of buttons what state the cell is in.
  mark() {
    const kept = this.page.store.cell(this.page.name, this.id);
    const notes = [];
    if (kept.solved) notes.push("✓ solved");
    if (this.changed) notes.push("the book's cell has changed since you wrote this; Reset shows it");
    else if (this.edited) notes.push("changed by you");
    if (this.editor) notes.push("Shift+Enter runs, Escape leaves the editor");
    if (!this.page.store.works) notes.push("this browser keeps nothing: answers are lost with the page");
    this.note.textContent = notes.join(" · ");
    this.element.classList.toggle("live-solved", Boolean(kept.solved));
    this.resetButton.hidden = !(this.edited || this.output || kept.solved);
  }
}

// What Python gets of a cell that does not run here: others may need what it imports.
export function shown(element) {
  const source = element.querySelector(".cell_input pre").textContent;
  return { id: element.dataset.liveId, source, runs: false };
}

// A cell that is shown only says why.
export function explain(element) {
  const note = make("div", { className: "live-tools" });
  note.append(make("span", { className: "live-note", textContent: `Shown, not run here: ${element.dataset.liveWhy}.` }));
  element.querySelector(".cell_input").after(note);
}
