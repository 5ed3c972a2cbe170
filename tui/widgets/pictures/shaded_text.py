"""A text whose words are shaded by their weights, with the strongest ones as numbers."""

from __future__ import annotations

from textual.color import Color
from textual.content import Content
from textual.style import Style

from engine.reports.views import Shaded
from tui.format.text import literal

_STRONGEST = 12
"""Words whose weights are written out."""
_LEAST = 0.05
"""Share of the largest weight below which a word is not shaded."""
_WORD = 40
_LONGEST = 2000
"""Words that are shown."""


def shaded_lines(view: Shaded, low: Color, good: Color, bad: Color) -> list[Content]:
    """Return the text, each word on a background from ``low`` to ``good`` or to ``bad``."""
    most = max((abs(weight) for _, weight in view.parts), default=0.0) or 1.0
    words = [
        _shaded(word, weight / most, low, good if weight > 0 else bad)
        for word, weight in view.parts[:_LONGEST]
    ]
    ranked = sorted(view.parts, key=lambda part: -abs(part[1]))[:_STRONGEST]
    return [Content(" ").join(words), Content(""), *(_number(*part) for part in ranked)]


def _shaded(word: str, share: float, low: Color, high: Color) -> Content:
    text = literal(word, _WORD)
    if abs(share) < _LEAST:
        return text
    background = low.blend(high, abs(share))
    return text.stylize(Style(background=background, foreground=background.get_contrast_text()))


def _number(word: str, weight: float) -> Content:
    return Content(f"{weight:+12.4g}  ") + literal(word, _WORD)
