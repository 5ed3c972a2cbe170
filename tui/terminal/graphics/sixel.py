"""Sixel graphics: each run of cells is painted by itself, over blanks.

The terminal keeps no picture by a name, so whatever is painted again is sent again. A run is as
high as a line of text: parts of a picture can be covered and uncovered like text.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from engine.reports.picture import Picture
from tui.terminal.graphics.cells import Run
from tui.terminal.graphics.store import Placed

Cell = tuple[int, int]
"""Width and height of a cell in pixels."""
_USUAL_CELL = (10, 20)
"""That of the VT340, which terminals take where they report none."""
_BAND = 6
"""Lines of pixels that a sixel is high."""
_MOST_COLOURS = 64
"""Colours of a run; more would be finer and take more bytes."""
_LEVELS = (101, 34, 18, 12, 8, 6, 4)
"""Levels of red, green and blue, of which the most are taken that leave few enough colours."""
Colour = tuple[int, int, int]
"""Red, green and blue in per cent."""
_KEPT = 4096


class SixelGraphics:
    """Writes runs of cells as Sixel graphics."""

    def __init__(self, cell: Callable[[], Cell]) -> None:
        """``cell`` returns the size of a cell, which changes with the font."""
        self._cell = cell

    def paint(self, placed: Placed, run: Run) -> str:
        """Return blanks and the graphics over them, which leave the cursor behind the run."""
        cells = len(run.columns)
        graphics = _sixels(placed.picture, placed.columns, placed.rows, run, self._cell())
        return f"\x1b7{' ' * cells}\x1b8{graphics}\x1b8\x1b[{cells}C"

    def forget(self, number: int) -> str:
        """Return nothing: the terminal keeps no picture."""
        del number
        return ""

    def end(self) -> str:
        """Return nothing."""
        return ""


def cell_of(descriptor: int) -> Cell:
    """Return the size of a cell of a terminal, as it reports it or the usual one."""
    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return _USUAL_CELL
    rows, columns, width, height = struct.unpack("HHHH", answer)
    if not (rows and columns and width >= columns and height >= rows):
        return _USUAL_CELL
    return width // columns, height // rows


@lru_cache(_KEPT)
def _sixels(picture: Picture, columns: int, rows: int, run: Run, cell: Cell) -> str:
    """Return a run of a picture that is ``columns`` by ``rows`` cells as a Sixel sequence."""
    wide, high = cell
    left, width = run.columns.start * wide, len(run.columns) * wide
    across = _places(picture.width, columns * wide, left, width)
    down = _places(picture.height, rows * high, run.row * high, high)
    colours = _colours(picture, sorted(set(across)), sorted(set(down)))
    used = sorted(set(colours.values()))
    number = {colour: place for place, colour in enumerate(used)}
    palette = "".join(f"#{place};2;{r};{g};{b}" for place, (r, g, b) in enumerate(used))
    shown = [[number[colours[y, x]] for x in across] for y in down]
    bands = "-".join(_band(shown[top : top + _BAND]) for top in range(0, len(shown), _BAND))
    return f'\x1bP0;1;0q"1;1;{len(across)};{len(down)}{palette}{bands}\x1b\\'


def _places(length: int, whole: int, first: int, count: int) -> list[int]:
    """Return the pixel of ``length`` that stands at each of ``count`` places out of ``whole``."""
    return [place * length // whole for place in range(first, first + count)]


def _colours(
    picture: Picture, across: Sequence[int], down: Sequence[int]
) -> dict[tuple[int, int], Colour]:
    """Return the colours of some pixels by row and column, as few as a run may have."""
    pixels = picture.pixels
    found: dict[tuple[int, int], Colour] = {}
    for levels in _LEVELS:
        shares = [
            round(100 * round(value * (levels - 1) / 255) / (levels - 1)) for value in range(256)
        ]
        for y in down:
            for x in across:
                place = 3 * (y * picture.width + x)
                red, green, blue = pixels[place : place + 3]
                found[y, x] = shares[red], shares[green], shares[blue]
        if len(set(found.values())) <= _MOST_COLOURS:
            break
    return found


def _band(lines: Sequence[Sequence[int]]) -> str:
    """Return up to six lines of pixels, a pass for each of their colours."""
    masks: dict[int, dict[int, int]] = {}
    for bit, line in enumerate(lines):
        for x, colour in enumerate(line):
            here = masks.setdefault(colour, {})
            here[x] = here.get(x, 0) | 1 << bit
    width = len(lines[0])
    return "$".join(
        f"#{colour}{''.join(_repeated(masks[colour], width))}" for colour in sorted(masks)
    )


def _repeated(mask: dict[int, int], width: int) -> Iterator[str]:
    for value, same in groupby(mask.get(x, 0) for x in range(width)):
        count, sign = len(list(same)), chr(63 + value)
        yield sign * count if count < 4 else f"!{count}{sign}"
