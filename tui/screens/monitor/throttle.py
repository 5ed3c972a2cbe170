"""How often a screen that watches paints: the one place that knows of slow connections."""

from __future__ import annotations

from typing import ClassVar

_CELLS_A_SECOND = 1000
"""Of charts; about three bytes each."""
_LONGEST = 4.0


class Pace:
    """Says of each part whether it is due; times are of any one clock, in seconds.

    Over a slow connection the numbers come every two seconds and the chart, which is most of
    what is sent, every ten; what a key asks for comes at once. After a picture that was new in
    most of its cells, as when the scale of an axis has changed, the next one is waited for longer.
    """

    _SECONDS: ClassVar[dict[str, tuple[float, float]]] = {
        "numbers": (0.5, 2.0),
        "chart": (1.0, 10.0),
        "title": (1.0, 5.0),
    }
    """By part: between two paintings, and over a slow connection."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, part: str, now: float, slow: bool, sent: int = 0) -> bool:
        """Whether to paint a part now; if so, it is not due again for a while.

        ``sent`` is the number of cells that it has sent last.
        """
        last = self._last.get(part)
        seconds = max(self._SECONDS[part][slow], min(_LONGEST, sent / _CELLS_A_SECOND))
        # A timer may come a little early.
        if last is not None and now - last < seconds - 0.05:
            return False
        self._last[part] = now
        return True

    def hurry(self) -> None:
        """Everything is due at once."""
        self._last.clear()
