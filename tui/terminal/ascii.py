"""ASCII replacements for the characters that a plain terminal cannot show.

The screens draw as if every terminal could show everything. For those that cannot, one filter
between the screens and the terminal replaces each character by plain ones of the same width:
frames, bars, curves, signs, and letters of data as well. A sign that would mean something else in
one character, such as ±, is written in full (:mod:`tui.terminal.longer_signs`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.terminal.longer_signs import Cell, has_longer, lengthen

_SIGNS = {
    "…": ".", "–": "-", "—": "-", "‐": "-", "−": "-", "·": ".", "•": "*", "×": "x", "÷": "/",
    "±": "?", "≈": "~", "µ": "u", "μ": "u", "°": "o", "²": "2", "³": "3", "’": "'", "‘": "'",
    "“": '"', "”": '"', "␣": "_", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i", "đ": "d",
    "›": ">", "‹": "<", "»": ">", "«": "<", "→": ">", "←": "<", "↑": "^", "↓": "v", "⏎": "<",
    "▶": ">", "◀": "<", "▸": ">", "▾": "v", "▼": "v", "▲": "^", "△": "A", "▽": "V",
    "✓": "+", "✔": "+", "✗": "x", "✘": "x", "✕": "x", "‖": "=", "■": "#", "□": "D",
    "●": "o", "○": "O", "◉": "@", "◆": "*", "◇": "*", "★": "*", "☆": "*", "⚠": "!", "�": "?",
    "⌃": "^", "⇧": "^", "⭘": "o", "␡": "^", "¦": "|", "║": "|", "╸": " ", "╺": " ",
    "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "%",
}  # fmt: skip
"""Markers of curves stay different, and bars of eight heights rise in what they show."""
_LINES = {"-": "─━╌╍┄┅┈┉═╴╶╼╾▔⎺⎻⎼⎽", "|": "│┃╎╏┆┇┊┋║╹╻╵╷╽╿▏▎▍▕▐▌"}
_CORNERS = "┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛╭╮╯╰├┝┞┟┠┡┢┣┤┥┦┧┨┩┪┫┬┭┮┯┰┱┲┳┴┵┶┷┸┹┺┻┼╋╔╗╚╝╠╣╦╩╬"
_BLOCKS = {"#": "█▓▉▊▋▀▛▜▙▟▚▞", ":": "▒", ".": "░▖▗", "'": "▘▝"}
_ON_LETTERS = ("Mn", "Me", "Cf")
_STROKES = frozenset(map(chr, range(0x334, 0x339)))
_BRAILLE, _BRAILLE_CELLS = 0x2800, 256
_PICTURES = range(0x2400, 0x2421)


def _dots(code: int) -> str:
    """A plain character that goes through a cell as the dots of a Braille character do."""
    left = [bool(code & bit) for bit in (0x01, 0x02, 0x04, 0x40)]
    right = [bool(code & bit) for bit in (0x08, 0x10, 0x20, 0x80)]
    rows = [row for row in range(4) if left[row] or right[row]]
    if not rows:
        return " "
    if any(left) and any(right):
        rise = _middle(left) - _middle(right)
        if abs(rise) >= 1 and len(rows) > 1:
            return "/" if rise > 0 else "\\"
    if len(rows) >= 3:
        return "|"
    return "'--."[round(sum(rows) / len(rows))] if any(left) and any(right) else "':.."[rows[-1]]


def _middle(column: list[bool]) -> float:
    rows = [row for row, dot in enumerate(column) if dot]
    return sum(rows) / len(rows)


def _table() -> Mapping[str, str]:
    table = dict(_SIGNS)
    for plain, characters in (*_LINES.items(), ("+", _CORNERS), *_BLOCKS.items()):
        table |= dict.fromkeys(characters, plain)
    table |= {chr(_BRAILLE + code): _dots(code) for code in range(_BRAILLE_CELLS)}
    table |= {chr(code): "^" for code in _PICTURES}
    return table


_PLAIN = _table()


@lru_cache(4096)
def plain_character(character: str) -> str:
    """ASCII in place of a character as a terminal shows it, of the same width in cells.

    It may have several code points, such as a letter with its accents or an emoji.
    """
    cells = cell_len(character)
    if character in _PLAIN:
        return f"{_PLAIN[character]:{cells}}"
    bare, rest = "", ""
    if decomposed := unicodedata.normalize("NFKD", character):
        bare, rest = decomposed[0], decomposed[1:]  # é is an e with something on it
    if not bare.isascii() or not bare.isprintable() or not all(map(_is_accent, rest)):
        return "?" * cells
    return f"{bare:{cells}}"


def _is_accent(character: str) -> bool:
    """Whether a letter stays what it is with it; = with a stroke through it does not."""
    return unicodedata.category(character) in _ON_LETTERS and character not in _STROKES


def plain_text(text: str) -> str:
    """ASCII in place of ``text``, of the same width in cells."""
    if text.isascii():
        return text
    return "".join(cell.text for cell in _plain_cells([text]))


class PlainCharacters(LineFilter):
    """Puts plain characters in place of all others, in whatever is shown."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII; called by Textual."""
        del background
        texts = [segment.text for segment in segments]
        if all(map(str.isascii, texts)):
            return segments
        if not any(map(has_longer, texts)):
            return [_with_text(segment, plain_text(segment.text)) for segment in segments]
        runs = groupby(_plain_cells(texts), key=lambda cell: cell.source)
        return [
            _with_text(segments[source], "".join(cell.text for cell in run)) for source, run in runs
        ]


def _with_text(segment: Segment, text: str) -> Segment:
    return Segment(text, segment.style, segment.control)


def _plain_cells(texts: Sequence[str]) -> list[Cell]:
    """The ASCII characters of a line, each with the number of its text."""
    cells = [
        Cell(text[start:end], number)
        for number, text in enumerate(texts)
        for start, end, _ in split_graphemes(text)[0]
    ]
    if any(map(has_longer, texts)):
        cells = lengthen(cells)
    return [Cell(plain_character(cell.text), cell.source) for cell in cells]
