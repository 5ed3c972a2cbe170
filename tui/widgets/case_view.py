"""A single case: curves to explore, an image, a text or the row of a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message

from engine.reports.gallery import Case, Cases
from engine.reports.views import Lines as LinesView
from engine.reports.views import Pictures, View
from tui.charts.explorer import ChartExplorer
from tui.format.whole import whole_case
from tui.widgets.lines import Lines
from tui.widgets.pictures.sheet import PictureSheet
from tui.widgets.view import plot_view, show_large


class CaseView(Container):
    """Reads cases in a thread; draws one at a time, by the form of its view."""

    DEFAULT_CSS = """
    CaseView {
        height: 1fr;
        ChartExplorer, PictureSheet { height: 1fr; }
        PictureSheet, Lines { display: none; }
        &.-pictures PictureSheet { display: block; }
        &.-words Lines { display: block; }
        &.-pictures ChartExplorer, &.-words ChartExplorer { display: none; }
    }
    """

    class Shown(Message):
        """Another case is shown."""

    @dataclass
    class Read(Message, bubble=False):
        """A case was read; ``None`` where it cannot be."""

        place: int
        case: Case | None

    def __init__(self, cases: Cases) -> None:
        super().__init__()
        self._cases = cases
        self._wanted = -1
        self.case: Case | None = None
        """The case that is shown."""

    def compose(self) -> ComposeResult:
        """Yield a chart, room for pictures and for words, of which one is shown."""
        yield ChartExplorer()
        yield PictureSheet()
        yield Lines()

    @property
    def enlarges(self) -> bool:
        """Whether the case is more than a curve, which is as large as can be."""
        return self.case is not None and not isinstance(self.case.view, LinesView)

    @property
    def explains(self) -> bool:
        """Whether the prediction can be explained."""
        return self.case is not None and explainable(self.case)

    def read(self, place: int) -> None:
        """Show the case at a place of the list, as soon as it is read."""
        if place != self._wanted:
            self._wanted = place
            work = partial(self._read, place)
            self.run_worker(work, thread=True, group="picture", exclusive=True)

    def on_resize(self) -> None:
        """Draw pictures as large as there is room."""
        if self.case is not None and _has_pictures(self.case.view):
            self._draw(self.case.view)

    def on_case_view_read(self, event: Read) -> None:
        """Draw the case, unless another one is wanted by now."""
        if event.place == self._wanted:
            self.case = event.case
            self._draw(None if event.case is None else event.case.view)
            self.post_message(self.Shown())

    def _read(self, place: int) -> None:
        """Read a case, in a thread."""
        self.post_message(self.Read(place, self._cases.case(place)))

    def _draw(self, view: View | None) -> None:
        self.set_class(isinstance(view, Pictures), "-pictures")
        words = whole_case(view)
        self.set_class(bool(words), "-words")
        match view:
            case LinesView():
                plot_view(self.query_one(ChartExplorer), view)
            case Pictures():
                show_large(self.query_one(PictureSheet), view, self.size)
            case _:
                self.query_one(Lines).show_lines(words)


def explainable(case: Case) -> bool:
    """Return whether the prediction of a case can be explained."""
    # Runs of earlier versions name no inputs of explanations. They have one picture a case; two are
    # boxes or masks beside the true ones, which have no explanation.
    view = case.view
    alone = isinstance(view, Pictures) and len(view.pictures) == 1
    return case.explained is not None or alone


def _has_pictures(view: View) -> bool:
    return isinstance(view, Pictures) and bool(view.pictures)
