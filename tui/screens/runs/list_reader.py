"""The history of runs, read in parts, so that a screen of thousands of them stays responsive."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.runs.listing import FIRST, RunList, RunSummary

_STRETCH = 100
"""The reading thread yields to the screen after this many rows."""


@dataclass(frozen=True)
class Rows:
    """The runs of a folder as read from disk, the newest first, then those of other machines."""

    runs: Sequence[RunSummary] = ()
    complete: bool = False
    """Whether all runs have been read once."""
    gone: frozenset[str] = frozenset()
    """The machines that are not reachable: of their runs, what was known last is shown."""


class RunListReader:
    """The runs of a folder; the first rows are read before the rest."""

    def __init__(
        self,
        folder: Path,
        others: Callable[[], Iterable[RunSummary]] = lambda: (),
        gone: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """Read a folder; ``others`` are runs that need not be read, those of other machines.

        ``gone`` returns the names of machines that are not reachable.
        """
        self._list = RunList(folder)
        self._others = others
        self._gone = gone
        self._last = Rows()

    def read(self) -> Iterator[Rows | None]:
        """Yield the rows if they changed, and ``None`` after each stretch of them.

        Raises :class:`~engine.errors.RunError` for the folder only.
        """
        runs: list[RunSummary] = []
        for run in self._list.read():
            runs.append(run)
            if len(runs) == FIRST and not self._last.complete:
                yield Rows([*runs, *self._others()])
                yield None
            if len(runs) % _STRETCH == 0:
                yield None
        if not self._last.complete and len(runs) > FIRST:
            # The objects of thousands of rows are long-lived: scanning them in each garbage
            # collection would delay keys by a tenth of a second.
            gc.freeze()
        runs += self._others()
        if (rows := Rows(runs, True, self._gone())) != self._last:
            self._last = rows
            yield rows
        self._list.save()
