"""A dialog to choose a file or folder by a part of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.files.sanitize import plain
from tui.format.text import literal
from tui.widgets.columns import Column
from tui.widgets.dialog import Dialog
from tui.widgets.form.path_list import FoundPath, PathFacts, PathFinder, count_of, facts_of
from tui.widgets.form.path_rows import PathRows, PickRow, notes
from tui.widgets.hints import Hints
from tui.widgets.listing import Listing
from tui.widgets.plain_input import PlainInput

_NAME, _NARROW_NAME = 44, 32
"""Letters of a name on a screen of :data:`_WIDE` columns, and on a narrower one."""
_WIDE = 100
_COLUMNS = (
    Column("Name", 20, _NAME),
    Column("Size", 9, 9, right=True),
    Column("First line", 12, 400),
)
_LONGEST = 10_000
_AT_ONCE = 40
"""Files whose facts are read in one go."""
_PAUSE_SECONDS = 0.1
"""Pause of typing after which the disk is searched; for each letter would hold up the next."""
_PATTERN = frozenset("*?[")
Purpose = Literal["field", "read", "write"]
"""Change a field, whose value stays unless another is chosen; name what to read, or a new file."""


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
        Binding("pagedown", "move(10)", "Ten down", show=False, priority=True),
        Binding("pageup", "move(-10)", "Ten up", show=False, priority=True),
    ]

    def __init__(
        self,
        title: str,
        text: str,
        options: Mapping[str, str] | None = None,
        purpose: Purpose = "field",
    ) -> None:
        """Begin with the path ``text``; ``options`` are values that are not on this disk."""
        super().__init__()
        self._title = title
        self._text = plain(text, _LONGEST)  # as the input shows it
        hint = "a path, or a part of a name"
        self._input = PlainInput(text, placeholder=hint, compact=True)
        self._listing = Listing[PickRow](
            _COLUMNS, self._cells, lambda row: row.value, choosable=False
        )
        self._note = Static("reading the folder …", id="note")
        self._options = options or {}
        self._purpose = purpose
        self._new_name = PurePath(text).name if purpose == "write" else ""
        """Name of the new file in whatever folder."""
        self._finder = PathFinder()
        self._searched: str | None = None
        self._facts: dict[str, PathFacts] = {}

    def compose(self) -> ComposeResult:
        """Yield an input line above the list."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            yield self._input
            yield self._listing
            yield self._note
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

    @on(Input.Changed)
    def _search_soon(self) -> None:
        self.run_worker(self._search(self._input.value), group="find", exclusive=True)

    @on(Listing.CellClicked)
    async def _clicked(self) -> None:
        await self.action_take()

    async def _search(self, typed: str) -> None:
        """Show the paths for what is typed, then their facts."""
        if self._searched is not None:
            await asyncio.sleep(_PAUSE_SECONDS)  # the next letter cancels it
        await self._show_paths(typed)
        await self._read_facts()

    async def _show_paths(self, typed: str) -> None:
        if typed == self._searched:
            return
        found = await asyncio.to_thread(self._finder.find, typed)
        pattern = bool(_PATTERN & set(typed)) and not found.exact
        count = await asyncio.to_thread(count_of, typed) if pattern else None
        superseded = typed != self._input.value or typed == self._searched
        if superseded or not self._note.is_attached:
            return  # more was typed, a key has shown them meanwhile, or the dialog is closed
        self._searched = typed
        listing = self._listing
        listing.action_move(-len(listing.items))
        listing.items = ()  # the cursor stays at the top
        room = _NAME if self.size.width >= _WIDE else _NARROW_NAME
        clears = self._purpose == "field" and bool(self._text)
        new = self._purpose == "write"
        listing.set_items(list(PathRows(typed, found, count, self._options, room, clears, new)))
        self._note.update(literal(" · ".join(notes(typed, found)), 300))

    async def _read_facts(self) -> None:
        paths = [row.path for row in self._listing.items if row.path is not None]
        unread = [path for path in paths if path.text not in self._facts]
        for begin in range(0, len(unread), _AT_ONCE):
            part = unread[begin : begin + _AT_ONCE]
            for path, facts in zip(part, await asyncio.to_thread(_all_facts, part), strict=True):
                self._facts[path.text] = facts
            self._listing.refresh_rows()

    def _cells(self, row: PickRow) -> Sequence[Content]:
        facts = self._facts.get(row.value) or PathFacts("", row.about)
        return [row.name, Content(facts.size), literal(facts.line, 400).stylize("$text-muted")]

    async def action_take(self) -> None:
        """Choose the row at the cursor; open a folder, unless it is the one that was typed."""
        typed = self._input.value
        await self._show_paths(typed)
        row = self._listing.current
        unchanged = typed == self._text and self._listing.cursor == 0
        if unchanged and self._purpose == "field":
            self.dismiss(None)  # nothing was typed or chosen: the value stays
        elif row is None:
            self.dismiss(typed or None)
        elif row.value.rstrip("/") != typed.rstrip("/") and (row.folder or self._new_name):
            # Another file is not replaced by this key: it stands in the input first.
            self._write(row.value + self._new_name * row.folder)
        elif self._new_name and typed.endswith("/"):
            self._write(typed + self._new_name)
        else:
            self.dismiss(row.value.rstrip("/") or row.value)

    async def action_complete(self) -> None:
        """Write the row at the cursor into the input; of a folder, its entries follow."""
        await self._show_paths(self._input.value)
        if (row := self._listing.current) is not None:
            self._write(row.value)

    async def action_move(self, rows: int) -> None:
        """Move the cursor in the list of what is typed."""
        await self._show_paths(self._input.value)
        self._listing.action_move(rows)

    def _write(self, text: str) -> None:
        self._input.value = text
        self._input.cursor_position = len(text)


def _all_facts(paths: Sequence[FoundPath]) -> list[PathFacts]:
    return list(map(facts_of, paths))
