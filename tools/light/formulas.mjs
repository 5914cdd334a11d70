// Sets formulas as MathJax would in the page. In: {fonts, formulas: [[TeX, on a line of its own], ...]}, as JSON.
// Out: {html: [...], css}. Run by formulas.py, which says where the package is.
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const require = createRequire(join(process.argv[2], "node_modules", "x"));
const load = (name) => require(`mathjax-full/js/${name}.js`);
const { mathjax } = load("mathjax");
const { TeX } = load("input/tex");
const { CHTML } = load("output/chtml");
const { liteAdaptor } = load("adaptors/liteAdaptor");
const { RegisterHTMLHandler } = load("handlers/html");
const { AssistiveMmlHandler } = load("a11y/assistive-mml");
const { AllPackages } = load("input/tex/AllPackages");

const { fonts, formulas } = JSON.parse(readFileSync(0, "utf-8"));
const adaptor = liteAdaptor();
AssistiveMmlHandler(RegisterHTMLHandler(adaptor));
const packages = AllPackages.filter((name) => name !== "bussproofs");
const output = new CHTML({ fontURL: fonts, adaptiveCSS: true });
const page = mathjax.document("", { InputJax: new TeX({ packages }), OutputJax: output });
const set = ([tex, display]) => adaptor.outerHTML(page.convert(tex, { display, em: 16, ex: 8, containerWidth: 1280 }));
const html = formulas.map(set);
const css = adaptor.textContent(output.styleSheet(page));
process.stdout.write(JSON.stringify({ html, css }));
