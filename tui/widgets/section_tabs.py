"""The headings of the form in one line, with the current one and those with errors marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from tui.format.text import literal
from tui.widgets.form.view import SectionView


class SectionTab(Static):
    """One heading; a click goes there."""

    @dataclass
    class Chosen(Message):
        """The section was selected."""

        index: int

    def __init__(self, index: int) -> None:
        super().__init__()
        self._index = index

    def show(self, view: SectionView) -> None:
        """Show number, title, and a mark for errors."""
        text = literal(f"{self._index + 1} {view.title}{' !' if view.problems else ''}")
        self.set_class(bool(view.problems), "-wrong")
        if text != self.content:
            self.update(text)

    def on_click(self) -> None:
        """Select the section."""
        self.post_message(self.Chosen(self._index))


class SectionTabs(Horizontal):
    """All headings, the current one marked."""

    def __init__(self, sections: int) -> None:
        super().__init__()
        self._tabs = [SectionTab(index) for index in range(sections)]

    def compose(self) -> ComposeResult:
        """Yield the headings."""
        yield from self._tabs

    def show(self, views: Sequence[SectionView]) -> None:
        """Show another state."""
        for tab, view in zip(self._tabs, views, strict=True):
            tab.show(view)

    def mark(self, current: int) -> None:
        """Mark the section that has the focus."""
        for index, tab in enumerate(self._tabs):
            tab.set_class(index == current, "-current")
