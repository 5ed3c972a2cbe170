"""The time of a sweep, shared among its trials: many short ones first, then the best at length."""

from __future__ import annotations

import math
import time

_EXPLORED = 0.6
"""Part of the time in which trials share; the rest is for the best of them."""
_SHORTEST = 20.0
"""Seconds a trial gets at least, most of which may be its preparation."""
_OVERHEAD = 2.0
"""Seconds between the end of a run and the beginning of the next."""
_AT_MOST = 0.9
"""Part of the trials' time that a single one gets; the search itself takes a moment to begin."""


class Budget:
    """Seconds for all trials and for the next one.

    Each of the first trials gets the same time, so that they can be compared: the run plans its
    updates and its schedule to fit (``train.max_minutes``). If the best of them was cut short by
    that, it is trained once more in all the time that is left, less what runs take around it. If it
    was not, no time is kept for that, and trials follow as long as they fit.
    """

    def __init__(self, minutes: float, trials: int, parallel: int, spent: float) -> None:
        """``spent`` are the seconds of the trials that an earlier process made."""
        self._seconds = 60.0 * minutes
        self._begun = time.monotonic() - spent / parallel
        explored = _EXPLORED * self._seconds
        rounds = math.ceil(trials / parallel)  # as many trials as run at the same time are one
        self._around: list[float] = []
        self._longest = 0.0
        self.reserves = True
        """Whether time is kept to train the best trial at length."""
        self._share = min(max(_SHORTEST, explored / rounds - _OVERHEAD), _AT_MOST * explored)

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self._begun + self._seconds - time.monotonic()

    def ended(self, given: float, taken: float) -> None:
        """Learn from the seconds that a trial was ``given`` and that its process has ``taken``.

        The start of the process and the baseline are not part of what is given.
        """
        self._longest = max(self._longest, taken)
        if taken > given:
            self._around.append(taken - given)

    def share(self) -> float | None:
        """Return the seconds of one more short trial; ``None`` when there is no time for it."""
        if not self.reserves and self._longest:
            fits = self.left >= self._longest
            return min(self._share, self.left - self._least_around) if fits else None
        for_all = self.left - (1 - _EXPLORED) * self._seconds
        return self._share if for_all >= self._share else None

    def rest(self) -> float | None:
        """Return the seconds of the last trial; ``None`` when it would be shorter than the rest."""
        rest = self.left - self._least_around
        return rest if rest > self._share else None

    @property
    def _least_around(self) -> float:
        """Seconds that a run takes beyond what it is given.

        The least of all: a trial that hardly began may have taken longer for other reasons.
        """
        return max(_OVERHEAD, min(self._around, default=0.0))
