"""Times that are written as ranges, as energy markets do: ``01.01.2024 00:00 - 01.01.2024 01:00``.

The beginning of a range stands for it: values of an hour are of the hour that begins then.
"""

from __future__ import annotations

import re

import pyarrow as pa

from engine.data.raw import RawData
from engine.data.series.channels import is_text
from engine.files.sanitize import plain
from engine.reports.note import Note

_RANGE = re.compile(r"\s*(\S.*?)\s+[-–—/]\s+(\S.*?)(?:\s*\([A-Z+:\d/]+\))?\s*")
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?!\d)|\d{8}T?\d{4}")
_DIGITS = re.compile(r"\d")


def with_beginnings(raw: RawData) -> RawData:
    """Return the data with the beginning of each range in place of it, and a note on each column.

    Columns are converted where all cells of the training rows that are not empty are ranges.
    """
    found = _range_columns(raw.train)
    if not found:
        return raw
    splits = {split: _converted(table, found) for split, table in raw.splits.items()}
    notes = [
        Note("times are ranges, of which the beginning is read", plain(name, 40), "times",
             raw.train.num_rows, kind="converted")
        for name in found
    ]  # fmt: skip
    return raw.with_splits(splits, *notes)


def file_with_beginnings(table: pa.Table) -> pa.Table:
    """Return rows to predict from with the beginnings of ranges, as :func:`with_beginnings`."""
    return _converted(table, _range_columns(table))


def _range_columns(table: pa.Table) -> list[str]:
    return [
        field.name
        for field in table.schema
        if is_text(field.type) and _are_ranges(table[field.name])
    ]


def _are_ranges(column: pa.ChunkedArray) -> bool:
    some = [text for text in column.slice(0, 100).to_pylist() if text]
    if not some or not all(map(_beginning, some)):
        return False
    return all(_beginning(text) for text in column.to_pylist() if text)


def _beginning(text: str) -> str:
    """Return the beginning of a range whose ends are written alike; empty for other texts."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return ""
    first, last = match.groups()
    alike = _DIGITS.sub("0", first) == _DIGITS.sub("0", last)
    return first if alike and _DATE.match(first) else ""


def _converted(table: pa.Table, columns: list[str]) -> pa.Table:
    for name in columns:
        if name in table.column_names and is_text(table.schema.field(name).type):
            texts = [text and (_beginning(text) or text) for text in table[name].to_pylist()]
            place = table.column_names.index(name)
            table = table.set_column(place, name, pa.array(texts, pa.string()))
    return table
