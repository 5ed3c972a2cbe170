"""Progress bars of a run: for the epoch and for the whole, on one line each."""

from __future__ import annotations

from textual.content import Content

from tui.charts.canvas import Canvas
from tui.format.numbers import percent

_EIGHTHS = " ▏▎▍▌▋▊▉"


class ProgressLine(Canvas):
    """A caption, a text, and a bar that fills the rest of the width.

    The bar comes last: the part of a line after its last change is not sent to the terminal.
    """

    def show_progress(self, caption: str, done: float, after: str) -> None:
        """Show ``done``, a share from 0 to 1."""
        head = f"{caption:<18.18} "
        text = f"{percent(done):>4}  {after:<24.24} "
        room = max(0, self.size.width - len(head) - len(text))
        filled = bar(done, room)
        rest = "·" * (room - len(filled))
        self.show(
            [Content.assemble((head, "bold"), text, (filled, "$primary"), (rest, "$text-disabled"))]
        )


def bar(share: float, width: int) -> str:
    """Return the filled part of a bar of ``width`` cells, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, part = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")
