"""A dialog to choose a file or folder by a part of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from tui.format.fuzzy import highlighted, match
from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.dialog import Dialog
from tui.widgets.form.path_list import Found, FoundPath, PathFacts, PathFinder, count_of, facts_of
from tui.widgets.hints import Hints
from tui.widgets.listing import Listing
from tui.widgets.plain_input import PlainInput

_COLUMNS = (
    Column("Name", 20, 44),
    Column("Size", 9, 9, right=True),
    Column("First line", 12, 400),
)
_AT_ONCE = 40
"""Files whose facts are read in one go."""
_PATTERN = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class PickRow:
    """A row of the list."""

    value: str
    """The value of the field; that of a folder ends with a slash."""
    name: Content
    about: str = ""
    path: FoundPath | None = None

    @property
    def folder(self) -> bool:
        """Whether it is a folder on this disk."""
        return self.path is not None and self.path.folder


class PathPickerScreen(Dialog[str | None]):
    """Dismisses the path that was chosen or typed, ``None`` for no change.

    The disk is read in threads. What was typed is searched in the folder that it names.
    """

    CSS_PATH = "path_picker.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("enter", "take", "Take, open a folder", priority=True),
        Binding("tab", "complete", "Complete", show=False, priority=True),
        Binding("down", "move(1)", "Down", show=False, priority=True),
        Binding("up,shift+tab", "move(-1)", "Up", show=False, priority=True),
        Binding("pagedown", "page(1)", "Page down", show=False, priority=True),
        Binding("pageup", "page(-1)", "Page up", show=False, priority=True),
    ]

    def __init__(self, title: str, text: str, options: Mapping[str, str] | None = None) -> None:
        """Begin with the path ``text``; ``options`` are values that are not on this disk."""
        super().__init__()
        self._title = title
        self._text = text
        self._options = options or {}
        self._finder = PathFinder()
        self._searched: str | None = None
        self._start = ""
        self._facts: dict[str, PathFacts] = {}

    def compose(self) -> ComposeResult:
        """Yield an input line above the list."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            yield PlainInput(self._text, placeholder="a path, or a part of a name", compact=True)
            yield Listing[PickRow](_COLUMNS, self._cells, lambda row: row.value, choosable=False)
            yield Static(id="note")
            yield Hints(
                ("enter", "enter takes, opens folders"),
                ("tab", "tab completes"),
                ("escape", "esc goes back"),
            )

    def on_mount(self) -> None:
        """Show what the path may mean."""
        self._listing.can_focus = False
        self._input.focus()
        self._input.cursor_position = len(self._text)
        self._search_soon()

    @property
    def _listing(self) -> Listing[PickRow]:
        return self.query_one(Listing)

    @property
    def _input(self) -> PlainInput:
        return self.query_one(PlainInput)

    @on(Input.Changed)
    def _search_soon(self) -> None:
        self.run_worker(self._search(self._input.value), group="find", exclusive=True)

    @on(Listing.CellClicked)
    async def _clicked(self) -> None:
        await self.action_take()

    async def _search(self, typed: str) -> None:
        """Show the paths for what is typed, then their facts."""
        await self._show_paths(typed)
        await self._read_facts()

    async def _show_paths(self, typed: str) -> None:
        if typed == self._searched:
            return
        found = await asyncio.to_thread(self._finder.find, typed)
        pattern = bool(_PATTERN & set(typed)) and not found.exact
        count = await asyncio.to_thread(count_of, typed) if pattern else None
        if typed != self._input.value:
            return
        self._searched = typed
        self._start = typed[: typed.rfind("/") + 1]
        listing = self._listing
        listing.action_move(-len(listing.items))
        listing.items = ()  # the cursor stays at the top
        listing.set_items(list(self._rows(typed, found, count)))
        self.query_one("#note", Static).update(literal(" · ".join(_notes(typed, found)), 300))

    async def _read_facts(self) -> None:
        paths = [row.path for row in self._listing.items if row.path is not None]
        unread = [path for path in paths if path.text not in self._facts]
        for begin in range(0, len(unread), _AT_ONCE):
            part = unread[begin : begin + _AT_ONCE]
            for path, facts in zip(part, await asyncio.to_thread(_all_facts, part), strict=True):
                self._facts[path.text] = facts
            self._listing.refresh_rows()

    def _rows(self, typed: str, found: Found, count: int | None) -> Iterator[PickRow]:
        """Yield what exists as it is typed, then the matches, then the typed text itself.

        Where other names are offered, any text may be one: it comes before vague matches.
        """
        exact, others = found.paths[: found.exact], found.paths[found.exact :]
        itself = [] if exact or not typed or typed in self._options else [_as_typed(typed, count)]
        first = count is not None
        yield from map(self._path_row, exact)
        yield from itself if first else ()
        yield from self._option_rows(typed, close=True)
        yield from (self._path_row(path) for path in others if path.close)
        yield from itself if self._options and not first else ()
        yield from self._option_rows(typed, close=False)
        yield from (self._path_row(path) for path in others if not path.close)
        yield from itself if not self._options and not first else ()

    def _option_rows(self, typed: str, *, close: bool) -> Iterator[PickRow]:
        for value, about in self._options.items():
            matched = match(typed, value)
            if value and matched and matched.close == close:
                yield PickRow(value, highlighted(literal(value), matched.places), about)

    def _path_row(self, path: FoundPath) -> PickRow:
        before = len(self._start)
        name = path.text[before:]
        if not name:
            return PickRow(path.text, Content("this folder").stylize("italic"), path=path)
        places = [place - before for place in path.places if place >= before]
        return PickRow(path.text, highlighted(literal(name, 1000), places), path=path)

    def _cells(self, row: PickRow) -> Sequence[Content]:
        facts = self._facts.get(row.value) or PathFacts("", row.about)
        return [row.name, Content(facts.size), literal(facts.line, 400).stylize("$text-muted")]

    async def action_take(self) -> None:
        """Choose the row at the cursor; open a folder, unless it is the one that was typed."""
        typed = self._input.value
        await self._show_paths(typed)
        row = self._listing.current
        if typed == self._text and self._listing.cursor == 0:
            self.dismiss(None)  # nothing was typed or chosen: the value stays
        elif row is None:
            self.dismiss(typed)
        elif row.folder and row.value.rstrip("/") != typed.rstrip("/"):
            self._write(row.value)
        else:
            self.dismiss(row.value.rstrip("/") or row.value)

    async def action_complete(self) -> None:
        """Write the row at the cursor into the input; of a folder, its entries follow."""
        await self._show_paths(self._input.value)
        if (row := self._listing.current) is not None:
            self._write(row.value)

    def action_move(self, rows: int) -> None:
        """Move the cursor in the list."""
        self._listing.action_move(rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._listing.action_page(pages)

    def _write(self, text: str) -> None:
        self._input.value = text
        self._input.cursor_position = len(text)


def _all_facts(paths: Sequence[FoundPath]) -> list[PathFacts]:
    return list(map(facts_of, paths))


def _as_typed(typed: str, count: int | None) -> PickRow:
    if count is None:
        about = "as it is typed; no file here has this name"
    else:
        about = f"a pattern for {count:,} file{'s' * (count != 1)}"
    return PickRow(typed, Content("use ") + literal(typed).stylize("bold"), about)


def _notes(typed: str, found: Found) -> Iterator[str]:
    if not found.paths and typed.endswith("/"):
        yield "this folder is missing or cannot be read"
    yield from found.left_out
