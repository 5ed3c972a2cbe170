"""Lines of text of which only the cells that changed are sent to the terminal again."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


class Canvas(Widget):
    """A widget that is given its lines; over a slow connection a change costs what it changes."""

    DEFAULT_CSS = "Canvas { height: 1; width: 1fr; }"

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._lines: list[Content] = []
        self._strips: list[Strip] = []

    def show(self, lines: Sequence[Content]) -> int:
        """Show these lines from the top; what is longer or wider than the widget is cut.

        Returns the number of cells that are sent to the terminal again.
        """
        before = self._strips
        self._lines = list(lines)
        self._strips = [self._strip(line) for line in self._lines]
        blank, sent = Strip.blank(0), 0
        for y in range(max(len(before), len(self._strips))):
            old = before[y] if y < len(before) else blank
            new = self._strips[y] if y < len(self._strips) else blank
            if old != new:
                region = difference(y, old, new)
                sent += region.right  # Textual begins at the widget's left edge
                self.refresh(region)
        self._check_refresh()  # at once: when it is idle, the screen may have painted already
        return sent

    def render_line(self, y: int) -> Strip:
        """The strip of a line; called by Textual."""
        width = self.size.width
        style = self.visual_style.rich_style
        if y >= len(self._strips):
            return Strip.blank(width, style)
        return self._strips[y].crop_extend(0, width, style)

    def notify_style_update(self) -> None:
        """A change of the theme: colours in the lines mean something else now."""
        super().notify_style_update()
        self._strips = [self._strip(line) for line in self._lines]

    def _strip(self, line: Content) -> Strip:
        parts = line.render(self.visual_style, "", self.app.stylesheet.parse_style)
        return Strip([Segment(text, style.rich_style) for text, style in parts])


def difference(y: int, old: Strip, new: Strip) -> Region:
    """The cells of line ``y`` from the first to the last that is not the same."""
    a, b = _cells(old), _cells(new)
    shorter, width = sorted((len(a), len(b)))
    start = 0
    while start < shorter and a[start] == b[start]:
        start += 1
    while len(a) == len(b) and width > start and a[width - 1] == b[width - 1]:
        width -= 1
    return Region(start, y, width - start, 1)


def _cells(strip: Strip) -> list[tuple[str, object]]:
    """What each cell shows; a wide character fills two."""
    cells: list[tuple[str, object]] = []
    for text, style, _ in strip:
        if cell_len(text) == len(text):
            cells += [(character, style) for character in text]
        else:
            cells += [(one, style) for one in text for _ in range(max(1, cell_len(one)))]
    return cells
