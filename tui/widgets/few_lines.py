"""A text wrapped to a few lines; the last one ends in an ellipsis where there is more."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class FewLines(Static):
    """Text whose widget is as high as its lines, from two to :attr:`MOST`."""

    DEFAULT_CSS = "FewLines { height: auto; min-height: 2; text-wrap: nowrap; }"
    MOST = 3
    """Lines at most."""

    def __init__(self, text: Content) -> None:
        super().__init__(text)
        self._whole = text
        self._lines = 2

    def say(self, text: Content) -> None:
        """Show a text, whose lines are wrapped at the width of the widget."""
        self._whole = text
        lines = _fitted(text, self.content_size.width, self.MOST)
        # A new layout of the whole screen takes long; most texts are as high as those before.
        higher, self._lines = len(lines) != self._lines, len(lines)
        self.update(Content("\n").join(lines), layout=higher)

    def on_resize(self) -> None:
        """Wrap the text anew."""
        self.say(self._whole)


def _fitted(text: Content, width: int, most: int) -> list[Content]:
    """Return the text in ``most`` lines of ``width`` cells; as it is while there is no width."""
    lines = text.wrap(width) if width else text.split("\n")
    if len(lines) <= most:
        return lines
    last = Content(" ").join(line.rstrip() for line in lines[most - 1 :])
    return [*lines[: most - 1], last.truncate(width, ellipsis=True)]
