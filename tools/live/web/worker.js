// Runs Python for one page. It says what it does in messages: "progress", "ready", "failed", "running", "output",
// "ended". Everything comes from this site; see session.js for the other side.
"use strict";

let pyodide, runner, config;
let loaded = 0;
let expected = 0;
let what = "";
const LIBRARIES = "/usr/lib";

function say(kind, more) {
  self.postMessage({ kind, ...more });
}

function progress() {
  say("progress", { loaded, expected: Math.max(expected, loaded), what });
}

// All files come through here: bytes are counted while they arrive, and a break in the network is told at once,
// whatever becomes of it further on (Pyodide only writes a line where a package is missing).
const fetchIt = self.fetch.bind(self);
self.fetch = async (...request) => {
  try {
    const response = await fetchIt(...request);
    if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
    const { status, statusText, headers } = response;
    return new Response(counted(response.body.getReader()), { status, statusText, headers });
  } catch (error) {
    throw broken(error);
  }
};

function counted(reader) {
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        loaded += value.byteLength;
        progress();
        controller.enqueue(value);
      } catch (error) {
        controller.error(broken(error));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

function broken(error) {
  say("failed", { text: String(error.message || error) });
  return error;
}

async function start(message) {
  config = message.config;
  expected = config.first;
  what = "Python";
  progress();
  importScripts(config.runtime + "pyodide.js");
  const code = fetch(config.code).then((response) => response.arrayBuffer());
  code.catch(() => {}); // told below, where it is waited for
  pyodide = await loadPyodide({ indexURL: config.runtime, packages: ["numpy"] });
  pyodide.unpackArchive(await code, "zip", { extractDir: "/book" });
  pyodide.runPython('import sys; sys.path.insert(0, "/book")');
  const send = (cell, kind, text) => say("output", { cell, output: { kind, text } });
  runner = pyodide.pyimport("tools.live.runner").Runner(send, loadAtOnce, pyodide.toPy(config.heavy));
  runner.settle();
  say("ready", {});
}

function bytesOf(names) {
  const missing = names.filter((name) => !(name in pyodide.loadedPackages));
  return missing.reduce((sum, name) => sum + config.packages[name].bytes + bytesOf(config.packages[name].depends), 0);
}

async function load(names) {
  const missing = names.filter((name) => !(name in pyodide.loadedPackages));
  if (!missing.length) return;
  loaded = 0;
  expected = bytesOf(missing);
  what = missing.join(" and ");
  progress();
  const errors = [];
  await pyodide.loadPackage(missing, { errorCallback: (line) => errors.push(line) });
  const lacking = missing.filter((name) => !(name in pyodide.loadedPackages));
  if (lacking.length) throw new Error(errors[0] || `${lacking.join(", ")} could not be loaded`);
}

// In the middle of an import nothing can be waited for, but a worker may ask for a file and stand still meanwhile.
function loadAtOnce(name) {
  const its = config.packages[name];
  if (!its || name in pyodide.loadedPackages) return;
  its.depends.forEach(loadAtOnce);
  say("progress", { loaded: 0, expected: its.bytes, what: name });
  const request = new XMLHttpRequest();
  request.open("GET", config.runtime + its.file, false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${name} could not be loaded`);
  if (its.shared) {
    pyodide.unpackArchive(request.response, "zip", { extractDir: LIBRARIES });
    pyodide.FS.readdir(LIBRARIES).filter((file) => file.endsWith(".so")).forEach(link);
  } else {
    pyodide.unpackArchive(request.response, "wheel");
  }
  pyodide.loadedPackages[name] = "this site";
}

// Load a shared library now, the way Pyodide itself does it later: other libraries then find it by its name.
function link(file) {
  const { loadDynamicLibrary, LDSO, FS } = pyodide._module;
  const path = `${LIBRARIES}/${file}`;
  const fs = { findObject: (name) => FS.findObject(name), readFile: (name) => FS.readFile(name) };
  loadDynamicLibrary(path, { loadAsync: false, nodelete: true, allowUndefined: true, global: false, fs }, {});
  LDSO.loadedLibsByName[file] ||= LDSO.loadedLibsByName[path];
}

async function run({ cells, target }) {
  const source = cells.find(([id]) => id === target)[1];
  say("running", { cell: target, step: 0, steps: 0 });
  if (!runner.check_syntax(target, source)) {
    say("ended", { cell: target, ok: false });
    return say("finished", { cell: target, ok: false });
  }
  const plan = JSON.parse(runner.plan(JSON.stringify(cells), target));
  await load(plan.packages);
  const order = [...new Set(plan.cells)];
  let cell = "";
  for (const [index, id] of plan.cells.entries()) {
    if (id !== cell) say("running", { cell: id, step: order.indexOf(id) + 1, steps: order.length });
    cell = id;
    const ok = runner.run(index);
    if (!ok || plan.cells[index + 1] !== id) say("ended", { cell: id, ok });
    if (!ok) return say("finished", { cell: target, ok, stopped: id });
  }
  if (!plan.cells.length) say("ended", { cell: target, ok: true });
  say("finished", { cell: target, ok: true });
}

// One thing after the other: what is asked while Python is being loaded waits for it.
let turn = Promise.resolve();
self.onmessage = ({ data }) => {
  turn = turn.then(async () => {
    try {
      await (data.kind === "start" ? start(data) : run(data));
    } catch (error) {
      broken(error);
    }
  });
};
