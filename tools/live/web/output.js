// What a cell shows, made into elements of the page.

export function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const FORMS = {
  text: (text) => pre(text, "live-text"),
  note: (text) => pre(text, "live-note"),
  error: (text) => pre(text, "live-error"),
  code: (text) => pre(text, "live-code"),
  html: (text) => html(text),
  check: (text) => html(JSON.parse(text).html),
  svg: (text, alt) => picture(text, alt),
};

// Add one output to a box; text that follows text goes on in the same place. `alt` describes figures.
export function add(box, { kind, text }, alt) {
  const last = box.lastElementChild;
  if (kind === "text" && last && last.classList.contains("live-text")) last.firstChild.append(text);
  else box.append(FORMS[kind](text, alt));
}

// A few words on an output, for those who hear the page.
export function inWords(outputs) {
  const check = outputs.find(({ kind }) => kind === "check");
  if (check) return JSON.parse(check.text).text.replace(/^\S+ /, "");
  const error = outputs.find(({ kind }) => kind === "error");
  if (error) return error.text.trim().split("\n").at(-1);
  const figures = outputs.filter(({ kind }) => kind === "svg").length;
  const words = figures ? [`${figures} ${figures > 1 ? "figures" : "figure"}`] : [];
  const text = outputs.filter(({ kind }) => kind === "text").map((output) => output.text);
  if (text.length) words.push(text.join("").trim().slice(0, 200));
  return words.join(". ");
}

function pre(text, name) {
  return make("div", { className: `output ${name}`, tabIndex: -1 }, make("pre", {}, text));
}

// Scripts in HTML that is put into a page do not run by themselves: a slider's must.
function html(text) {
  const box = make("div", { className: "output text_html" });
  box.innerHTML = text;
  for (const script of box.querySelectorAll("script")) {
    script.replaceWith(make("script", { textContent: script.textContent }));
  }
  return box;
}

function picture(text, alt) {
  const address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  return make("div", { className: "output" }, make("img", { src: address, alt }));
}
