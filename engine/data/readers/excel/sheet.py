"""The cells of a sheet, as texts with the kinds of what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from xml.etree.ElementTree import Element

from engine.data.readers.excel.formats import PLAIN, Kind, written
from engine.data.readers.excel.workbook import SheetPart, Workbook
from engine.data.readers.excel.xml import elements, local_name, text_of

CellKind = Kind | Literal["text", "truth", "error", "formula"]
"""A ``formula`` is one whose value is not in the file, as no program has computed it."""

_PLACE = re.compile(r"\$?([A-Z]{1,3})\$?(\d+)")
_LETTERS = 26
_TRUE = ("1", "true")


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of a cell, which is empty for errors and formulas without a value."""

    text: str
    kind: CellKind


@dataclass(frozen=True, slots=True)
class Merged:
    """A range of cells with one value; numbers of rows and columns begin at 0."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Sheet:
    """Cells with a value by row and column, and what of the sheet is merged or hidden."""

    name: str
    rows: dict[int, dict[int, Cell]] = field(default_factory=dict)
    merged: list[Merged] = field(default_factory=list)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def has_cells(book: Workbook, part: SheetPart) -> bool:
    """Return whether any cell of a sheet has a value."""
    with book.archive.open(part.part) as file:
        return any(True for _ in elements(file, "v", "is", "f"))


def read_sheet(book: Workbook, part: SheetPart) -> Sheet:
    """Return the cells of a sheet."""
    sheet = Sheet(part.name)
    number = -1
    with book.archive.open(part.part) as file:
        for element in elements(file, "row", "col", "mergeCell"):
            match local_name(element):
                case "row":
                    given = element.get("r", "")
                    number = int(given) - 1 if given else number + 1
                    if cells := dict(_cells(book, element)):
                        sheet.rows[number] = cells
                    if element.get("hidden", "") in _TRUE:
                        sheet.hidden_rows.add(number)
                case "col" if element.get("hidden", "") in _TRUE:
                    first, last = int(element.get("min", "")), int(element.get("max", ""))
                    sheet.hidden_columns.update(range(first - 1, last))
                case "mergeCell":
                    corners = [*map(_place, element.get("ref", "").split(":"))]
                    (top, left), (bottom, right) = corners[0], corners[-1]
                    sheet.merged.append(Merged(top, left, bottom, right))
    return sheet


def _place(reference: str) -> tuple[int, int]:
    """Return the row and the column of a reference such as ``AB12``."""
    found = _PLACE.fullmatch(reference.strip())
    if found is None:
        raise ValueError(f"{reference!r} is not a cell")
    column = 0
    for letter in found[1]:
        column = column * _LETTERS + ord(letter) - ord("A") + 1
    return int(found[2]) - 1, column - 1


def _cells(book: Workbook, row: Element) -> Iterator[tuple[int, Cell]]:
    column = -1
    for element in row:
        if local_name(element) != "c":
            continue
        given = element.get("r", "")
        column = _place(given)[1] if given else column + 1
        if (cell := _cell(book, element)) is not None:
            yield column, cell


def _cell(book: Workbook, element: Element) -> Cell | None:
    parts = {local_name(child): child for child in element}
    kind, value = element.get("t", ""), parts["v"].text if "v" in parts else None
    if kind == "inlineStr":
        return _text(text_of(parts["is"])) if "is" in parts else None
    if value is None or (not value and kind != "str"):
        return Cell("", "formula") if "f" in parts else None
    match kind:
        case "s":
            return _text(book.texts[int(value)])
        case "str":
            return _text(value)
        case "b":
            return Cell("true" if value in _TRUE else "false", "truth")
        case "e":
            return Cell("", "error")
        case "d":
            moment = value.rstrip("Z").replace("T", " ")
            return Cell(moment.removesuffix(" 00:00:00"), "date")
    style = int(element.get("s", "") or 0)
    format = book.formats[style] if style < len(book.formats) else PLAIN
    return Cell(*written(float(value), format, book.since_1904))


def _text(text: str) -> Cell | None:
    return Cell(text, "text") if text.strip() else None
