"""The header of an ARFF file: a name and a type for each column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.data.readers.arff_cells import QUOTED, WORD, unquoted
from engine.errors import DataError
from engine.files.sanitize import plain

DAY_AND_TIME = "yyyy-MM-dd'T'HH:mm:ss"
"""Format of dates whose declaration has none."""
_NUMBERS = ("numeric", "real", "integer")
_BETWEEN = re.compile(r"\s*(?:,|$)")
_VALUE = re.compile(rf"\s*(?:({QUOTED})|([^,'\"][^,]*))")
_COMMENT = re.compile(r"\s*(?:%.*)?$")


@dataclass(frozen=True, slots=True)
class Nominal:
    """A column of categories, all of which are declared."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A declared column."""

    name: str
    kind: Nominal | Literal["numeric", "string", "date"]
    date_format: str = ""

    @property
    def absent(self) -> str | None:
        """The value of a sparse row that does not have the column."""
        if isinstance(self.kind, Nominal):
            return self.kind.values[0] if self.kind.values else None
        return "0" if self.kind == "numeric" else None


def read_header(path: Path, text: str) -> tuple[list[Attribute], Iterator[tuple[int, str]]]:
    """Return the declared columns and the numbered lines behind ``@data``.

    Raises :class:`DataError` that names the line.
    """
    attributes: list[Attribute] = []
    # Not splitlines: other characters that it splits at may be within cells.
    lines = ((i, line.strip()) for i, line in enumerate(text.split("\n"), 1))
    some = ((i, line) for i, line in lines if line and line[0] != "%")
    for number, line in some:
        word = line.split(None, 1)[0].lower()
        if word == "@data":
            if not attributes:
                raise DataError(f"{plain(path.name)} has no @attribute before @data.")
            return attributes, some
        if word == "@attribute":
            attributes.append(_attribute(path, number, line[len(word) :]))
        elif word != "@relation":
            break
    raise DataError(
        f"{plain(path.name)} has no header that ends with @data.",
        "ARFF files have a line @attribute for each column, @data, and then the rows.",
    )


def _attribute(path: Path, number: int, declared: str) -> Attribute:
    """Return the column of a line such as ``@attribute 'tax rate' numeric``."""
    name = WORD.match(declared)
    if name is None:
        raise _wrong(path, number, "declares no name of a column")
    text, kind = unquoted(name[1] or name[2]), declared[name.end() :].strip()
    if kind.startswith("{"):
        return Attribute(text, Nominal(_values(path, number, kind)))
    word, *rest = kind.split(None, 1)
    if word.lower() in _NUMBERS:
        return Attribute(text, "numeric")
    if word.lower() == "string":
        return Attribute(text, "string")
    if word.lower() == "date":
        given = WORD.match(rest[0]) if rest else None
        return Attribute(text, "date", unquoted(given[1] or given[2]) if given else DAY_AND_TIME)
    if word.lower() == "relational":
        raise _wrong(path, number, "declares a table within the table, which is not read")
    raise _wrong(path, number, f"declares the unknown type {plain(word, 40)!r}")


def _values(path: Path, number: int, kind: str) -> tuple[str, ...]:
    """Return the values of a declaration such as ``{yes, 'not yet'}``."""
    inner, brace, behind = kind[1:].rpartition("}")
    while brace and not _COMMENT.match(behind):  # a brace in a comment
        inner, brace, behind = inner.rpartition("}")
    if not brace:
        raise _wrong(path, number, "begins a list of values with { but has no } at its end")
    values, place = [], 0
    while place < len(inner.rstrip()):
        found = _VALUE.match(inner, place)
        end = _BETWEEN.match(inner, found.end()) if found else None
        if found is None or end is None:
            raise _wrong(path, number, "has a list of values in which a quote does not fit")
        values.append(unquoted(found[1] or found[2].strip()))
        place = end.end()
    return tuple(values)


def _wrong(path: Path, number: int, what: str) -> DataError:
    return DataError(f"Line {number:,} of {plain(path.name)} {what}.", "Correct the line.")
