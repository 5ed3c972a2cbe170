"""A list of cases, filtered by name and sorted by error, with the picture of the one chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from typing_extensions import override

from engine.files.sanitize import plain
from engine.reports.gallery import Case, GalleryList
from engine.reports.views import Cell, Lines, View
from engine.runs.gallery_file import GalleryFile
from tui.charts.canvas import Canvas
from tui.format.numbers import number
from tui.format.text import literal
from tui.widgets.case_view import CaseView
from tui.widgets.columns import Column
from tui.widgets.filter_box import FilterBox
from tui.widgets.listing import Listing

_BESIDE = 110
"""Columns from which on the list stands beside the picture."""
_NAME, _NUMBER = (10, 40), (7, 12)


@dataclass(frozen=True, slots=True)
class _Case:
    """A row of the list, and where its picture is in the file."""

    cells: Sequence[Cell]
    place: int
    text: str
    """All names in the row, in small letters."""


class GalleryPanel(Container):
    """Reads pictures from the run's file in a thread, one at a time."""

    DEFAULT_CSS = """
    GalleryPanel {
        height: 1fr;
        layout: vertical;
        #told { height: 1; color: $text-muted; }
        #cases { height: 1fr; }
        Listing { height: 40%; min-height: 4; }
        CaseView { height: 1fr; }
        FilterBox { display: none; height: 1; border: none; padding: 0; }
        &.-wide #cases { layout: horizontal; }
        &.-wide Listing { height: 1fr; width: 54; margin-right: 1; }
        &.-wide CaseView { width: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("o", "sort(1)", "Sort"),
        Binding("O", "sort(0)", "Reverse the order", show=False),
        Binding("enter", "enlarge", "Open whole"),
        Binding("e,ctrl+g", "explain", "Where did it look?", key_display="e"),
        Binding("escape", "clear", "Show all"),
    ]

    @dataclass
    class Enlarged(Message):
        """A case is to be seen alone."""

        view: View

    @dataclass
    class Explained(Message):
        """The prediction for a case is to be explained."""

        case: Case

    @dataclass
    class Read(Message, bubble=False):
        """A case was read; ``None`` where it cannot be."""

        place: int
        case: Case | None

    def __init__(self, file: GalleryFile, found: GalleryList) -> None:
        super().__init__()
        self._file = file
        self._found = found
        self._cases = [
            _Case(row, place, " ".join(str(cell) for cell in row if isinstance(cell, str)).lower())
            for row, place in zip(found.rows, found.places, strict=True)
        ]
        self._sorted: tuple[int, bool] | None = None
        self._shown = -1
        self._read_case: Case | None = None

    def compose(self) -> ComposeResult:
        """Yield a line about the list, the list, the picture and the filter."""
        yield Canvas(id="told")
        with Container(id="cases"):
            listing = Listing[_Case](
                [self._column(place) for place in range(len(self._found.columns))],
                lambda case: [_cell(cell) for cell in case.cells],
                lambda case: case.place,
                choosable=False,
            )
            yield listing
            yield CaseView()
        yield FilterBox(listing, "a part of the name", compact=True)

    def on_mount(self) -> None:
        """Show the list in the order of the file, the worst first."""
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Place the list above the picture, or beside it."""
        self.set_class(event.size.width >= _BESIDE, "-wide")

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape clears the filter where there is one; all but curves is opened and explained."""
        del parameters
        if action == "enlarge":
            return self._opens
        if action == "explain":
            known = self._read_case is not None and self._read_case.explained is not None
            return known or bool(self._case.pictures)
        return action != "clear" or self.query_one(FilterBox).display

    def action_enlarge(self) -> None:
        """Show the picture, the text or the row alone."""
        if self._read_case is not None and self._opens:
            self.post_message(self.Enlarged(self._read_case.view))

    def action_explain(self) -> None:
        """Ask what the prediction rests on."""
        if self._read_case is not None:
            self.post_message(self.Explained(self._read_case))

    def action_filter(self) -> None:
        """Focus the filter."""
        self.query_one(FilterBox).open()

    def action_clear(self) -> None:
        """Show all cases."""
        self.query_one(FilterBox).close()

    def action_sort(self, step: int) -> None:
        """Sort by the next column, or the other way round."""
        column, descending = self._sorted or (self._first_number, True)
        if step:
            column = (column + 1) % len(self._found.columns)
            self._sorted = column, column >= self._first_number
        else:
            self._sorted = column, not descending
        self._show()

    @on(Listing.HeadingClicked)
    def _heading(self, event: Listing.HeadingClicked) -> None:
        column, descending = self._sorted or (-1, False)
        first = event.column >= self._first_number
        self._sorted = event.column, not descending if event.column == column else first
        self._show()

    @on(FilterBox.Changed)
    def _typed(self) -> None:
        self._show()

    @on(Listing.Moved)
    def _moved(self) -> None:
        case: _Case | None = self.query_one(Listing).current
        if case is not None and case.place != self._shown:
            self._shown = case.place
            read = partial(self._read, case.place)
            self.run_worker(read, thread=True, group="picture", exclusive=True)

    def _read(self, place: int) -> None:
        """Read a case, in a thread."""
        self.post_message(self.Read(place, self._file.case(place)))

    def on_gallery_panel_read(self, event: Read) -> None:
        """Draw the case, unless another one is wanted by now."""
        if event.place == self._shown:
            self._read_case = event.case
            self._case.show(None if event.case is None else event.case.view)
            self.refresh_bindings()

    @property
    def _opens(self) -> bool:
        """Whether the case is more than a curve, which is as large as can be."""
        return self._read_case is not None and not isinstance(self._read_case.view, Lines)

    @property
    def _case(self) -> CaseView:
        return self.query_one(CaseView)

    @property
    def _first_number(self) -> int:
        """Place of the first column of errors."""
        row = self._found.rows[0] if self._found.rows else ()
        names = (i for i, cell in enumerate(row) if not isinstance(cell, str))
        return next(names, 0)

    def _column(self, place: int) -> Column:
        is_number = place >= self._first_number
        title = plain(self._found.columns[place], 40)
        if is_number:
            return Column(title, *_NUMBER, right=True)
        least, most = _NAME
        longest = max([len(title), *(len(str(row[place])) for row in self._found.rows)])
        return Column(title, min(least, longest + 1), min(most, longest + 1))

    def _show(self) -> None:
        words = self.query_one(FilterBox).value.lower().split()
        cases = [case for case in self._cases if all(word in case.text for word in words)]
        listing = self.query_one(Listing)
        if self._sorted is not None:
            column, descending = self._sorted
            known = [case for case in cases if case.cells[column] is not None]
            known.sort(key=lambda case: _order(case.cells[column]), reverse=descending)
            cases = known + [case for case in cases if case.cells[column] is None]
            listing.show_order(column, descending)
        else:
            listing.show_order(self._first_number, True)
        listing.set_items(cases)
        self.query_one("#told", Canvas).show([self._told(len(cases), bool(words))])

    def _told(self, shown: int, filtered: bool) -> Content:
        found = self._found
        text = f"{shown:,} of {len(found.rows):,}" if filtered else f"{len(found.rows):,}"
        text += f" {found.title.lower()}"
        if found.total > len(found.rows):
            text += f", the worst of {found.total:,}"
        elif self._sorted is None:
            text += ", worst first"
        return literal(text)


def _cell(value: Cell) -> Content:
    if isinstance(value, float):
        return Content(number(value))
    return literal("–" if value is None else value)


def _order(value: Cell) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (float(value or 0), "")
