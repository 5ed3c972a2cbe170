"""The picture of a single case: curves to explore, or an image."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Container

from engine.reports.picture import Picture
from engine.reports.views import Lines, Pictures, View
from tui.charts.explorer import ChartExplorer
from tui.widgets.picture_sheet import PictureSheet
from tui.widgets.view import plot_view, show_large


class CaseView(Container):
    """Draws one view at a time, by its form."""

    DEFAULT_CSS = """
    CaseView {
        height: 1fr;
        ChartExplorer, PictureSheet { height: 1fr; }
        PictureSheet { display: none; }
        &.-pictures PictureSheet { display: block; }
        &.-pictures ChartExplorer { display: none; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.view: View | None = None
        """The view that is shown."""

    def compose(self) -> ComposeResult:
        """Yield a chart and room for pictures, of which one is shown."""
        yield ChartExplorer()
        yield PictureSheet()

    @property
    def pictures(self) -> Sequence[Picture]:
        """The pictures that are shown; empty for curves."""
        return self.view.pictures if isinstance(self.view, Pictures) else ()

    def show(self, view: View | None) -> None:
        """Draw a view."""
        self.view = view
        self.set_class(isinstance(view, Pictures), "-pictures")
        match view:
            case Lines():
                plot_view(self.query_one(ChartExplorer), view)
            case Pictures():
                show_large(self.query_one(PictureSheet), view, self.size)

    def on_resize(self) -> None:
        """Draw pictures as large as there is room."""
        if self.pictures:
            self.show(self.view)
