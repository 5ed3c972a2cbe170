"""Images that cannot be read: left out wherever they are met, and told once for each reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import TypeVar

from engine.data.image_limits import ImageFault
from engine.data.raw import Skip
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.runs.events import Event, Log

T = TypeVar("T")
_TRAINED_TOGETHER = 2
"""Images that a batch of training has at least: batch norm cannot train on one."""


class LeftOut:
    """The rows of a source that cannot be read; several threads may find them."""

    def __init__(self, names: Sequence[str], tell: Callable[[Skip], None]) -> None:
        """``names`` are those of all rows; ``tell`` hears each reason once in a pass."""
        self.rows: set[int] = set()
        self._names = names
        self._tell = tell
        self._first = ""
        self._new: dict[str, list[int]] = {}
        self._lock = Lock()

    def tried(self, row: int, read: Callable[[], T]) -> T | None:
        """Return what ``read`` returns; ``None`` for a row that cannot be read, which is noted."""
        if row in self.rows:
            return None
        try:
            return read()
        except ImageFault as fault:
            self._add(row, plain(fault))
            return None

    def _add(self, row: int, fault: str) -> None:
        with self._lock:
            if row not in self.rows:
                self.rows.add(row)
                self._new.setdefault(fault, []).append(row)
                self._first = self._first or f"{plain(self._names[row])}: {fault}"

    def fill(
        self,
        taken: list[tuple[int, T]],
        wanted: Sequence[int],
        read: Callable[[int], T | None],
    ) -> None:
        """Add rows to those of a batch that were ``taken``, until it can be trained on.

        The batch ``wanted`` more than can be read. Raises :class:`DataError` where there is none.
        """
        known = {row for row, _ in taken}
        for row in self._others(wanted[-1]):
            if len(taken) >= min(_TRAINED_TOGETHER, len(wanted)):
                return
            if row not in known and (one := read(row)) is not None:
                taken.append((row, one))
        if not taken:
            self.check()

    def _others(self, row: int) -> Iterator[int]:
        """Yield the rows behind ``row``, and then those before it, that may be read."""
        count = len(self._names)
        behind = ((row + step) % count for step in range(1, count))
        return (other for other in behind if other not in self.rows)

    def tell(self) -> None:
        """Tell what was found since this was last called, and how many images it concerns."""
        with self._lock:
            new, self._new = self._new, {}
        for fault, rows in new.items():
            self._tell(Skip(fault, len(rows), self._names[min(rows)]))

    def check(self) -> None:
        """Raise :class:`DataError` where no image of the source can be read."""
        count = len(self._names)
        if count and len(self.rows) == count:
            many = f"None of {count:,} images can be decoded: " if count > 1 else ""
            raise DataError(f"{many}{self._first}.")


def warning_of(skip: Skip) -> Event:
    """Return a warning that names the images that were left out."""
    first = plain(skip.example)
    which = first if skip.count == 1 else f"{skip.count:,} images, such as {first}"
    return Log(level="warning", message=f"Left out: {which}: {skip.reason}.")
