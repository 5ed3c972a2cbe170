"""Explanations of predictions: places of an image, words of a text, columns of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import Static

from engine.errors import UserError
from engine.reports.explanation import Explanation
from engine.reports.note_table import notes_in, sentence
from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.question import Answered, Ask, Question
from tui.widgets.view import ViewStack


class ExplanationScreen(Dialog[None]):
    """Asks for the likeliest class or a given one, then for any other."""

    CSS_PATH = "explanation.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "other(-1)", "Likelier class"),
        Binding("right,l", "other(1)", "Next class"),
        Binding("escape,q", "dismiss(None)", "Close"),
    ]

    def __init__(self, ask: Ask, arguments: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
        """``arguments`` name the run and what is explained; ``notes`` are shown with it.

        A ``target`` among them is the class that is explained first.
        """
        super().__init__()
        fixed = {name: value for name, value in arguments.items() if name != "target"}
        self._question = Question(self, ask, "explain", **fixed)
        self._first = str(arguments.get("target", ""))
        self._notes = notes
        self._shown: Explanation | None = None

    def compose(self) -> ComposeResult:
        """Yield a head and room for the views."""
        with Vertical(id="box") as box:
            box.border_title = "Where did it look?"
            yield Static(id="head")
            yield Container(id="views")
            yield Hints(("left", "← → other classes"), ("escape", "esc closes"))

    def on_mount(self) -> None:
        """Ask for the first class."""
        self._request(self._first)

    def action_other(self, step: int) -> None:
        """Explain another class."""
        shown = self._shown
        if shown is not None and len(shown.targets) > 1:
            known = list(shown.targets)
            place = known.index(shown.target) + step if shown.target in known else 0
            self._request(known[place % len(known)])

    def _request(self, target: str) -> None:
        which = f" {target}" if target else ""
        self._say(f"explaining{which} …", "$text-muted")
        self._question.send(target=target)

    @on(Answered)
    async def _answered(self, event: Answered) -> None:
        event.stop()
        if not self._question.newest(event):
            return
        if isinstance(event.answer, UserError):
            self._say(str(event.answer), "$text-error")
            return
        shown = self._shown = Explanation.from_record(event.answer)
        notes = [sentence(note) for note in notes_in(event.answer)]
        self._say("   ".join([shown.target, shown.method, *self._notes, *notes]))
        views = self.query_one("#views")
        await views.remove_children()
        await views.mount(ViewStack(shown.views))

    def _say(self, text: str, style: str = "") -> None:
        self.query_one("#head", Static).update(literal(text, 500).stylize(style))
