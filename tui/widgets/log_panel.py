"""A log that is searched and filtered by level while it grows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from rich.cells import chop_cells
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input
from typing_extensions import override

from engine.files.sanitize import plain
from tui.terminal.key_names import key_of
from tui.widgets.columns import Column
from tui.widgets.filter_box import FilterBox
from tui.widgets.listing import Listing

PRINTED, INFO, WARNING, ERROR = _ORDER = ("printed", "info", "warning", "error")
_STYLES = {PRINTED: "$foreground 70%", WARNING: "$warning", ERROR: "$error"}
_SHOWN = {
    PRINTED: "everything",
    INFO: "what the run says",
    WARNING: "warnings and errors",
    ERROR: "errors",
}
_LONGEST = 2000
_MARGIN = 9
_LATER = 0.05
_TROUBLE = re.compile(r"Traceback \(most|(?:^|[\s.])\w*Error\b|\bERROR\b|\bCRITICAL\b")
_DOUBT = re.compile(r"Warning\b|\bWARN(?:ING)?\b")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log; ``moment`` is in seconds since 1970, ``None`` where unknown."""

    moment: float | None
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A part of a line, wrapped to the width of the panel."""

    number: int
    part: int
    text: str
    line: LogLine


def printed_level(text: str) -> str:
    """Return the level of a line printed by a library, by its words."""
    if _TROUBLE.search(text):
        return ERROR
    return WARNING if _DOUBT.search(text) else PRINTED


class LogPanel(Vertical):
    """Shows the lines at or above a level that contain all words; follows the end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search the log", show=False, key_display="/"),
        Binding("v", "level", "Level of the log", show=False),
        Binding("escape", "clear", "Clear search", show=False),
    ]
    DEFAULT_CSS = """
    LogPanel {
        height: 1fr;
        FilterBox { display: none; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[LogLine] = ()
        self._least = PRINTED
        self._words: list[str] = []
        self._moving = False
        """Whether it is about to scroll to the end."""
        self._listing = Listing[_Row](
            [_column("")], self._cells, lambda row: (row.number, row.part), choosable=False
        )

    def compose(self) -> ComposeResult:
        """Yield the lines below the current filter, and the search input."""
        yield self._listing
        yield FilterBox(self._listing, "words that a line has", compact=True)

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave escape to the screen where there is no filter to clear."""
        del parameters
        return action != "clear" or self.query_one(FilterBox).display

    def show_log(self, lines: Sequence[LogLine]) -> None:
        """Show these lines; at the end, the view follows new ones."""
        self._lines = lines
        self._sift()

    def on_resize(self) -> None:
        """Wrap the lines for the new width."""
        self._sift()

    def action_search(self) -> None:
        """Search: only lines with all words are shown."""
        self.query_one(FilterBox).open()

    def action_clear(self) -> None:
        """Show all lines again."""
        self.query_one(FilterBox).close()

    def action_level(self) -> None:
        """Show only a higher level, or all levels again."""
        self._least = _ORDER[(_ORDER.index(self._least) + 1) % len(_ORDER)]
        self._sift()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._words = event.value.lower().split()
        self._sift()

    def _sift(self) -> None:
        width = self._listing.size.width
        if width <= 0:
            return
        at_end = self._moving or self._listing.cursor >= len(self._listing.items) - 1
        found = [(at, line) for at, line in _numbered(self._lines) if self._matches(line)]
        rows = [row for at, line in found for row in _rows(at, line, width - _MARGIN - 1)]
        self._listing.set_columns([_column(self._heading(len(found)))], self._cells)
        self._listing.set_items(rows)
        if at_end:
            self._moving = True
            self.call_after_refresh(self._to_end)

    def _to_end(self) -> None:
        """Scroll to the newest line; a list that has just grown can be scrolled a little later."""
        listing = self._listing
        listing.action_move(len(listing.items))
        seen = listing.scroll_offset.y + max(1, listing.size.height - 1)
        self._moving = seen < len(listing.items) and listing.is_on_screen
        if self._moving:
            self.set_timer(_LATER, self._to_end)

    def _matches(self, line: LogLine) -> bool:
        if line.level in _ORDER and _ORDER.index(line.level) < _ORDER.index(self._least):
            return False
        text = line.text.lower() if self._words else ""
        return all(word in text for word in self._words)

    def _heading(self, found: int) -> str:
        if not self._lines:
            return "no output yet"
        count = f"{len(self._lines):,} line{'s' * (len(self._lines) != 1)}"
        if found != len(self._lines):
            count = f"{found:,} of {count}"
        search, level = (key_of(self.app, name) for name in ("find", "view"))
        return f"{count}, {_SHOWN[self._least]}   {search} search   {level} level"

    def _cells(self, row: _Row) -> list[Content]:
        begin = ""
        if row.part == 0 and row.line.moment is not None:
            begin = f"{datetime.fromtimestamp(row.line.moment):%H:%M:%S}"
        text = Content.styled(row.text, _STYLES.get(row.line.level, ""))
        for word in self._words:
            for at in _places(word, row.text.lower()):
                text = text.stylize("bold reverse", at, at + len(word))
        return [Content.styled(f"{begin:<{_MARGIN}}", _STYLES[PRINTED]) + text]


def _column(title: str) -> Column:
    return Column(title, 10, 10_000)


def _numbered(lines: Sequence[LogLine]) -> Iterator[tuple[int, LogLine]]:
    """Yield each line with a number that stays when lines with or without a time are added."""
    timed = timeless = 0
    for line in lines:
        if line.moment is None:
            timeless += 1
            yield -timeless, line
        else:
            timed += 1
            yield timed, line


def _rows(number: int, line: LogLine, width: int) -> Iterator[_Row]:
    text = plain(line.text, _LONGEST)
    parts = chop_cells(text, max(1, width)) if len(text) > width // 2 else [text]
    for part, piece in enumerate(parts):
        yield _Row(number, part, piece, line)


def _places(word: str, text: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)
