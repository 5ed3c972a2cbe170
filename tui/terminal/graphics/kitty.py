"""Kitty's graphics: a picture is sent once; text that names it stands where it is shown.

https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator

from tui.terminal.graphics.cells import BASE, MOST_DIGITS, Run
from tui.terminal.graphics.store import Placed

_CHUNK = 4096
"""Bytes of base64 in a sequence; the protocol allows no more."""
_COLOURS = 240
"""Colours of the palette, behind the sixteen of the theme, that carry the low byte of a number."""
_DIACRITICS = (
    "0305 030D-030E 0310 0312 033D-033F 0346 034A-034C 0350-0352 0357 035B 0363-036F 0483-0487 "
    "0592-0595 0597-0599 059C-05A1 05A8-05A9 05AB-05AC 05AF 05C4 0610-0617 0657-065B 065D-065E "
    "06D6-06DC 06DF-06E2 06E4 06E7-06E8 06EB-06EC 0730 0732-0733 0735-0736 073A 073D 073F-0741 "
    "0743 0745 0747 0749-074A 07EB-07F1 07F3 0816-0819 081B-0823 0825-0827 0829-082D 0951 "
    "0953-0954 0F82-0F83 0F86-0F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73 1CD0-1CD2 "
    "1CDA-1CDB 1CE0 1DC0-1DC1 1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 20DB-20DC "
    "20E1 20E7 20E9 20F0 2CEF-2CF1 2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1"
)
"""The protocol's digits in order: marks above a letter that no normalization fuses with it."""


def _digits() -> Iterator[str]:
    for part in _DIACRITICS.split():
        first, _, last = part.partition("-")
        yield from map(chr, range(int(first, 16), int(last or first, 16) + 1))


DIGITS = tuple(_digits())


class KittyGraphics:
    """Writes the sequences of Kitty's protocol; inside tmux they are handed to the terminal."""

    def __init__(self, first: int = 0, tmux: bool = False) -> None:
        """``first`` tells the pictures of one program from those of another in the same terminal.

        It is a number below 240.
        """
        self._first = first
        self._tmux = tmux
        self._sent: set[int] = set()

    def paint(self, placed: Placed, run: Run) -> str:
        """Return the text of a run of cells; before it the picture, unless it was sent before."""
        high, colour = self._parts(placed.number)
        row, third = DIGITS[run.row], DIGITS[high]
        cells = "".join(BASE + row + DIGITS[column] + third for column in run.columns)
        return f"{self._sending(placed)}\x1b[38;5;{colour}m{cells}\x1b[39m"

    def forget(self, number: int) -> str:
        """Return the sequence that frees a picture in the terminal."""
        if number not in self._sent:
            return ""
        self._sent.remove(number)
        return self._sequence(f"a=d,d=I,i={self.identity(number)},q=2")

    def end(self) -> str:
        """Return the sequences that free all pictures."""
        return "".join(map(self.forget, sorted(self._sent)))

    def identity(self, number: int) -> int:
        """Return the number of a picture in the terminal."""
        high, colour = self._parts(number)
        return high << 24 | colour

    def _parts(self, number: int) -> tuple[int, int]:
        """Return the highest byte, which is never 0, and the lowest one, which is a colour."""
        high, low = divmod(number, _COLOURS)
        return 1 + (self._first + high) % (MOST_DIGITS - 1), 256 - _COLOURS + low

    def _sending(self, placed: Placed) -> str:
        """Return the sequences that send a picture, in chunks; nothing if it was sent."""
        if placed.number in self._sent:
            return ""
        self._sent.add(placed.number)
        picture = placed.picture
        data = base64.b64encode(zlib.compress(picture.pixels)).decode()
        chunks = [data[place : place + _CHUNK] for place in range(0, len(data), _CHUNK)]
        head = (
            f"a=T,U=1,i={self.identity(placed.number)},c={placed.columns},r={placed.rows},"
            f"f=24,o=z,s={picture.width},v={picture.height},q=2,"
        )
        return "".join(
            self._sequence(f"{'' if place else head}m={int(place < len(chunks) - 1)}", chunk)
            for place, chunk in enumerate(chunks)
        )

    def _sequence(self, control: str, data: str = "") -> str:
        whole = f"\x1b_G{control}{';' if data else ''}{data}\x1b\\"
        if self._tmux:
            return "\x1bPtmux;" + whole.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        return whole
