"""Write the table of docs/models.md from the outcomes of ``test_model_walk.py``.

    python tests/train/models_page.py OUTCOMES > docs/models.md

The later of two outcomes of the same type and task counts.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

TASKS = {
    "text_classification": "text classes", "text_regression": "numbers", "embedding": "embeddings",
    "token_classification": "entities", "question_answering": "answers",
    "causal_lm": "language model", "preference": "preferences", "seq2seq": "translation",
    "image_classification": "images", "semantic_segmentation": "masks",
    "object_detection": "boxes",
}  # fmt: skip
TORCHVISION = "torchvision"
LIBRARIES = ("transformers", "torchvision", "torch", "peft")
_FOLDER = re.compile(r"/\S+/tiny\b")
_MARKUP = re.compile(r"([|<>*_`\[\]])")
_LONGEST = 240

INTRODUCTION = """# Types of models

Made by `make models` with {versions}.

Of each type a tiny network with random weights was trained for two updates, without an adapter and
with LoRA, exported, and loaded again through transformers and peft alone, whose outputs must equal
those of the trained network. Networks of torchvision have their usual size, on small images, and
are not loaded again. A reason has … for the name of the type.

- **yes**: trains, exports, and takes an adapter
- **no adapter**: trains and exports; the note says why an adapter does not
- **refused**: a sentence before the first update
- **fails**: stops with an error
- **not tried**: the walk has no tiny network of this type
- empty: transformers has no such head for this type
"""

Outcome = dict[str, Any]


class Notes:
    """Numbered reasons, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, outcome: Outcome) -> str:
        """The number of the reason of an outcome, as a link."""
        text = shortened(outcome["reason"].replace(outcome["kind"], "…"))
        if not text:
            return ""
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return f" [{number}](#notes)"

    def lines(self) -> list[str]:
        """A numbered list."""
        return [f"{number}. {text}" for text, number in self._numbers.items()]


def shortened(reason: str) -> str:
    """A reason without folders of this machine, on one line, safe in a table of Markdown."""
    text = " ".join(reason.removeprefix("Skipped: ").split())
    text = _FOLDER.sub("the model", text)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return _MARKUP.sub(r"\\\1", text)


def word(outcome: Outcome) -> str:
    """What a type did in a task."""
    if outcome["network"] != "trains":
        return str(outcome["network"])
    return {"trains": "yes", "refused": "no adapter"}.get(outcome["adapter"], "fails with adapter")


def cell(outcome: Outcome | None, notes: Notes) -> str:
    """A word with the number of its reason."""
    return "" if outcome is None else word(outcome) + notes.mark(outcome)


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table of Markdown."""
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def counts(outcomes: dict[tuple[str, str], Outcome]) -> list[str]:
    """How many types did what in each task."""
    columns = ["yes", "no adapter", "refused", "fails", "fails with adapter", "not tried"]
    found = Counter((task, word(outcome)) for (task, _), outcome in outcomes.items())
    rows = [
        [title, *(str(found[task, column]) for column in columns)]
        for task, title in {**TASKS, TORCHVISION: "images, torchvision"}.items()
    ]
    return table(["", *columns], rows)


def page(outcomes: dict[tuple[str, str], Outcome]) -> str:
    """All of docs/models.md."""
    notes = Notes()
    types = sorted({kind for task, kind in outcomes if task != TORCHVISION})
    rows = [[kind, *(cell(outcomes.get((task, kind)), notes) for task in TASKS)] for kind in types]
    pictures = [
        [name, cell(outcome, notes)]
        for (task, name), outcome in sorted(outcomes.items())
        if task == TORCHVISION
    ]
    versions = ", ".join(f"{name} {version(name).partition('+')[0]}" for name in LIBRARIES)
    return "\n".join(
        [
            INTRODUCTION.format(versions=versions),
            *counts(outcomes), "",
            "## transformers", "", *table(["type", *TASKS.values()], rows), "",
            "## torchvision", "", *table(["network", "images"], pictures), "",
            "## Notes", "", *notes.lines(), "",
        ]
    )  # fmt: skip


def read(path: Path) -> dict[tuple[str, str], Outcome]:
    """The outcomes by task and type."""
    outcomes = map(json.loads, path.read_text().splitlines())
    return {(outcome["task"], outcome["kind"]): outcome for outcome in outcomes}


if __name__ == "__main__":
    print(page(read(Path(sys.argv[1]))), end="")
