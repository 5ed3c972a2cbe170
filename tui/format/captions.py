"""Values behind their names; further lines of a long value begin below its first one."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content
from textual.css.types import TextAlign, TextOverflow
from typing_extensions import override

from engine.files.sanitize import plain
from tui.format.cells import cell_len, cut, padded

_LEAST = 20
"""Cells of a value below which it takes the whole width instead."""


class Captioned(Content):
    """A name and its value, as one line until it is wrapped."""

    __slots__ = ("_caption", "_value")

    def __init__(self, caption: Content, value: Content) -> None:
        both = caption + value
        super().__init__(both.plain, list(both.spans), strip_control_codes=False)
        self._caption, self._value = caption, value

    @override
    def wrap(
        self, width: int, *, align: TextAlign = "left", overflow: TextOverflow = "fold"
    ) -> list[Content]:
        indent = self._caption.cell_length
        if self.cell_length <= width or width - indent < _LEAST:
            return super().wrap(width, align=align, overflow=overflow)
        first, *others = self._value.wrap(width - indent, align=align, overflow=overflow)
        return [self._caption + first, *(Content(" " * indent) + line for line in others)]


def captioned(name: str, value: Content, width: int, most: int = 40, gap: str = "  ") -> Content:
    """Return ``value`` behind ``name``, which takes ``width`` cells or more, up to ``most``."""
    caption = padded(cut(plain(name), most), width) + gap
    return Captioned(Content.styled(caption, "$foreground 60%"), value)


def caption_width(names: Iterable[str], most: int) -> int:
    """Return the cells that the names take, at most ``most``."""
    return min(most, max((cell_len(plain(name)) for name in names), default=0))
