"""A list of cases, filtered by name and sorted by error, with the picture of the one chosen.

A single case has no list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from typing_extensions import override

from engine.reports.gallery import Case, Cases
from engine.reports.views import View
from tui.charts.canvas import Canvas
from tui.charts.explorer import ChartExplorer
from tui.widgets.case_view import CaseView
from tui.widgets.filter_box import FilterBox
from tui.widgets.gallery_rows import CaseRow, GalleryRows, case_cells
from tui.widgets.listing import Listing

_BESIDE = 110
"""Columns from which on the list stands beside the picture."""
_LIST = 54
"""Columns that the list may take beside it; more on a wide screen."""


class GalleryPanel(Container):
    """The cases of a gallery, of which one is shown."""

    DEFAULT_CSS = """
    GalleryPanel {
        height: 1fr;
        layout: vertical;
        #heading { height: 1; color: $text-muted; }
        #cases { height: 1fr; }
        Listing { height: 40%; min-height: 4; }
        CaseView { height: 1fr; }
        FilterBox { display: none; height: 1; border: none; padding: 0; }
        &.-wide #cases { layout: horizontal; }
        &.-wide Listing { height: 1fr; margin-right: 1; }
        &.-wide CaseView { width: 1fr; }
        &.-single #heading, &.-single Listing { display: none; }
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

    def __init__(self, cases: Cases, rows: GalleryRows) -> None:
        super().__init__()
        self.single = rows.single
        """Whether there is no list."""
        self.set_class(self.single, "-single")
        self._rows = rows
        self._listing = Listing[CaseRow](
            rows.columns, case_cells, lambda row: row.place, choosable=False
        )
        self._filter = FilterBox(self._listing, "a part of the name", compact=True)
        self._case = CaseView(cases)

    def enter(self) -> None:
        """Focus the list, or the curves of a single case."""
        inner = self._case.query_one(ChartExplorer) if self.single else self._listing
        inner.focus()

    def compose(self) -> ComposeResult:
        """Yield a line about the list, the list, the picture and the filter."""
        yield Canvas(id="heading")
        with Container(id="cases"):
            yield self._listing
            yield self._case
        yield self._filter

    def on_mount(self) -> None:
        """Show the list in the order of the file, the worst first."""
        self._show()

    def on_resize(self, event: events.Resize) -> None:
        """Place the list above the picture, or beside it, as wide as it needs."""
        width = event.size.width
        wide = width >= _BESIDE
        self.set_class(wide, "-wide")
        most = max(_LIST, width * 11 // 20)
        self._listing.styles.width = min(self._rows.width, most) if wide else "100%"

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape clears the filter where there is one; all but curves is opened and explained."""
        del parameters
        if action in ("filter", "sort"):
            return not self.single
        if action == "enlarge":
            return self._case.enlarges
        if action == "explain":
            return self._case.explains
        return action != "clear" or bool(self._filter.display)

    def action_enlarge(self) -> None:
        """Show the picture, the text or the row alone."""
        if self._case.case is not None and self._case.enlarges:
            self.post_message(self.Enlarged(self._case.case.view))

    def action_explain(self) -> None:
        """Ask what the prediction rests on."""
        if self._case.case is not None:
            self.post_message(self.Explained(self._case.case))

    def action_filter(self) -> None:
        """Focus the filter."""
        self._filter.open()

    def action_clear(self) -> None:
        """Show all cases."""
        self._filter.close()

    def action_sort(self, step: int) -> None:
        """Sort by the next column, or the other way round."""
        self._rows.sort_by_next() if step else self._rows.reverse()
        self._show_first()

    @on(Listing.HeadingClicked)
    def _heading(self, event: Listing.HeadingClicked) -> None:
        self._rows.sort_by(event.column)
        self._show_first()

    @on(Listing.Moved)
    def _moved(self) -> None:
        row = self._listing.current
        if row is not None:
            self._case.read(row.place)

    @on(CaseView.Shown)
    def _shown(self) -> None:
        self.refresh_bindings()

    @on(FilterBox.Changed)
    def _show(self) -> None:
        rows = self._rows.matching(self._filter.value)
        self._listing.show_order(*self._rows.order)
        self._listing.set_items(rows)
        self._listing.action_move(0)  # to the row that is kept
        heading = self._rows.heading(len(rows), filtered=bool(self._filter.value.split()))
        self.query_one("#heading", Canvas).show([heading])

    def _show_first(self) -> None:
        """Show the first row of the new order, such as the worst."""
        self._show()
        self._listing.action_move(-len(self._listing.items))
