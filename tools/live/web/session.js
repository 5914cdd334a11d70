// Python as the page sees it: a worker that is made at the first Run, may be ended at any time, and is made anew.

const MB = 1e6;

export class Session {
  // `config` is what the build knows (addresses, sizes); `show` takes what happens: see `heard` below.
  constructor(config, show) {
    this.config = config;
    this.show = show;
    this.worker = null;
    this.waiting = null; // the run that was asked for and has not ended
    this.ran = []; // cells that ran to their end since Python started, in order
  }

  get busy() {
    return this.waiting !== null;
  }

  // Run one cell, and first what it needs of those above: `cells` are [id, source, runs] of all, in order.
  async run(cells, target) {
    if (this.busy) return;
    this.waiting = { cells, target };
    this.show.busy(target);
    if (!this.worker) await this.start();
    if (this.worker) this.worker.postMessage({ kind: "run", ...this.waiting });
  }

  async start() {
    await keepRuntime(this.config);
    if (!this.waiting) return; // stopped meanwhile
    const worker = (this.worker = new Worker(this.config.worker));
    worker.onmessage = ({ data }) => worker === this.worker && this.heard(data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.worker) this.heard({ kind: "failed", text: event.message || "its first file did not arrive" });
    };
    worker.postMessage({ kind: "start", config: this.config });
  }

  heard(data) {
    if (data.kind === "progress") {
      const { loaded, expected, what } = data;
      const bytes = `${(loaded / MB).toFixed(1)} of ${(expected / MB).toFixed(1)} MB`;
      this.show.progress(`Loading ${what}: ${bytes}`, loaded, expected);
    } else if (data.kind === "ready") {
      this.show.progress("Starting Python", null, null);
    } else if (data.kind === "running") {
      this.show.running(data.cell, data.step, data.steps);
    } else if (data.kind === "output") {
      this.show.output(data.cell, data.output);
    } else if (data.kind === "ended") {
      if (data.ok) this.ran = [...this.ran.filter((id) => id !== data.cell), data.cell];
      this.show.ended(data.cell, data.ok);
    } else if (data.kind === "finished") {
      this.waiting = null;
      this.show.finished(data.cell, data.ok, data.stopped);
    } else if (data.kind === "failed") {
      const again = this.end();
      this.show.failed(data.text, again);
    }
  }

  // End Python at once; return the run that was under way, if there was one.
  end() {
    const ended = this.waiting;
    if (this.worker) this.worker.terminate();
    this.worker = this.waiting = null;
    this.ran = [];
    return ended;
  }
}

// Let the service worker keep the runtime for a visit without network. Where there is none, everything works without.
async function keepRuntime(config) {
  if (!navigator.serviceWorker) return;
  try {
    const registration = await navigator.serviceWorker.register(config.keeper, { scope: config.scope });
    const worker = registration.installing || registration.waiting || registration.active;
    if (worker.state !== "activated") {
      await new Promise((resolve) => {
        worker.addEventListener("statechange", () => worker.state === "activated" && resolve());
        setTimeout(resolve, 3000);
      });
    }
    registration.active?.postMessage({ keep: [config.runtime, config.page] });
  } catch {
    // Private windows and pages that are not served over https have no service worker.
  }
}
