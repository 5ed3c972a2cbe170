"""ASCII replacements for the characters that a plain terminal cannot show.

The screens draw as if every terminal could show everything. For those that cannot, one filter
between the screens and the terminal replaces each character by plain ones of the same width:
frames, bars, curves, signs, and letters of data as well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = {
    "…": "~", "–": "-", "—": "-", "‐": "-", "−": "-", "·": ".", "•": "*", "×": "x", "÷": "/",
    "±": "~", "°": "'", "²": "2", "³": "3", "’": "'", "‘": "'", "“": '"', "”": '"', "␣": "_",
    "›": ">", "‹": "<", "»": ">", "«": "<", "→": ">", "←": "<", "↑": "^", "↓": "v", "⏎": "<",
    "▶": ">", "◀": "<", "▸": ">", "▾": "v", "▼": "v", "▲": "^", "△": "^", "▽": "v",
    "✓": "+", "✔": "+", "✗": "x", "✘": "x", "✕": "x", "‖": "=", "■": "#", "□": "o",
    "●": "o", "○": "o", "◉": "@", "◆": "*", "◇": "*", "★": "*", "☆": "*", "⚠": "!", "�": "?",
    "⌃": "^", "⇧": "^", "⭘": "o", "␡": "^", "¦": "|", "║": "|", "╸": " ", "╺": " ",
}  # fmt: skip
_LINES = {"-": "─━╌╍┄┅┈┉═╴╶╼╾▔▁▂⎺⎻⎼⎽", "|": "│┃╎╏┆┇┊┋║╹╻╵╷╽╿▏▎▍▕▐▌"}
_CORNERS = "┌┍┎┏┐┑┒┓└┕┖┗┘┙┚┛╭╮╯╰├┝┞┟┠┡┢┣┤┥┦┧┨┩┪┫┬┭┮┯┰┱┲┳┴┵┶┷┸┹┺┻┼╋╔╗╚╝╠╣╦╩╬"
_BLOCKS = {"#": "█▓▉▊▋▇▆▅▀▄▛▜▙▟▚▞", ":": "▒", ".": "░▖▗▃", "'": "▘▝"}
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
    """ASCII in place of a character, of the same width in cells."""
    if character in _PLAIN:
        return _PLAIN[character]
    bare = unicodedata.normalize("NFKD", character)[:1]  # é is an e with something on it
    return bare if bare.isascii() and bare.isprintable() else "?" * cell_len(character)


def plain_text(text: str) -> str:
    """ASCII in place of ``text``, of the same width in cells."""
    return text if text.isascii() else "".join(map(plain_character, text))


class PlainCharacters(LineFilter):
    """Puts plain characters in place of all others, in whatever is shown."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in ASCII; called by Textual."""
        del background
        return [Segment(plain_text(text), style, control) for text, style, control in segments]
