"""A single case: curves to explore, an image, a text or the row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container

from engine.reports.picture import Picture
from engine.reports.views import Lines as LinesView
from engine.reports.views import Pictures, View
from tui.charts.explorer import ChartExplorer
from tui.format.whole import whole_case
from tui.widgets.lines import Lines
from tui.widgets.picture_sheet import PictureSheet
from tui.widgets.view import plot_view, show_large


class CaseView(Container):
    """Draws one view at a time, by its form."""

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

    def __init__(self) -> None:
        super().__init__()
        self.view: View | None = None
        """The view that is shown."""

    def compose(self) -> ComposeResult:
        """Yield a chart, room for pictures and for words, of which one is shown."""
        yield ChartExplorer()
        yield PictureSheet()
        yield Lines()

    @property
    def pictures(self) -> Sequence[Picture]:
        """The pictures that are shown; empty for curves."""
        return self.view.pictures if isinstance(self.view, Pictures) else ()

    def show(self, view: View | None) -> None:
        """Draw a view."""
        self.view = view
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

    def on_resize(self) -> None:
        """Draw pictures as large as there is room."""
        if self.pictures:
            self.show(self.view)
