"""The way to the terminal: cells of pictures are replaced by what the terminal's graphics take."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from tui.terminal.graphics.cells import BASE, CELLS, Run, runs
from tui.terminal.graphics.store import PictureStore, Placed


class Graphics(Protocol):
    """A protocol of a terminal's graphics."""

    def paint(self, placed: Placed, run: Run) -> str:
        """Return what shows a run of cells of a picture and moves the cursor behind it."""

    def forget(self, number: int) -> str:
        """Return what frees a picture that is no longer shown."""

    def end(self) -> str:
        """Return what frees all pictures."""


@contextmanager
def painted(store: PictureStore | None, graphics: Graphics | None) -> Iterator[None]:
    """Paint the pictures of a store in what Textual writes to the terminal, and free them after."""
    terminal = sys.__stderr__
    if terminal is None or store is None or graphics is None:
        yield
        return
    stream = PictureStream(terminal, store, graphics)
    sys.__stdout__ = sys.__stderr__ = stream  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        sys.__stdout__ = sys.__stderr__ = terminal  # type: ignore[misc]
        stream.end()


class PictureStream:
    """A stream to the terminal for Textual, whose thread for output writes to it."""

    def __init__(self, terminal: IO[str], store: PictureStore, graphics: Graphics) -> None:
        self._terminal = terminal
        self._store = store
        self._graphics = graphics

    def write(self, text: str) -> int:
        """Write text, with pictures in place of their cells; returns the length of the text."""
        if BASE in text:
            dropped = "".join(map(self._graphics.forget, self._store.take_dropped()))
            self._terminal.write(dropped + CELLS.sub(self._painted, text))
        else:
            self._terminal.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand everything to the terminal."""
        self._terminal.flush()

    def fileno(self) -> int:
        """Return the descriptor of the terminal."""
        return self._terminal.fileno()

    def isatty(self) -> bool:
        """Return whether the stream leads to a terminal."""
        return self._terminal.isatty()

    def end(self) -> None:
        """Free the pictures in the terminal."""
        self._terminal.write(self._graphics.end())
        self._terminal.flush()

    def _painted(self, match: re.Match[str]) -> str:
        if match[0] == BASE:
            return "\N{REPLACEMENT CHARACTER}"  # from outside; a terminal could take it for a cell
        return "".join(map(self._run, runs(match[0])))

    def _run(self, run: Run) -> str:
        placed = self._store.find(run.number)
        whole = placed is not None and run.row < placed.rows and run.columns.stop <= placed.columns
        return self._graphics.paint(placed, run) if placed and whole else " " * len(run.columns)
