"""Text that the terminal shows, so that no part of it is sent again unchanged.

Textual paints a screen three or four times while it opens, and all of a chart where one line of it
has changed: over a slow line that is what a user waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 5.0
"""Time after which everything is sent again, lest something else has written over it."""


class SentText:
    """The parts of the lines that were sent, none over another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()
        self._lines: dict[int, dict[int, tuple[int, str]]] = {}
        """By line and first column, the column behind a part and its text with its styles."""

    def begin(self) -> None:
        """Begin an update of the screen."""
        if self._clock() - self._since > _SECONDS:
            self.clear()

    def clear(self) -> None:
        """Forget everything: something else may have been shown."""
        self._lines.clear()
        self._since = self._clock()

    def is_new(self, line: int, first: int, end: int, text: str) -> bool:
        """Return whether a part of a line is to be sent, and remember it."""
        parts = self._lines.setdefault(line, {})
        if parts.get(first) == (end, text):
            return False
        for start, (stop, _) in list(parts.items()):
            if start < end and first < stop:
                del parts[start]
        parts[first] = (end, text)
        return True
