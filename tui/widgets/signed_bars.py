"""Bars from a common zero: of what falls to the left, of what rises to the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.widgets.progress import bar

_FALLS, _RISES, _ZERO = "falls", "rises", "│"


@dataclass(frozen=True, slots=True)
class SignedBars:
    """The scale of bars: the name of their values, the lowest and the highest, and the cells."""

    name: str
    low: float
    high: float
    cells: int

    @property
    def _left(self) -> int:
        """Cells on the left of the zero."""
        if not self.low:
            return 0
        fair = round((self.cells - 1) * self.low / (self.low - self.high))
        return max(len(_FALLS), min(fair, self.cells - 1 - len(_RISES) * bool(self.high)))

    @property
    def heading(self) -> str:
        """The meaning of each side."""
        if not self.low:
            return self._named(_RISES, self.cells)
        return f"{self._named(_FALLS, self._left):>{self._left}}{_ZERO}{_RISES * bool(self.high)}"

    def _named(self, side: str, room: int) -> str:
        named = f"{self.name} {side}"
        return named if len(named) <= room else side

    def bar(self, value: float) -> Content:
        """The bar of a value; that of the smaller side is another colour."""
        left = self._left
        right = self.cells - left - bool(left)
        scale = max(-self.low / left if left else 0.0, self.high / right if right else 0.0) or 1.0
        style = "$primary" if (value > 0) == (self.high >= -self.low) else "$warning"
        drawn = bar(max(0.0, value) / scale / right, right) if right else ""
        before = Content.styled(_to_the_left(-value / scale, left), style) if left else Content("")
        zero = Content.styled(_ZERO, "$text-disabled") if left else Content("")
        return before + zero + Content.styled(drawn, style)


def signed_bars(name: str, values: Sequence[float], cells: int) -> SignedBars | None:
    """Return the bars of ``values``, which are called ``name``; none where all are 0."""
    low, high = min([0.0, *values]), max([0.0, *values])
    return SignedBars(name, low, high, cells) if low or high else None


def _to_the_left(length: float, room: int) -> str:
    """A bar that ends at the right, to half a cell."""
    halves = round(2 * max(0.0, min(float(room), length)))
    drawn = "▐" * (halves % 2) + "█" * (halves // 2)
    return f"{drawn:>{room}}"
