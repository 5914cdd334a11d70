// All that a page loads before the first Run: buttons at its cells, answers kept in this browser, what is solved.

import { Cell, explain, shown } from "./cell.js";
import { home } from "./home.js";
import { make } from "./output.js";
import { Session } from "./session.js";
import { save, Store } from "./store.js";

const script = document.querySelector("script[data-live-page]");
const folder = new URL(".", script.src);
const about = JSON.parse(script.dataset.livePage);

class Page {
  constructor() {
    this.name = about.name;
    this.site = new URL(about.root, location.href).href;
    this.store = new Store(this.site);
    const live = new URL("..", folder).href;
    const at = (name) => new URL(name, folder).href;
    this.config = {
      ...RUNTIME, // put in by the build: the runtime's folder and sizes
      page: folder.href,
      scope: live,
      keeper: live + "service-worker.js",
      runtime: `${live}${RUNTIME.folder}/`,
      worker: at("worker.js"),
      code: at("code.zip"),
      editor: at("editor.js"),
    };
  }

  start() {
    this.makeBar();
    this.cells = [];
    for (const [index, element] of document.querySelectorAll(".cell[data-live]").entries()) {
      if (element.dataset.live === "run") this.cells.push(new Cell(element, index + 1, this));
      else explain(element);
    }
    this.all = [...document.querySelectorAll(".cell[data-live]")].map(
      (element) => this.cells.find((cell) => cell.element === element) || shown(element),
    );
    this.session = new Session(this.config, this);
    this.makeProgress();
    this.count();
  }

  cell(id) {
    return this.cells.find((cell) => cell.id === id);
  }

  // --- what the reader asks for

  run(cell) {
    if (this.session.busy) return this.announce("Another cell is running. Stop it, or wait for it.");
    this.session.run(
      this.all.map(({ id, source, runs }) => [id, source, runs]),
      cell.id,
    );
  }

  stop() {
    const ran = [...this.session.ran];
    const stopped = this.session.end();
    this.rest();
    if (stopped) {
      this.output(stopped.target, { kind: "note", text: "Stopped." });
      this.cell(stopped.target).runButton.focus({ preventScroll: true }); // the button Stop is gone
    }
    const again = ran.filter((id) => id !== stopped?.target);
    const lost = ran.length ? " What the cells had computed is gone with it." : "";
    this.say(`Stopped. Python was ended, and starts anew at the next Run.${lost}`);
    if (again.length) this.offer("Run the cells again that had run", () => this.runAll(again));
  }

  // Run several cells, one after the other, until one stops.
  async runAll(ids) {
    for (const id of ids) {
      if (this.session.busy) return;
      const ended = new Promise((resolve) => (this.whenFinished = resolve));
      this.run(this.cell(id));
      if (!(await ended)) return;
    }
  }

  // --- what Python does (called by the session)

  busy(id) {
    this.target = id;
    for (const cell of this.cells) cell.runButton.setAttribute("aria-disabled", "true");
    this.progress("Loading Python", 0, 1);
    this.stopButton.hidden = false;
    this.announce(`Running cell ${this.cell(id).number}`);
    this.bar.dataset.state = "busy";
    this.cell(id).setBusy(true);
  }

  progress(text, loaded, expected) {
    this.tell(text);
    this.meter.hidden = loaded === null;
    if (loaded !== null) Object.assign(this.meter, { max: expected, value: loaded });
  }

  running(id, step, steps) {
    const above = steps > 1 && id !== this.target ? `, ${step} of ${steps}: above, and needed` : "";
    const cell = this.cell(id);
    this.progress(cell ? `Running cell ${cell.number}${above}` : "Importing what cells need", null, null);
    cell?.clear();
  }

  output(id, output) {
    const cell = this.cell(id);
    if (!cell) return;
    if (!cell.output) cell.clear();
    cell.add(output);
  }

  ended(id) {
    const cell = this.cell(id);
    if (!cell) return;
    if (!cell.outputs.length) cell.output?.remove();
    cell.mark();
  }

  finished(id, ok, stopped) {
    const cell = this.cell(id);
    this.rest();
    if (stopped && stopped !== id) {
      const other = this.cell(stopped);
      this.say(`Cell ${cell.number} needs cell ${other?.number ?? stopped}, which stopped with an error.`);
      this.offer("Show that cell", () => other?.element.scrollIntoView({ block: "center" }));
    } else {
      const words = cell.words();
      this.announce(`Cell ${cell.number} ${ok ? "has run" : "stopped"}${words ? `: ${words}` : "."}`);
    }
    this.whenFinished?.(ok);
    this.whenFinished = null;
  }

  failed(text, again) {
    this.rest();
    this.say(`Python could not be loaded, or broke off (${text}). Check the network.`);
    if (again) this.offer("Retry", () => this.session.run(again.cells, again.target));
    this.whenFinished?.(false);
    this.whenFinished = null;
  }

  rest() {
    for (const cell of this.cells) {
      cell.runButton.removeAttribute("aria-disabled");
      cell.setBusy(false);
    }
    this.bar.hidden = this.stopButton.hidden = this.meter.hidden = true;
    this.bar.dataset.state = "rest";
  }

  // --- the bar at the lower edge: what goes on, with Stop or an offer

  makeBar() {
    this.line = make("span", { className: "live-line" });
    this.meter = make("progress", { hidden: true, ariaLabel: "Loading" });
    this.stopButton = make("button", { type: "button", textContent: "Stop", hidden: true, onclick: () => this.stop() });
    this.offers = make("span", {});
    this.closeButton = make("button", { type: "button", textContent: "Close", onclick: () => (this.bar.hidden = true) });
    this.bar = make("section", { className: "live-bar", hidden: true, ariaLabel: "Python in this page" });
    this.bar.append(this.line, this.meter, this.stopButton, this.offers, this.closeButton);
    this.spoken = make("div", { className: "live-spoken", role: "status" });
    this.spoken.setAttribute("role", "status");
    document.querySelector("article, main").append(this.bar, this.spoken);
  }

  tell(text) {
    this.line.textContent = text;
    this.offers.replaceChildren();
    this.bar.hidden = false;
    this.closeButton.hidden = true;
  }

  // For those who hear the page.
  announce(text) {
    this.spoken.textContent = text;
  }

  // Say something that stays until it is closed.
  say(text) {
    this.announce(text);
    this.tell(text);
    this.meter.hidden = this.stopButton.hidden = true;
    this.closeButton.hidden = false;
  }

  offer(text, act) {
    this.offers.append(make("button", { type: "button", textContent: text, onclick: act }));
  }

  // --- what is solved, beside the exercises

  makeProgress() {
    const first = this.cells.find((cell) => cell.check);
    const heading = first?.element.closest("section:not([id^=exercise-content])")?.querySelector("h2, h3");
    if (!heading) return;
    this.solvedLine = make("strong", {});
    const button = (text, act) => make("button", { type: "button", textContent: text, onclick: act });
    this.panel = make("div", { className: "live-progress" });
    this.panel.append(
      make("p", {}, this.solvedLine, ". Your answers are kept in this browser. Nothing is sent anywhere."),
      button("Download my notebook", () => this.download()),
      button("Forget my answers on this page", () => this.forget()),
    );
    heading.after(this.panel);
  }

  count() {
    if (!this.panel) return;
    const checks = this.cells.filter((cell) => cell.check);
    const solved = checks.filter((cell) => this.store.cell(this.name, cell.id).solved).length;
    this.solvedLine.textContent = `${solved} of ${checks.length} exercises solved`;
  }

  // The chapter's notebook with the reader's text in its cells; what a changed cell had shown is left out.
  async download() {
    try {
      const response = await fetch(new URL(about.notebook, this.site));
      if (!response.ok) throw new Error(response.status);
      const notebook = await response.json();
      for (const cell of notebook.cells) {
        const { source } = this.store.cell(this.name, cell.id);
        if (source !== undefined) Object.assign(cell, { source, outputs: [], execution_count: null });
      }
      save(`${this.name.split("/").at(-1)}-with-my-answers.ipynb`, JSON.stringify(notebook, null, 1), "application/json");
      this.announce("Your notebook was saved.");
    } catch {
      this.say("The notebook could not be fetched. Check the network and try again.");
    }
  }

  forget() {
    if (!confirm("Forget all that you have written on this page?")) return;
    for (const cell of this.cells) if (cell.edited || cell.output) cell.reset();
    this.store.forget(this.name);
    for (const cell of this.cells) cell.mark();
    this.count();
  }
}

const page = new Page();
if (about.chapters) home(page, about.chapters);
else page.start();
