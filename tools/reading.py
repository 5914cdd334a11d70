"""How long a page is, and how long it takes: counted by one rule, printed by the build, bounded by a test.

What is counted, up to the heading "Exercises":

- words of the text, those of captions and of folded text too; not the card with its tabs, which is for looking up, and
  not the lines that only mark directives; a formula in the line is a word;
- code cells, and their lines that are not empty; the set-up cell, the same in every chapter, is left out;
- formulas on lines of their own, and outputs.

The times are estimates for somebody who follows each step: 150 words a minute, 6 seconds for a line of code that is
shown, 30 for a formula, 20 for an output. An exercise takes 4 minutes and the time to read it. The constants were
chosen so that most of a dozen honest readings of nine chapters, 28 to 60 minutes, come out within a quarter.
"""

import re
from dataclasses import dataclass

from tools import notebooks

FOLDED = {"hide-input", "hide-cell"}
WORDS_A_MINUTE, LINE, FORMULA, OUTPUT, EXERCISE = 150, 6 / 60, 30 / 60, 20 / 60, 4
CARD_END = re.compile(r"^::::$", re.MULTILINE)  # of the tabs, which end the card


@dataclass(frozen=True)
class Length:
    """What stands on a page before its exercises, and in them.

    ``words``, ``cells``, ``lines`` (of code that is shown), ``folded`` (lines of code that is not), ``formulas`` and
    ``outputs`` before the exercises; ``exercises`` and ``exercise_words`` in them.
    """

    words: int
    cells: int
    lines: int
    folded: int
    formulas: int
    outputs: int
    exercises: int
    exercise_words: int

    @property
    def minutes(self):
        """Minutes to read the page, without the exercises."""
        time = self.words / WORDS_A_MINUTE + LINE * self.lines + FORMULA * self.formulas + OUTPUT * self.outputs
        return max(1, round(time))

    @property
    def exercise_minutes(self):
        """Minutes for the exercises."""
        return round(EXERCISE * self.exercises + self.exercise_words / WORDS_A_MINUTE)

    def line(self, seconds=None):
        """Return the sentence that the build puts under a page's promises; ``seconds`` are those of a run."""
        parts = [f"about {self.minutes} minutes to read"]
        if self.exercises:
            parts.append(f"{self.exercise_minutes} for the {self.exercises} exercises")
        if seconds is not None:
            parts.append(f"{round(seconds)} seconds of a processor to run")
        return f"*{', '.join(parts).capitalize()}.*"


def card(notebook):
    """Return the card of a chapter: its first cell, up to the end of the tabs; an empty string if it has none."""
    text = notebooks.source(notebook["cells"][0])
    ends = [match.end() for match in CARD_END.finditer(text)]
    return text[: ends[-1]] if ends else ""


def length(notebook):
    """Return the `Length` of a notebook; outputs are counted where it has any."""
    before, after = _split(notebook["cells"])
    first = notebooks.source(before[0])[len(card(notebook)) :]
    texts = [first, *(notebooks.source(cell) for cell in before[1:] if cell["cell_type"] == "markdown")]
    code = [cell for cell in before if cell["cell_type"] == "code" and cell["id"] != notebooks.SETUP_ID]
    folded = [cell for cell in code if FOLDED & set(cell["metadata"].get("tags", []))]
    captions = [cell["metadata"].get("mystnb", {}).get("figure", {}).get("caption", "") for cell in code]
    tasks = [notebooks.source(cell) for cell in after if cell["cell_type"] == "markdown"]
    return Length(
        words=sum(map(words, [*texts, *captions])),
        cells=len(code),
        lines=sum(map(code_lines, code)) - sum(map(code_lines, folded)),
        folded=sum(map(code_lines, folded)),
        formulas=sum(text.count("$$") // 2 for text in texts),
        outputs=sum(bool(cell.get("outputs")) for cell in code),
        exercises=sum(len(re.findall(r"^:::+\{exercise\}", text, re.MULTILINE)) for text in tasks),
        exercise_words=sum(words(text) for text in tasks if "{solution}" not in text),
    )


def words(text):
    """Return the number of words in Markdown; a formula in the line is one, those on lines of their own are none."""
    text = re.sub(r"\$\$.*?\$\$( *\([\w-]+\))?", "", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$]+\$", "formula", text)
    text = re.sub(r"<!--.*?-->|</?\w+>", " ", text, flags=re.DOTALL)
    text = re.sub(r"^(:::+|```+)[^\n]*$|^:[a-z-]+:[^\n]*$|^\|[-:| ]+\|$", "", text, flags=re.MULTILINE)
    return len(re.findall(r"\S*\w\S*", text))


def code_lines(cell):
    """Return the number of lines of a cell that are not empty."""
    return sum(bool(line.strip()) for line in notebooks.source(cell).splitlines())


def _split(cells):
    """Return the cells before the heading of the exercises, and those from it on."""
    for index, cell in enumerate(cells):
        if cell["cell_type"] == "markdown" and re.search(r"^## Exercises$", notebooks.source(cell), re.MULTILINE):
            return cells[:index], cells[index:]
    return cells, []
