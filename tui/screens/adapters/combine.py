"""A dialog for the weights and the method of a combination of adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.config.combination import METHODS, PRUNED, Combination
from engine.errors import UserError
from engine.files.slugs import to_name
from tui.format.text import literal, shortened
from tui.widgets.dialog import Dialog
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.hints import Hints
from tui.widgets.plain_input import PlainInput


class MethodLine(Static, can_focus=True):
    """The combination method, chosen from a list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Choose the method"),
        Binding("enter", "choose", "Choose the method", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="method")
        self.method = next(iter(METHODS))

    def on_mount(self) -> None:
        """Show the default."""
        self._take(self.method)

    def action_choose(self) -> None:
        """Open the list."""
        self.app.push_screen(ChoiceScreen("Method", METHODS, self.method), self._take)

    def on_click(self) -> None:
        """Open the list, like the key."""
        self.action_choose()

    def _take(self, method: str | None) -> None:
        if method is not None:
            self.method = method
            about = literal(f"  {METHODS[method]}").stylize("$text-muted")
            self.update(literal(method).stylize("bold") + about)
            for line in self.screen.query("#rank-line"):
                line.display = method.endswith("svd")
            for line in self.screen.query("#density-line"):
                line.display = method in PRUNED


class CombineScreen(Dialog[Combination | None]):
    """Dismisses the combination, ``None`` for none."""

    CSS_PATH = "combine.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("ctrl+s", "take", "Combine"),
        Binding("up", "app.focus_previous", "Line above", show=False),
        Binding("down", "app.focus_next", "Line below", show=False),
    ]

    def __init__(self, runs: Sequence[tuple[str, str]]) -> None:
        """Take ids and names as ``runs``."""
        super().__init__()
        self._runs = [run for run, _ in runs]
        share = f"{1 / len(runs):.3g}"
        self._weights = [PlainInput(share, compact=True) for _ in runs]
        self._rank = PlainInput(placeholder="the highest of them", compact=True)
        self._density = PlainInput("0.5", compact=True)
        names = [name for _, name in runs]
        self._called = PlainInput(to_name("-".join(["combined", *names])[:40]), compact=True)
        self._method = MethodLine()

    def compose(self) -> ComposeResult:
        """Yield a line for each weight, then the method and the new name."""
        with Vertical(id="box") as box:
            box.border_title = "Combine adapters"
            with VerticalScroll(can_focus=False):
                for run, line in zip(self._runs, self._weights, strict=True):
                    yield _line(literal(shortened(run, 32)), line)
                yield _line(Content("method"), self._method)
                yield _line(Content("rank"), self._rank, "rank-line")
                yield _line(Content("density"), self._density, "density-line")
                yield _line(Content("name of the new run"), self._called)
            yield Static(id="problem")
            yield Hints(
                ("enter", "enter combines"),
                ("down", "↑ ↓ other lines"),
                ("escape", "esc goes back"),
            )

    def on_mount(self) -> None:
        """Focus the first weight."""
        self._weights[0].focus()

    @on(Input.Submitted)
    def action_take(self) -> None:
        """Close with the input, or show its error."""
        try:
            self.dismiss(self._combination().checked())
        except UserError as error:
            self.query_one("#problem", Static).update(literal(error, 300))

    def _combination(self) -> Combination:
        return Combination(
            runs=self._runs,
            weights=[_number(line.value, "A weight") for line in self._weights],
            name=self._called.value.strip(),
            method=self._method.method,
            rank=read_rank(self._rank.value),
            density=_number(self._density.value, "The density"),
        )


def read_rank(text: str) -> int | None:
    """Return a rank as it is typed; ``None`` for an empty line. Raises :class:`UserError`."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"The rank is a whole number; this is {text[:40]!r}.")
    return int(text)


def _line(title: Content, line: Widget, id: str | None = None) -> Horizontal:
    return Horizontal(Static(title, classes="title"), line, id=id)


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{what} is a number; this is {text[:40]!r}.") from error
