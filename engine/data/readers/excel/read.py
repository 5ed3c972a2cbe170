"""A workbook to the table of one of its sheets, with notes on all that is not a plain table."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import ParseError

import pyarrow as pa

from engine.data.readers.csv import read_csv
from engine.data.readers.excel.layout import Layout, Row, lay_out
from engine.data.readers.excel.listed import ListedSheet
from engine.data.readers.excel.other_books import other_sheets
from engine.data.readers.excel.sheet import Cell, Sheet, has_cells, read_sheet
from engine.data.readers.excel.workbook import Workbook
from engine.data.readers.reading import INCOMPLETE, Reading, ReadOptions, read_text, suffix_of
from engine.data.readers.several_tables import one_of
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_OLDER = b"\xd0\xcf\x11\xe0"
"""First bytes of older files of Office, and of those with a password."""
_OTHER_PARTS = ("content.xml", "xl/workbook.bin")
"""Parts of archives that are an ``.ods`` or an ``.xlsb`` file, whatever they are called."""
_UNTOLD = (
    "this format does not tell codes padded with zeros, percentages, errors, formulas without a "
    "value, and hidden rows and columns from other cells, nor merged cells in .ods and .xlsb"
)
_BEGINNING = 4096
_LARGEST_PART = 1 << 30
"""Bytes of XML: some ten million cells."""
_SHOWN = 3
_NUMBERS = ("number", "percent", "duration", "error", "formula")


def read_excel(path: Path, options: ReadOptions) -> Reading:
    """Return the table of the sheet that is chosen or has the only cells.

    Cells have the values that the file has for them, formulas those that were computed last; dates
    are those of their formats. Raises :class:`DataError`.
    """
    if _is_text(path):
        return _read_text(path, options)
    if _is_other(path):
        listed, notes = _chosen(path, other_sheets(path), options)
        sheet = listed.read()
        why = f"{plain(path.name, 60)}: {_UNTOLD}"
        notes.append(Note(why, kind="converted"))
    else:
        sheet, notes = _read_archive(path, options)
    layout = lay_out(sheet, options.header)
    header = "yes" if layout.header else options.header
    reading = read_csv(path, _as_csv(layout), replace(options, delimiter=",", header=header))
    if not layout.header and reading.format is not None and reading.format.header == "yes":
        layout = layout.with_header()
    notes += [*_layout_notes(path, layout), *_cell_notes(layout), *_hidden(sheet, layout)]
    notes += reading.notes
    numbers = _numbers(reading, layout) if options.as_written else frozenset()
    return replace(reading, notes=tuple(notes), format=None, numbers=numbers)


def _is_text(path: Path) -> bool:
    """Return whether an ``.xls`` file is a text, as many programs call what Excel is to open."""
    if suffix_of(path) != ".xls":
        return False
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    return b"\0" not in beginning or beginning.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    )


def _read_text(path: Path, options: ReadOptions) -> Reading:
    """Return a text with cells, with a note. Raises :class:`DataError` for a page of HTML."""
    text = read_text(path, options.encoding)
    if text.lstrip().startswith("<"):
        raise DataError(
            f"{plain(path.name)} holds HTML or XML, not a workbook.",
            "Open it in Excel or LibreOffice, and save it as .xlsx, or its sheet as CSV (UTF-8).",
        )
    reading = read_csv(path, text, options)
    why = f"{plain(path.name, 60)} is a text, not a workbook: it is read as CSV"
    note = Note(why, change="data.format", kind="converted")
    return replace(reading, notes=(note, *reading.notes))


def _is_other(path: Path) -> bool:
    """Return whether the content is that of ``.xls``, ``.xlsb`` or ``.ods``, whatever its name."""
    with path.open("rb") as file:
        if file.read(len(_OLDER)) == _OLDER:
            return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return not set(_OTHER_PARTS).isdisjoint(archive.namelist())


def _read_archive(path: Path, options: ReadOptions) -> tuple[Sheet, list[Note]]:
    """Return a sheet of an ``.xlsx`` file, with notes on others. Raises :class:`DataError`."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(archive)
            book = Workbook(archive)
            sheets = [
                ListedSheet(
                    part.name, part.hidden,
                    partial(has_cells, book, part), partial(read_sheet, book, part),
                )
                for part in book.sheets
            ]  # fmt: skip
            listed, notes = _chosen(path, sheets, options)
            return listed.read(), notes
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, ParseError, EOFError) as error:
        problem = f"{plain(path)} is not a readable workbook: {plain(error).rstrip('.')}."
        raise DataError(problem, INCOMPLETE) from error


def _check_size(archive: zipfile.ZipFile) -> None:
    """Raise ``ValueError`` for a part that is too large; no more is unpacked than it states."""
    largest = max((part.file_size for part in archive.infolist()), default=0)
    if largest > _LARGEST_PART:
        raise ValueError(f"a part of it unpacks to {largest / 2**30:.1f} GiB")


def _numbers(reading: Reading, layout: Layout) -> frozenset[str]:
    """Return the columns of texts all of whose cells are numbers that are shown as such."""
    found_names = reading.table.column_names
    if len(found_names) != len(layout.columns):  # those without a name and a value are left out
        found_names = layout.names
    names = dict(zip(layout.columns, found_names, strict=True))
    found = {names[column] for column in layout.columns}
    for row in layout.body.values():
        found -= {names[column] for column, cell in row.items() if not _is_plain(cell)}
    texts = {field.name for field in reading.table.schema if pa.types.is_string(field.type)}
    return frozenset(found & texts - {""})


def _is_plain(cell: Cell) -> bool:
    padded = cell.text.startswith("0") and cell.text.isdecimal() and cell.text != "0"
    return cell.kind in _NUMBERS and not padded


def _chosen(
    path: Path, sheets: Sequence[ListedSheet], options: ReadOptions
) -> tuple[ListedSheet, list[Note]]:
    """Return the sheet to read, and notes on others."""
    named = [sheet for sheet in sheets if sheet.name.strip() == options.table.strip()]
    if named:
        return named[0], []
    shown = [sheet for sheet in sheets if not sheet.hidden and sheet.has_cells()]
    secret = [sheet for sheet in sheets if sheet.hidden and sheet.has_cells()]
    name = one_of(path, "sheet", [sheet.name for sheet in shown or secret], options)
    chosen = next(sheet for sheet in shown or secret if sheet.name == name)
    if not secret or not shown:
        return chosen, []
    some = ", ".join(plain(sheet.name, 30) for sheet in secret[:_SHOWN])
    more = ", …" if len(secret) > _SHOWN else ""
    why = f"{plain(path.name, 60)}: {counted(len(secret), 'hidden sheet')} not read: "
    return chosen, [Note(f"{why}{some}{more}", change="data.table", kind="dropped")]


def _as_csv(layout: Layout) -> str:
    """Return the table as CSV, in which types are found as in any other."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if layout.header:
        writer.writerow(layout.names)
    for row in layout.body.values():
        writer.writerow([row[column].text if column in row else "" for column in layout.columns])
    return text.getvalue()


def _words(rows: Iterable[Row]) -> str:
    texts = dict.fromkeys(" ".join(cell.text.split()) for row in rows for cell in row.values())
    return plain(", ".join(filter(None, texts)), 100)


def _layout_notes(path: Path, layout: Layout) -> Iterator[Note]:
    """Yield notes on the rows that are not part of the body."""
    name = plain(path.name, 60)
    for where, rows in (("above", layout.above), ("below", layout.below)):
        if rows:
            why = f"{name}: left out {where} the table: {_words(rows)!r}"
            yield Note(why, rows=len(rows), kind="dropped")
    if len(layout.header) > 1:
        why = f"{name} has {len(layout.header)} header rows with merged cells: names are joined"
        shown = plain(", ".join(layout.names[:_SHOWN]), 60)
        yield Note(why, read_as=shown, rows=len(layout.header), kind="converted")
    if layout.empty:
        yield Note(f"{name}: empty rows are left out", rows=layout.empty, kind="dropped")
    if layout.filled:
        why = f"{name}: each cell of merged ones has their value"
        yield Note(why, rows=layout.filled, kind="converted")


def _cell_notes(layout: Layout) -> Iterator[Note]:
    """Yield notes on columns whose cells are shown otherwise than they are stored, or have none."""
    for column, title in zip(layout.columns, _titles(layout), strict=True):
        cells = [row[column] for row in layout.body.values() if column in row]
        kinds = Counter(cell.kind for cell in cells)
        name = plain(title, 60)
        if kinds["formula"]:
            why = "formulas without a value: open the file in Excel or LibreOffice, and save it"
            yield Note(why, name, "missing", kinds["formula"])
        if kinds["error"]:
            yield Note("errors such as #N/A or #DIV/0!", name, "missing", kinds["error"])
        if kinds["percent"] and kinds["number"]:
            why = f"percentages are read as shares (15 % as 0.15), beside {kinds['number']:,} "
            yield Note(f"{why}plain numbers", name, "numbers", kinds["percent"])
        elif kinds["percent"]:
            why = "percentages are read as shares: 15 % as 0.15"
            yield Note(why, name, "numbers", kinds["percent"], kind="converted")
        if kinds["duration"]:
            why = "durations are read in seconds"
            yield Note(why, name, "seconds", kinds["duration"], kind="converted")
        if kinds["date"] and kinds["number"]:
            why = (
                f"numbers beside {counted(kinds['date'], 'date')}: their cells have no date format"
            )
            yield Note(why, name, "numbers", kinds["number"])
        yield from _numbers_as_text(name, cells)


def _titles(layout: Layout) -> Sequence[str]:
    """Return the names of the columns, of which those without one are numbered."""
    return [name or f"column_{place}" for place, name in enumerate(layout.names, 1)]


def _numbers_as_text(name: str, cells: Sequence[Cell]) -> Iterator[Note]:
    """Yield a note on texts among numbers that are numbers as well."""
    if not any(cell.kind == "number" for cell in cells):
        return
    texts = [cell.text.strip() for cell in cells if cell.kind == "text"]
    count = sum(map(_is_number, texts))
    if count:
        yield Note("numbers stored as text", name, "numbers", count, kind="converted")


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).removeprefix("-").isdecimal() and not text.startswith("00")


def _hidden(sheet: Sheet, layout: Layout) -> Iterator[Note]:
    """Yield notes on rows and columns that are hidden, but read."""
    if count := len(sheet.hidden_rows & layout.body.keys()):
        why = "hidden rows are read like the others: leave them out by deleting them"
        yield Note(why, plain(sheet.name, 60), rows=count)
    hidden = [
        plain(title, 30)
        for column, title in zip(layout.columns, _titles(layout), strict=True)
        if column in sheet.hidden_columns
    ]
    if hidden:
        more = ", …" if len(hidden) > _SHOWN else ""
        why = f"{counted(len(hidden), 'hidden column')} read like the others: "
        yield Note(f"{why}{', '.join(hidden[:_SHOWN])}{more}", plain(sheet.name, 60))
