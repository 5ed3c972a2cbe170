"""Points of a curve that are placed on their axis by the thread that draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from typing_extensions import override

from tui.charts.plot import Pair


class PlacedPoints(Sequence[Pair]):
    """Pairs of x and y, made when all are read for the first time.

    Thousands of pairs take milliseconds, for which no key should wait. The newest one alone, which
    a legend shows, is made at once.
    """

    def __init__(self, points: Sequence[Any], place: Callable[[Any], Pair]) -> None:
        """``points`` never change; ``place`` returns the pair of one."""
        self._points = points
        self._place = place
        self._made: Sequence[Pair] | None = None

    @override
    def __len__(self) -> int:
        return len(self._points)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    @override
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(index, slice):
            return self._pairs()[index]
        return self._place(self._points[index])

    @override
    def __iter__(self) -> Iterator[Pair]:
        return iter(self._pairs())

    def _pairs(self) -> Sequence[Pair]:
        # Without a lock: at worst two threads make the same.
        if self._made is None:
            self._made = [self._place(point) for point in self._points]
        return self._made
