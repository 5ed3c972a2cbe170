"""Signs that are longer in ASCII: they take the blanks around their word.

So the columns of a table and the frames around a text stay where they are. An ellipsis may also
take letters of the word that it cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LONGER = {
    "…": "...",
    "±": "+/-",
    "°": "deg",
    "→": "-->",
    "≠": "!=",
    "≤": "<=",
    "≥": ">=",
    "∞": "inf",
}
_ELLIPSIS = "…"
_FRAMES = frozenset("│┃║▏▎▍▌▐▊▉▋█╎┆┊|")


class Cell(NamedTuple):
    """A character as a terminal shows it, and the number of the segment that it is from."""

    text: str
    source: int = 0

    @property
    def blank(self) -> bool:
        """Whether nothing is shown."""
        return self.text == " "

    @property
    def ends_words(self) -> bool:
        """Whether no word goes through it."""
        return self.blank or self.text in _FRAMES


def has_longer(text: str) -> bool:
    """Whether ``text`` has a sign that is longer in ASCII."""
    return not text.isascii() and not LONGER.keys().isdisjoint(text)


def lengthen(line: Sequence[Cell]) -> list[Cell]:
    """Return as many cells, with longer signs in full wherever blanks or an ellipsis make room."""
    cells, place = list(line), 0
    while place < len(cells):
        cell = cells[place]
        place += 1
        if sign := LONGER.get(cell.text):
            place = _write(cells, place - 1, sign)
    return cells


def _write(cells: list[Cell], place: int, sign: str) -> int:
    """Write ``sign`` at ``place`` if there is room; the place after it."""
    cell, more = cells[place], len(sign) - 1
    first, last = _word(cells, place)
    if _blanks_after(cells, last) >= more:
        del cells[last : last + more]
    elif _blanks_before(cells, first) >= more:
        del cells[first - more : first]
        place -= more
    elif last - first == 1 and 0 < place < len(cells) - 1 and more <= 2:
        # Alone between two words.
        taken = [at for at in (place + 1, place - 1) if cells[at].blank][:more]
        if len(taken) < more:
            return place + 1
        for at in sorted(taken, reverse=True):
            del cells[at]
        place -= sum(at < place for at in taken)
    elif cell.text == _ELLIPSIS:
        return _over_letters(cells, place, first, last)
    else:
        return place + 1
    cells[place : place + 1] = [Cell(character, cell.source) for character in sign]
    return place + len(sign)


def _over_letters(cells: list[Cell], place: int, first: int, last: int) -> int:
    """Write an ellipsis over letters of its word, most of which it has cut anyway."""
    begin = max(first, place - 2) if place > first else place
    end = min(last, begin + 3) if place == first else place + 1
    cells[begin:end] = [Cell(".", cells[place].source)] * (end - begin)
    return end


def _word(cells: Sequence[Cell], place: int) -> tuple[int, int]:
    """The first cell of the word around ``place``, and the one after its last."""
    first, last = place, place + 1
    while first > 0 and not cells[first - 1].ends_words:
        first -= 1
    while last < len(cells) and not cells[last].ends_words:
        last += 1
    return first, last


def _blanks_after(cells: Sequence[Cell], last: int) -> int:
    """The blanks after a word that can be taken; one is left before what follows."""
    end = last
    while end < len(cells) and cells[end].blank:
        end += 1
    return end - last - (end < len(cells) and not cells[end].ends_words)


def _blanks_before(cells: Sequence[Cell], first: int) -> int:
    begin = first
    while begin > 0 and cells[begin - 1].blank:
        begin -= 1
    return first - begin - (begin > 0 and not cells[begin - 1].ends_words)
