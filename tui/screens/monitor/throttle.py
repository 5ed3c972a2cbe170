"""The refresh rate of a screen that follows a run: the only place that handles slow connections."""

from __future__ import annotations

from typing import ClassVar

_CELLS_A_SECOND = 1000
"""Cells of a chart sent per second; about three bytes each."""
_LONGEST = 4.0


class Pace:
    """Decides when each part is due; times are of any one clock, in seconds.

    Over a slow connection the numbers are painted every two seconds. The chart, which is most of
    what is sent, is painted every ten. After a key, everything is painted at once. The interval is
    longer after a frame in which most cells changed, as with a new scale of an axis.
    """

    _SECONDS: ClassVar[dict[str, tuple[float, float]]] = {
        "numbers": (0.5, 2.0),
        "chart": (1.0, 10.0),
        "title": (1.0, 5.0),
    }
    """Interval of each part in seconds: usually, and over a slow connection."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, part: str, now: float, slow: bool, sent: int = 0) -> bool:
        """Return whether to paint a part now; if so, it is not due again for a while.

        ``sent`` is the number of cells that it sent last.
        """
        last = self._last.get(part)
        seconds = max(self._SECONDS[part][slow], min(_LONGEST, sent / _CELLS_A_SECOND))
        # A timer may fire a little early.
        if last is not None and now - last < seconds - 0.05:
            return False
        self._last[part] = now
        return True

    def hurry(self) -> None:
        """Make everything due at once."""
        self._last.clear()
