"""How often a screen that watches paints: the one place that knows of slow connections."""

from __future__ import annotations

from typing import ClassVar


class Pace:
    """Says of each part whether it is due; times are of any one clock, in seconds.

    Over a slow connection the numbers come every two seconds and the chart, which is most of
    what is sent, every ten; what a key asks for comes at once.
    """

    _SECONDS: ClassVar[dict[str, tuple[float, float]]] = {
        "numbers": (0.5, 2.0),
        "chart": (1.0, 10.0),
        "title": (1.0, 5.0),
    }
    """By part: between two paintings, and over a slow connection."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, part: str, now: float, slow: bool) -> bool:
        """Whether to paint a part now; if so, it is not due again for a while."""
        last = self._last.get(part)
        # A timer may come a little early.
        if last is not None and now - last < self._SECONDS[part][slow] - 0.05:
            return False
        self._last[part] = now
        return True

    def hurry(self) -> None:
        """Everything is due at once."""
        self._last.clear()
