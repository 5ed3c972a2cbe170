"""Draws the views of a report by their form, independently of the task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widgets import Static

from engine.files.sanitize import plain
from engine.reports.picture import PictureGroup
from engine.reports.views import Lines as LinesView
from engine.reports.views import Matrix, Pictures, Shaded, Table, Texts, View
from tui.charts.band import Band
from tui.charts.chart import STYLES, Chart, Curve
from tui.charts.heatmap import heatmap
from tui.format.captions import caption_width, captioned
from tui.format.text import literal
from tui.format.whole import whole_row
from tui.widgets.lines import Lines
from tui.widgets.listing import Listing
from tui.widgets.pictures.layout import GAP
from tui.widgets.pictures.shaded_text import shaded_lines
from tui.widgets.pictures.sheet import PictureSheet
from tui.widgets.table_view import RANKED, NumberedRow, TableView

_CAPTION = 20
"""Cells of the longest caption of a text."""
_TOLD = (RANKED, "Reliability: ")
"""Beginnings of titles of tables that say more than that of their tab."""
_SHORT = 6
"""Lines of a view that stands above others in full."""
_QUANTILE = re.compile(r"(.* )?(0?\.\d+)")
"""Names of curves that are quantiles: a level, or a name and a level behind it."""


class ViewPanel(Container):
    """One view of a report, as large as the available space."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "view--low", "view--high", "view--for", "view--against",
    }  # fmt: skip
    DEFAULT_CSS = """
    ViewPanel {
        height: 1fr;
        .view--low { background: $surface; }
        .view--high { background: $primary; }
        .view--for { background: $success; }
        .view--against { background: $error; }
        .title { color: $text-muted; }
    }
    """

    @dataclass
    class Opened(Message):
        """A row of a table is to be seen whole."""

        title: str
        lines: Sequence[Content]

    def __init__(self, view: View, opens: bool = False) -> None:
        """If ``opens``, enter asks to see a row of a table whole."""
        super().__init__()
        self._view = view
        self._opens = opens

    def compose(self) -> ComposeResult:
        """Yield the widget for the view's form."""
        match self._view:
            case Table(title=title):
                if _explains(self._view):
                    yield Static(literal(title, 200), classes="title")
                yield TableView(self._view, self._opens)
            case LinesView():
                yield Chart()
            case Pictures():
                yield PictureSheet()
            case _:
                yield Lines()

    def on_mount(self) -> None:
        """Show the content, once the size is known."""
        self.call_after_refresh(self.fill)

    def on_resize(self) -> None:
        """Wrap and shade for the new size."""
        self.call_after_refresh(self.fill)

    @on(Listing.Selected)
    def _selected(self, event: Listing.Selected) -> None:
        event.stop()
        current: NumberedRow | None = self.query_one(TableView).current
        if isinstance(self._view, Table) and current is not None:
            title = f"{self._view.title}, row {current[0] + 1}"
            self.post_message(self.Opened(title, whole_row(self._view.columns, current[1])))

    def fill(self) -> None:
        """Show the content."""
        match self._view:
            case Table():
                self.query_one(TableView).fill()
            case LinesView():
                plot_view(self.query_one(Chart), self._view)
            case Matrix():
                low = self.get_component_styles("view--low").background
                high = self.get_component_styles("view--high").background
                cells = heatmap(self._view, low, high, self.size.width - 1)
                self.query_one(Lines).show_lines(cells, wrap=False)
            case Texts():
                self.query_one(Lines).show_lines(texts(self._view))
            case Pictures():
                show_large(self.query_one(PictureSheet), self._view, self.size)
            case Shaded():
                names = ("view--low", "view--for", "view--against")
                colours = [self.get_component_styles(name).background for name in names]
                self.query_one(Lines).show_lines(shaded_lines(self._view, *colours))


class ViewStack(Container):
    """Views one below the other; short texts take up the room that they need."""

    DEFAULT_CSS = """
    ViewStack { height: 1fr; layout: vertical; }
    """

    def __init__(self, views: Sequence[View], opens: bool = False) -> None:
        """If ``opens``, enter asks to see a row of a table whole."""
        super().__init__()
        self._views = views
        self._opens = opens

    def compose(self) -> ComposeResult:
        """Yield a panel a view."""
        for view in self._views:
            panel = ViewPanel(view, self._opens)
            if len(self._views) > 1:
                height = _height(view)
                panel.styles.height = height if height is not None else "1fr"
            yield panel


def _explains(view: View) -> bool:
    """Return whether the title of a table says more than that of its tab."""
    return isinstance(view, Table) and view.title.startswith(_TOLD)


def _height(view: View) -> int | None:
    """Return the lines of a short view; ``None`` for one that takes the room there is."""
    match view:
        case Texts():
            return min(_SHORT, len(texts(view)))
        case Table() if len(view.rows) < _SHORT:
            return len(view.rows) + 2 + _explains(view)
        case _:
            return None


def show_large(sheet: PictureSheet, view: Pictures, room: Size) -> None:
    """Show pictures side by side, as large as the room allows."""
    each = room.width // max(1, len(view.pictures)) - GAP
    side = max(1, min(each, 2 * (room.height - 1)))
    sheet.show([PictureGroup("", tuple(view.pictures))], side)


def plot_view(chart: Chart, view: LinesView) -> None:
    """Plot curves; where two of them are quantiles of the same, as a band."""
    labels = {x: plain(text, 40) for x, text in zip(view.x, view.labels, strict=False)}
    axis = "" if labels else view.axis
    ends = _quantiles(view)
    others = {name: values for name, values in view.series.items() if name not in ends}
    if not ends or not others:
        chart.plot(view.title, curves(view), axis=axis, labels=labels)
        return
    low, high = ends
    known = [
        (x, lower, upper)
        for x, lower, upper in zip(view.x, view.series[low], view.series[high], strict=False)
        if lower is not None and upper is not None
    ]
    name = f"{ends[low] * 100:.6g}–{ends[high] * 100:.6g} %"
    band = Band(name, [(x, y) for x, y, _ in known], [(x, y) for x, _, y in known])
    chart.plot(
        view.title, curves(replace(view, series=others)), axis=axis, labels=labels, band=band
    )


def _quantiles(view: LinesView) -> dict[str, float]:
    """The two curves that are quantiles of the same, by their levels, the lower first."""
    found = [(match, name) for name in view.series if (match := _QUANTILE.fullmatch(name))]
    if len(found) != 2 or found[0][0][1] != found[1][0][1]:
        return {}
    return dict(sorted(((name, float(match[2])) for match, name in found), key=lambda end: end[1]))


def curves(view: LinesView) -> list[Curve]:
    """Return the series, each in its own style; gaps are left out."""
    return [
        Curve(
            name,
            STYLES[place % len(STYLES)],
            [(x, y) for x, y in zip(view.x, series, strict=False) if y is not None],
            joined=name not in view.points,
        )
        for place, (name, series) in enumerate(view.series.items())
    ]


def texts(view: Texts) -> list[Content]:
    """Return the items, a caption and its text a line."""
    lines: list[Content] = []
    for item in view.items:
        width = caption_width(item, _CAPTION)
        for name, text in item.items():
            lines.append(captioned(name, literal(text or "—", 5000), width, _CAPTION))
        lines.append(Content(""))
    return lines
