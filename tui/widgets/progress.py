"""How far a run is: a bar each for the epoch and for the whole, on one line each."""

from __future__ import annotations

from textual.content import Content

from tui.widgets.canvas import Canvas

_EIGHTHS = " ▏▎▍▌▋▊▉"


class ProgressLine(Canvas):
    """A caption, a bar that fills the width, and a text behind it."""

    def show_progress(self, caption: str, done: float, after: str) -> None:
        """``done`` is a share from 0 to 1."""
        head = f"{caption:<15.15} "
        tail = f" {done:4.0%}  {after:<23.23}"
        room = max(4, self.size.width - len(head) - len(tail))
        filled = bar(done, room)
        rest = "·" * (room - len(filled))
        self.show(
            [Content.assemble((head, "bold"), (filled, "$primary"), (rest, "$text-disabled"), tail)]
        )


def bar(share: float, width: int) -> str:
    """The filled part of a bar of ``width`` cells, to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, part = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")
