// The home page: what is solved in each chapter, and the answers as a file.

import { make } from "./output.js";
import { save } from "./store.js";

// `chapters` are [page, title, number of exercises], in order.
export function home(page, chapters) {
  const { store, site } = page;
  const list = make("ul", {});
  const total = make("strong", {});
  const said = make("p", { className: "live-said" });
  said.setAttribute("role", "status");

  function draw() {
    let solved = 0;
    let all = 0;
    list.replaceChildren();
    for (const [name, title, exercises] of chapters) {
      const done = Math.min(store.solved(name), exercises);
      solved += done;
      all += exercises;
      const mark = done === exercises ? "✓ " : "";
      const link = make("a", { href: `${site}${name}.html#exercises`, textContent: title });
      list.append(make("li", {}, link, ` ${mark}${done} of ${exercises}`));
    }
    total.textContent = `${solved} of ${all} exercises solved`;
  }

  const file = make("input", { type: "file", accept: "application/json,.json", hidden: true });
  file.onchange = async () => {
    if (!file.files.length) return;
    try {
      const pages = store.imported(await file.files[0].text());
      said.textContent = `Answers on ${pages} ${pages === 1 ? "page" : "pages"} were read from the file.`;
    } catch (error) {
      said.textContent = `The file could not be read: ${error.message}.`;
    }
    file.value = "";
    draw();
  };

  const button = (text, act) => make("button", { type: "button", textContent: text, onclick: act });
  const panel = make("section", { className: "live-progress" });
  panel.setAttribute("aria-label", "Your answers");
  panel.append(
    make("h2", { textContent: "Your answers" }),
    make("p", {}, total, ". They are kept in this browser. Nothing is sent anywhere: to take them along, save a file."),
    list,
    button("Save my answers as a file", () => save("my-answers.json", store.exported(), "application/json")),
    button("Read answers from a file", () => file.click()),
    button("Forget all my answers", () => {
      if (!confirm("Forget all that you have written in this book?")) return;
      store.pages().forEach((name) => store.forget(name));
      said.textContent = "All answers were forgotten.";
      draw();
    }),
    file,
    said,
  );
  draw();
  const section = document.querySelector("article > section, main section");
  section.append(panel);
}
