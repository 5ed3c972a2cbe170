"""The types that a person sets for columns of the data, in place of those that are detected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ColumnType = Literal[
    "text", "numeric", "categorical", "date", "words", "list", "id", "ignored"
]  # fmt: skip
TYPES: Mapping[ColumnType, str] = {
    "text": "as it is written, never a number, date or truth value",
    "numeric": "numbers; also with an example of the format, such as numeric 1.234,5",
    "categorical": "categories, such as numeric codes",
    "date": "dates; also with their format, such as date %d/%m/%Y",
    "words": "free text, as its words and what they say of the target",
    "list": "several values in a cell; also with what separates them, such as list ;",
    "id": "identifiers of several rows each, as what they say of the target",
    "ignored": "left out",
}
"""The types that can be set, each with a line about it."""
_WITH_FORMAT = ("numeric", "date", "list")


@dataclass(frozen=True, slots=True)
class ColumnSetting:
    """The type that a person sets for a column."""

    type: ColumnType
    format: str = ""
    """A number such as ``1.234,5``, a date's format such as ``%d/%m/%Y``, or what separates items;
    empty detects it."""


def parse_setting(text: str) -> ColumnSetting:
    """Return the setting of a text such as ``date %d/%m/%Y``. Raises ``ValueError``."""
    word, _, format = text.strip().partition(" ")
    type = next((known for known in TYPES if known == word), None)
    if type is None:
        raise ValueError(f"{text!r} is none of {', '.join(TYPES)}")
    format = format.strip()
    if format and type not in _WITH_FORMAT:
        raise ValueError(f"{type} takes no format")
    if format and type == "date" and "%" not in format:
        raise ValueError(f"{format!r} is not a format of dates such as %d/%m/%Y")
    if format and type == "numeric" and not any(map(str.isdecimal, format)):
        raise ValueError(f"{format!r} is not a number such as 1.234,5")
    return ColumnSetting(type, format)
