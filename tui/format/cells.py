"""Texts in columns of cells: a wide character, as of Chinese or Japanese, takes two."""

from __future__ import annotations

from collections.abc import Sequence

from engine.processes.later import Later

_cells = Later("rich.cells")
"""Lists of runs and presets are shown before it would be imported."""


def cell_len(text: str) -> int:
    """Return the cells that a text takes."""
    return len(text) if text.isascii() else int(_cells.cell_len(text))


def set_cell_size(text: str, cells: int) -> str:
    """Return a text that takes so many cells, with blanks behind it or cut."""
    return f"{text:{cells}}"[:cells] if text.isascii() else str(_cells.set_cell_size(text, cells))


def padded(text: str, cells: int) -> str:
    """Return ``text`` with blanks up to ``cells``; a longer one as it is."""
    return text + " " * (cells - cell_len(text))


def cut(text: str, cells: int) -> str:
    """Return ``text`` in at most ``cells``; a longer one ends in an ellipsis."""
    return text if cell_len(text) <= cells else set_cell_size(text, max(0, cells - 1)) + "…"


def widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the cells of the longest text of each column."""
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]


def aligned(row: Sequence[str], cells: Sequence[int], gap: str = "  ") -> str:
    """Return a row as a line, each text but the last padded to the width of its column."""
    return gap.join(map(padded, row, cells)).rstrip()
