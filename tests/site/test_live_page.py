"""A page with live cells: what it loads and when, editing, Stop, Reset, answers kept, no network, screens and keys."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.site.live import Live, Server
from tests.site.test_pages import excused
from tools.live.pages import FOLDER

pytestmark = pytest.mark.site

PAGE = "book/penalties/l1-l2"
EXERCISE = "soft_threshold"
RIGHT = """def soft_threshold(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


check.soft_threshold(soft_threshold)"""
ENDLESS = "while True:\n    pass"
FIRST_LOAD = 10_000_000


def live_files(server):
    """Return (file, bytes) of what was fetched below the folder of live pages."""
    return [(name.partition(f"{FOLDER}/")[2], size) for name, size in server.requests if FOLDER in name]


@pytest.fixture
def live(context, server):
    server.requests.clear()
    server.broken.clear()
    yield Live(context, server.address, PAGE)
    server.broken.clear()


@pytest.fixture(scope="module")
def started(browser, server):
    """A page in which Python runs already; each test leaves it as it was."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    live = Live(context, server.address, PAGE)
    live.press(live.exercise(EXERCISE), "run")
    yield live
    context.close()


def bar(live):
    """Return the text of the bar at the lower edge."""
    return live.page.locator(".live-bar").inner_text()


def test_what_is_loaded_and_when(live, server):
    live.page.wait_for_timeout(500)
    before = live_files(server)
    assert sorted(name.rpartition("/")[2] for name, _ in before) == ["live.css", "live.js"]
    assert sum(size for _, size in before) < 12_000
    live.press(live.exercise(EXERCISE), "edit")
    live.page.locator(".cm-content").wait_for()
    editor = live_files(server)[len(before) :]
    assert [name.rpartition("/")[2] for name, _ in editor] == ["editor.js"]
    assert editor[0][1] < 150_000
    live.press(live.exercise(EXERCISE), "run")
    run = live_files(server)[len(before) + 1 :]
    names = [name.rpartition("/")[2] for name, _ in run]
    twice = {name for name in names if names.count(name) > 1}
    # Chromium asks again for the worker, where a service worker came first, and for that, to see whether it is new.
    assert twice <= {"worker.js", "service-worker.js"}, "a file was fetched twice"
    assert not any("matplotlib" in name or "scipy" in name for name in names)
    total = sum(size for _, size in live_files(server))
    assert total <= FIRST_LOAD
    print(f"first load: {len(live_files(server))} requests, {total / 1e6:.2f} MB over the wire")
    for name, size in live_files(server):
        print(f"  {size:>9} {name}")
    assert not live.foreign
    assert not live.errors


def test_the_reader_sees_bytes_while_python_is_loaded(live):
    live.exercise(EXERCISE).locator(".live-run").evaluate("button => button.click()")
    live.page.wait_for_function("/[1-9][0-9.]* of [0-9.]+ MB/.test(document.querySelector('.live-bar').textContent)")
    assert live.page.locator(".live-bar progress").is_visible()
    assert live.page.get_by_role("button", name="Stop").is_visible()
    live.wait()
    assert not live.page.locator(".live-bar").is_visible()


def test_without_javascript_the_page_reads_as_before(browser, server):
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{server.address}{PAGE}.html")
        assert page.locator(".live-run, .live-tools, .live-progress").count() == 0
        assert "Not answered" in page.locator(f'[data-live-check="{EXERCISE}"]').inner_text()
    finally:
        context.close()


def test_cells_that_do_not_run_say_why(started):
    notes = started.page.locator('.cell[data-live="shown"] > .live-tools, .cell[data-live="shown"] details .live-tools')
    assert notes.count() == started.page.locator('.cell[data-live="shown"]').count() > 3
    text = notes.all_text_contents()
    assert "Shown, not run here: nothing has to be set up here." in text
    assert "Shown, not run here: needs scikit-learn." in text


def test_a_traceback_quotes_the_line(started):
    cell = started.exercise(EXERCISE)
    started.type(cell, "first = 1\nsecond = nothing + 1")
    shown = started.shown(cell)
    assert "line 2 of this cell:\n    second = nothing + 1\nNameError: name 'nothing' is not defined" in shown
    assert "stopped: NameError" in started.spoken()
    started.type(cell, "print('before')\nfirst = (1")
    assert started.shown(cell).startswith("SyntaxError in line 2 of this cell")
    started.press(cell, "reset")


def test_an_error_in_a_needed_cell_is_shown_where_it_is(started):
    cell, other = started.exercise(EXERCISE), started.cell("by-hand")
    started.type(other, "1 / 0\nmade_above = 1")
    started.press(other, "reset")
    started.type(other, "made_above = 1 / 0")
    started.type(cell, "made_above + 1")
    assert "needs cell" in bar(started)
    assert "ZeroDivisionError" in started.shown(other)
    started.press(other, "reset")
    started.press(cell, "reset")


def test_outputs(started):
    cell = started.exercise(EXERCISE)
    started.type(cell, "from regbook import notebook\nnotebook.table([['a', 1.5]], ['x', 'y'])")
    assert cell.locator(".live-output table").count() == 1
    started.type(cell, "notebook.show_source(check.trials)")
    assert started.shown(cell).startswith("def trials(")
    started.type(cell, "print('<b>not bold</b>')\n'<i>'")
    assert "<b>not bold</b>\n'<i>'" in started.shown(cell)
    assert cell.locator(".live-output :is(b, i)").count() == 0
    started.press(cell, "reset")


def test_figures_and_sliders(started):
    cell = started.exercise(EXERCISE)
    slider = """from regbook import slider
def draw(k):
    figure, axis = plt.subplots()
    axis.plot([0, k])
    axis.set(ylim=(0, 3))
    return figure
slider.Slider(draw, [1, 2], label="Height", caption="A line.", describe="It ends at {}.".format)"""
    started.type(cell, f"plt.plot([1, 2])\nplt.show()\nprint('drawn')\n{slider}")
    assert cell.locator(".live-output img").count() == 1
    width = cell.locator(".live-output img").evaluate("image => image.naturalWidth")
    assert width > 300
    control = cell.locator(".live-output input[type=range]")
    control.focus()
    control.press("End")
    assert cell.locator(".live-output output").inner_text() == "It ends at 2."
    started.press(cell, "reset")


def test_stop_ends_a_cell_and_offers_to_run_the_others_again(started):
    cell, other = started.exercise(EXERCISE), started.cell("by-hand")
    started.press(other, "run")
    shown = started.shown(other)
    started.press(cell, "edit")
    cell.locator(".cm-content").focus()
    started.page.keyboard.press("Control+A")
    started.page.keyboard.insert_text(ENDLESS)
    started.page.keyboard.press("Shift+Enter")
    started.page.wait_for_function("/Running cell/.test(document.querySelector('.live-bar').textContent)")
    started.page.get_by_role("button", name="Stop").click()
    assert "What the cells had computed is gone" in bar(started)
    started.press(other, "reset")
    started.page.get_by_role("button", name="Run the cells again").click()
    other.locator(".live-output").wait_for(timeout=120_000)
    started.wait()
    assert started.shown(other) == shown != ""
    assert started.shown(cell) == "Stopped."
    started.press(cell, "reset")
    started.press(other, "reset")


def test_reset_gives_back_the_books_cell(started):
    cell = started.exercise(EXERCISE)
    code, shown = (cell.locator(part).inner_text() for part in (".cell_input", ".cell_output"))
    started.type(cell, RIGHT)
    assert "1 of 7 exercises solved" in started.page.locator(".live-progress").inner_text()
    assert not cell.locator(".cell_input").is_visible()
    started.press(cell, "reset")
    assert [cell.locator(part).inner_text() for part in (".cell_input", ".cell_output")] == [code, shown]
    assert cell.locator(".live-editor, .live-output").count() == 0
    assert "0 of 7 exercises solved" in started.page.locator(".live-progress").inner_text()


def test_answers_outlive_the_page_and_stand_on_the_home_page(live, server):
    live.type(live.exercise(EXERCISE), RIGHT)
    live.page.reload()
    live.page.wait_for_selector(".live-progress")
    cell = live.exercise(EXERCISE)
    assert cell.locator("pre.live-source").inner_text() == RIGHT
    assert "✓ solved · changed by you" in cell.locator(".live-tools").inner_text()
    assert "1 of 7 exercises solved" in live.page.locator(".live-progress").inner_text()
    live.press(cell, "run")
    assert "Right" in live.shown(cell)
    home = Live(live.page.context, server.address, "book/index")
    assert re.search(r"^1 of \d+ exercises solved\.", home.page.locator(".live-progress p").first.inner_text())
    assert "L1 and L2 1 of 7" in home.page.locator(".live-progress").inner_text()


def test_answers_as_a_file_and_back(live, server, browser, tmp_path):
    live.type(live.exercise(EXERCISE), RIGHT)
    home = Live(live.page.context, server.address, "book/index")
    with home.page.expect_download() as download:
        home.page.get_by_role("button", name="Save my answers").click()
    file = tmp_path / "answers.json"
    download.value.save_as(file)
    home.page.on("dialog", lambda dialog: dialog.accept())
    home.page.get_by_role("button", name="Forget all my answers").click()
    assert home.page.locator(".live-progress p").first.inner_text().startswith("0 of")
    other = browser.new_context()
    try:
        elsewhere = Live(other, server.address, "book/index")
        elsewhere.page.locator("input[type=file]").set_input_files(file)
        elsewhere.page.wait_for_function("document.querySelector('.live-said').textContent")
        assert elsewhere.page.locator(".live-said").inner_text() == "Answers on 1 page were read from the file."
        assert elsewhere.page.locator(".live-progress p").first.inner_text().startswith("1 of")
        chapter = Live(other, server.address, PAGE)
        assert chapter.exercise(EXERCISE).locator("pre.live-source").inner_text() == RIGHT
        file.write_text('{"kind": "something else"}')
        elsewhere.page.locator("input[type=file]").set_input_files(file)
        elsewhere.page.wait_for_function("/could not/.test(document.querySelector('.live-said').textContent)")
    finally:
        other.close()


def test_the_readers_notebook(live, tmp_path):
    live.type(live.exercise(EXERCISE), RIGHT)
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="Download my notebook").click()
    assert download.value.suggested_filename == "l1-l2-with-my-answers.ipynb"
    download.value.save_as(tmp_path / "mine.ipynb")
    notebook = json.loads((tmp_path / "mine.ipynb").read_text(encoding="utf-8"))
    (mine,) = [cell for cell in notebook["cells"] if cell["source"] == RIGHT]
    assert mine["outputs"] == []
    assert len(notebook["cells"]) > 60


def test_forgetting_the_answers_of_a_page(live):
    live.type(live.exercise(EXERCISE), RIGHT)
    live.page.on("dialog", lambda dialog: dialog.accept())
    live.page.get_by_role("button", name="Forget my answers on this page").click()
    assert live.page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('book '))") == []
    assert live.exercise(EXERCISE).locator(".cell_input").is_visible()


@pytest.mark.parametrize("file", ["worker.js", "numpy-2", "pyodide.asm.wasm", "code.zip"])
def test_a_network_that_breaks_off_is_told_and_retried(live, server, file):
    server.broken.add(file)
    cell = live.exercise(EXERCISE)
    live.press(cell, "run")
    assert "Python could not be loaded" in bar(live)
    assert "Check the network" in bar(live)
    server.broken.clear()
    live.page.get_by_role("button", name="Retry").click()
    live.page.wait_for_function("document.querySelector('.live-bar').dataset.state === 'busy'")
    live.wait()
    assert "Not answered" in live.shown(cell)


def test_an_editor_that_does_not_arrive_is_told_and_comes_when_asked_again(live, server):
    server.broken.add("editor.js")
    cell = live.exercise(EXERCISE)
    live.press(cell, "edit")
    said = cell.locator(".live-note", has_text="could not be loaded")
    said.wait_for()
    server.broken.clear()
    live.press(cell, "edit")
    cell.locator(".cm-content").wait_for()


def test_after_the_first_time_python_needs_no_network(browser, live_site):
    context, server = browser.new_context(), Server(live_site)
    try:
        live = Live(context, server.address, PAGE)
        live.press(live.exercise(EXERCISE), "run")
        live.page.reload()
        live.page.wait_for_selector(".live-run", state="attached")
        server.close()
        live.press(live.exercise(EXERCISE), "run")
        assert "Not answered" in live.shown(live.exercise(EXERCISE))
        kept = live.page.evaluate("""async () => {
            const found = [];
            for (const name of await caches.keys())
                for (const request of await (await caches.open(name)).keys()) found.push(request.url);
            return found; }""")
        assert kept
        assert all(re.search(rf"/{FOLDER}/[pr]-[0-9a-f]{{16}}/", address) for address in kept), (
            "only the runtime is kept"
        )
    finally:
        context.close()


def test_keys(started):
    cell = started.exercise(EXERCISE)
    started.press(cell, "edit")
    cell.locator(".cm-content").wait_for()
    page = started.page
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("if True:")
    page.keyboard.press("Enter")
    page.keyboard.insert_text("print(1)")
    assert cell.locator(".cm-line").all_inner_texts() == ["if True:", "    print(1)"]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "live-run"
    assert "Escape leaves the editor" in cell.locator(".live-tools").inner_text()
    assert "Escape leaves the editor" in cell.locator(".cm-content").get_attribute("aria-label")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "live-reset"
    page.keyboard.press("Enter")
    assert cell.locator(".cell_input").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_fault_of_access_and_nothing_too_wide(browser, server, theme, width):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
    context.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}');")
    try:
        live = Live(context, server.address, PAGE)
        live.type(live.exercise("strongest"), "1 / 0")
        live.type(live.exercise(EXERCISE), f"{RIGHT}  # {'long ' * 40}")
        live.exercise("group_prox").locator(".live-run").evaluate("button => button.click()")
        live.page.wait_for_function("!document.querySelector('.live-bar').hidden")
        live.wait()
        live.page.evaluate("page => document.querySelector('.live-bar').hidden = false")
        sizes = live.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert sizes[0] <= sizes[1]
        violations = [
            f"{found['id']}: {found['help']}: {node['html'][:300]}"
            for found in Axe().run(live.page).response["violations"]
            for node in found["nodes"]
            if not excused(found["id"], node["html"]) and "pst-back-to-top" not in node["html"]
        ]
        assert not violations, "\n".join(violations)
        home = Live(context, server.address, "book/index")
        found = Axe().run(home.page, context=".live-progress").response["violations"]
        assert not [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]
    finally:
        context.close()
