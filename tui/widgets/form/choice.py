"""A dialog to choose one of several values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.format.fuzzy import highlighted, match
from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.plain_input import PlainInput

_WIDEST = 30
_VAGUE = 1000
"""Rank of values that match by their description, or by letters that are not side by side."""


class ChoiceScreen(Dialog[str | None]):
    """A list filtered while typing; dismisses the value, ``None`` for none chosen.

    With ``free``, the typed text may be taken even when it is none of the values: it follows those
    of which it is a part.
    """

    CSS_PATH = "choice.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("enter", "take", "Choose", priority=True),
        Binding("down,tab", "move('down')", "Down", show=False, priority=True),
        Binding("up,shift+tab", "move('up')", "Up", show=False, priority=True),
        Binding("pagedown", "move('page_down')", "Page down", show=False, priority=True),
        Binding("pageup", "move('page_up')", "Page up", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        options: Mapping[str, str],
        current: str = "",
        free: bool = False,
        empty: str = "automatic",
    ) -> None:
        """``empty`` is shown for the empty value."""
        super().__init__()
        self._empty = literal(empty)
        self._title = title
        self._options = options
        longest = max((len(self._label(value).plain) for value in options), default=0)
        self._widest = min(_WIDEST, longest)
        self._current = current
        self._free = free
        self._typed = ""
        self._found: list[str] = []

    def compose(self) -> ComposeResult:
        """Yield an input line above the list."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            hint = "type another value, or to narrow down" if self._free else "type to narrow down"
            yield PlainInput(placeholder=hint, compact=True)
            yield OptionList(compact=True)

    def on_mount(self) -> None:
        """Show all values, the current one marked; focus the input."""
        self.set_focus(self.query_one(PlainInput))
        self._show("")
        if self._current in self._found:
            self.query_one(OptionList).highlighted = self._found.index(self._current)

    @on(Input.Changed)
    def _changed(self) -> None:
        self._show(self.query_one(PlainInput).value)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])

    def action_take(self) -> None:
        """Choose the marked value."""
        marked = self.query_one(OptionList).highlighted
        if marked is not None:
            self.dismiss(self._found[marked])
        elif self._free:
            self.dismiss(None)  # nothing was typed or marked: the value stays

    def action_move(self, how: str) -> None:
        """Mark another value."""
        getattr(self.query_one(OptionList), f"action_{'cursor_' * (how in ('up', 'down'))}{how}")()

    def _show(self, typed: str) -> None:
        self._typed = typed
        self._found = list(self._matching(typed))
        values = self.query_one(OptionList)
        values.clear_options()
        values.add_options([self._line(value) for value in self._found])
        if typed and not self._found:
            nothing = literal(f"nothing matches {typed!r}").stylize("$text-muted")
            values.add_option(Option(nothing, disabled=True))
        # Enter on an empty line selects nothing: the user has not chosen a value.
        values.highlighted = 0 if self._found and (typed or not self._free) else None

    def _matching(self, typed: str) -> Iterator[str]:
        """Yield the values with the typed words, the typed text, then those that are alike."""
        ranked = sorted(
            (
                (_rank(typed, self._label(value).plain, about), value)
                for value, about in self._options.items()
            ),
            key=lambda one: one[0] or 0,
        )
        close = [value for rank, value in ranked if rank is not None and rank < _VAGUE]
        yield from close
        if self._free and typed and typed not in self._options:
            yield typed
        yield from (value for rank, value in ranked if rank is not None and rank >= _VAGUE)

    def _line(self, value: str) -> Content:
        if value not in self._options:
            return Content("use ") + literal(value).stylize("bold")
        about = literal(self._options[value] if self._options[value] != value else "")
        name = self._label(value)
        gap = Content(" " * (self._widest - len(name.plain) + 2))
        matched = match(self._typed, name.plain)
        shown = highlighted(name.stylize("bold"), matched.places if matched else ())
        return shown + gap + about.stylize("$text-muted")

    def _label(self, value: str) -> Content:
        return literal(value) if value else self._empty


def _rank(typed: str, name: str, about: str) -> int | None:
    """Return how well a value matches, lower is better; ``None`` for not at all."""
    matched = match(typed, name)
    if matched is not None and matched.close:
        return matched.rank
    words = typed.lower().split()
    if all(word in f"{name} {about}".lower() for word in words):
        return _VAGUE
    return None if matched is None else _VAGUE + matched.rank
