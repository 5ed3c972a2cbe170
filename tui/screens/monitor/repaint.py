"""The parts of the monitor that must be painted: those that changed and, some of them, are due."""

from __future__ import annotations

import time

from textual.screen import Screen

from tui.screens.monitor.throttle import Pace


class Repaint:
    """The state that each part of a screen was last painted from, and when."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self._pace = Pace()
        self._painted: dict[str, object] = {}

    def new(self, part: str, *source: object) -> bool:
        """Return whether a part must be painted: whether its ``source`` is another one."""
        new = self._painted.get(part) != source
        self._painted[part] = source
        return new

    def new_and_due(self, part: str, sent: int, *source: object) -> bool:
        """Return whether a part that is painted at a rate must be painted now.

        ``sent`` is the number of cells that it sent last.
        """
        return (
            self._painted.get(part) != source and self.due(part, sent) and self.new(part, *source)
        )

    def due(self, part: str, sent: int = 0) -> bool:
        """Return whether a part may be painted now; if so, it is not due again for a while."""
        slow = getattr(self._screen.app, "slow_link", False)
        return self._pace.due(part, time.monotonic(), slow, sent)

    def everything(self) -> None:
        """Make every part new and due."""
        self._painted.clear()
        self._pace.hurry()
