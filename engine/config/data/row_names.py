"""The names of single rows: their split, their number and a fingerprint of their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"(train|validation|test):([1-9]\d{0,14}):([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class RowName:
    """A row of the data as it was read, before validation and test rows are cut."""

    split: str
    number: int
    """Number of the row in its split, from 1 on."""
    fingerprint: str
    """Hash of its values: the file may have changed since."""

    def __str__(self) -> str:
        return f"{self.split}:{self.number}:{self.fingerprint}"


def parse_row(text: str) -> RowName | None:
    """Return the row that a text such as ``train:17:5f0c93ab`` names; none where it names none."""
    match = _NAME.fullmatch(text)
    return RowName(match[1], int(match[2]), match[3]) if match else None
