"""An answer that comes in pieces, and can be stopped by the one who asked."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pieces:
    """The way back to the client while a question is being answered."""

    send: Callable[[dict[str, Any]], object]
    """Hand on what there is by now."""
    number: int
    stopped_numbers: Container[int]
    """Numbers of the questions that the client has stopped."""

    def stopped(self) -> bool:
        """Return whether the client wants no more of this answer."""
        return self.number in self.stopped_numbers
