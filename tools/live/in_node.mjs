// Runs a Python script in Node, under the interpreter that pages use: node in_node.mjs FOLDER ROOT SCRIPT ARGUMENTS...
//
// FOLDER holds the interpreter, ROOT is this project; Python sees it as /book and starts in it. A script may bound the
// processor's time of what it calls: after `limit(seconds)` it ends with KeyboardInterrupt; `limit(0)` takes that back.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

const [folder, root, script, ...rest] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(process.env.PYODIDE_MODULE));
const names = ["numpy", "matplotlib", "scipy"];
const packages = process.env.PYODIDE_PACKAGES ? process.env.PYODIDE_PACKAGES.split(",") : names;
const env = { HOME: "/home/pyodide", PYTHONDONTWRITEBYTECODE: "1", MPLBACKEND: "svg" };
const pyodide = await loadPyodide({ indexURL: folder, packages, env, args: [] });

const alarm = new Int32Array(new SharedArrayBuffer(4));
pyodide.setInterruptBuffer(alarm);
const clock = new Worker(
  `const { parentPort } = require("node:worker_threads");
   let timer;
   const now = () => process.cpuUsage().user / 1e6;
   parentPort.on("message", ({ seconds, alarm }) => {
     clearInterval(timer);
     const end = now() + seconds;
     if (seconds) timer = setInterval(() => now() > end && (alarm[0] = 2), 500);
   });`,
  { eval: true },
);
clock.unref();

function mount(folder, place) {
  pyodide.FS.mkdirTree(place);
  pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: folder }, place);
}

mount(root, "/book");
pyodide.FS.chdir("/book");
pyodide.registerJsModule("host", {
  arguments: rest,
  mount,
  limit: (seconds) => clock.postMessage({ seconds, alarm }),
  seconds: () => process.cpuUsage().user / 1e6,
});
pyodide.runPython('import sys; sys.path.insert(0, "/book")');
let status;
try {
  status = pyodide.runPython(readFileSync(script, "utf8"), { filename: script });
} catch (error) {
  console.error(error.message); // Node itself would print the interpreter's source first
  status = 1;
}
process.exit(typeof status === "number" ? status : 0);
