"""The check of the model in a form: its weights, its inputs, its layers, its exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.reports.model_check import ModelCheck
from tui.format.model_check import facts, layers_table
from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.question import Answered, Ask, Question
from tui.widgets.scrolling import Scrolling


class ModelCheckScreen(Dialog[None]):
    """The parts of a model that a task uses; reads no weights."""

    CSS_PATH = "model_check.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,D", "dismiss(None)", "Close"),
    ]

    def __init__(self, values: Tree, rank: int, ask: Ask) -> None:
        """Check the sections in ``values``; ``rank`` is that of an adapter."""
        super().__init__()
        self._values = values
        self._rank = rank
        self._question = Question(self, ask, "check")

    def compose(self) -> ComposeResult:
        """Yield the text."""
        with Scrolling(id="box") as box:
            box.border_title = "Model check"
            box.border_subtitle = "esc closes"
            yield Static(literal("looking at the model …").stylize("$text-muted"), id="text")
            yield Static(id="layers")

    def on_mount(self) -> None:
        """Ask; focus the text, so that the arrow keys scroll."""
        self.query_one("#box").focus()
        self._question.put(self._values)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        text = self.query_one("#text", Static)
        if isinstance(event.answer, UserError):
            text.update(literal(event.answer, 1000).stylize("$text-error"))
            return
        check = ModelCheck.from_record(event.answer)
        text.update(Content("\n").join(_facts(check, self._rank)))
        self.query_one("#layers", Static).update(Content("\n").join(_layers(check, self._rank)))


def _facts(check: ModelCheck, rank: int) -> Iterator[Content]:
    found = facts(check, rank)
    width = max(map(len, found))
    for name, value in found.items():
        yield Content.styled(f"{name:<{width}}  ", "$text-muted") + literal(value, 1000)


def _layers(check: ModelCheck, rank: int) -> Iterator[Content]:
    if not check.groups:
        return
    headings, rows = layers_table(check.groups, rank)
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    yield Content("")
    yield literal(_padded(headings, widths), 300).stylize("bold")
    for row in rows:
        yield literal(_padded(row, widths), 300)


def _padded(cells: list[str], widths: list[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
