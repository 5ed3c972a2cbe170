"""Files of sktime and of the UEA archive (``.ts``): a line a series, dimensions between colons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from engine.data.readers.tsf import numbers_of
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_BETWEEN = re.compile(r"\s*:\s*(?![^()]*\))")
"""A colon that is not within the parentheses of a time and its value."""
_PAIR = re.compile(r"\(\s*([^(),]+?)\s*,\s*([^(),]+?)\s*\)")
_PAIRS = re.compile(rf"{_PAIR.pattern}(?:\s*,\s*{_PAIR.pattern})*")
_WHOLE = re.compile(r"-?\d{1,18}")
_LABELS = {"classlabel": "a class", "targetlabel": "a number to predict"}
_REMEDY = (
    "No task learns these of a series. For one on tables, write a CSV file with a series a row, a "
    "column a step, and one of what is to be learned."
)
Times = list[str] | list[int]
Cells = dict[str, list[str] | list[int] | list[float]]


def read_ts(path: Path, text: str) -> tuple[pa.Table, tuple[Note, ...]]:
    """One row a step: ``series``, ``time`` and ``value``, or a column for each dimension; a note.

    Times are counted from 1 where the file has none; ``?`` is a missing value. Raises
    :class:`DataError` for a file with classes, and with the number of a line that cannot be read.
    """
    header, lines = _header(path, text)
    numbered = [*lines]
    if not numbered:
        raise DataError(f"{plain(path.name)} has no series behind @data.")
    _refuse_labels(path, header, len(numbered))
    series = [_series(path, number, line) for number, line in numbered]
    first = [*series[0]]
    for (number, _), own in zip(numbered, series, strict=True):
        if [*own] != first:
            what = f"has {len(own) - 1} dimensions, where the first series has {len(first) - 1}"
            raise _wrong(path, number, what)
    lengths = [len(own["time"]) for own in series]
    names = np.repeat(np.arange(1, len(series) + 1), lengths)
    columns = {"series": pa.array(names).cast(pa.string())}
    for name in first:
        columns[name] = pa.array([cell for own in series for cell in own[name]], from_pandas=True)
    dimensions = counted(len(first) - 1, "dimension")
    why = f"{plain(path.name, 60)} has {counted(len(series), 'series', 'series')} of {dimensions}"
    why += ", a line each: they are numbered"
    return pa.table(columns), (Note(why, "series", rows=len(series), kind="converted"),)


def _header(path: Path, text: str) -> tuple[Mapping[str, list[str]], Iterator[tuple[int, str]]]:
    """The words behind each key before ``@data``, and the numbered lines behind it."""
    header: dict[str, list[str]] = {}
    lines = ((i, line.strip()) for i, line in enumerate(text.splitlines(), 1))
    some = ((i, line) for i, line in lines if line and not line.startswith("#"))
    for _, line in some:
        word, *rest = line.split()
        if word.lower() == "@data":
            return header, some
        if not word.startswith("@"):
            break
        header[word[1:].lower()] = rest
    raise DataError(
        f"{plain(path.name)} has no header that ends with @data.",
        "Series in a .ts file are written as sktime writes them; TypeScript and videos have this "
        "suffix too.",
    )


def _refuse_labels(path: Path, header: Mapping[str, list[str]], count: int) -> None:
    for key, what in _LABELS.items():
        has, *classes = header.get(key) or ["false"]
        if has.lower() != "true":
            continue
        shown = ", ".join(plain(name, 20) for name in classes[:5])
        named = f" ({len(classes)}: {shown}{', …' * (len(classes) > 5)})" if classes else ""
        raise DataError(
            f"{plain(path.name)} has {counted(count, 'series', 'series')}, each with {what}"
            f"{named}: its data is not made to be forecast.",
            _REMEDY,
        )


def _series(path: Path, number: int, line: str) -> Cells:
    """The columns of one line."""
    parts = _BETWEEN.split(line.strip())
    read = [_dimension(path, number, part) for part in parts]
    times, _ = read[0]
    if any(own != times for own, _ in read):
        raise _wrong(path, number, "has dimensions of other times or lengths")
    names = ["value"] if len(read) == 1 else [f"dimension_{n}" for n in range(1, len(read) + 1)]
    cells: Cells = {"time": times}
    for name, (_, values) in zip(names, read, strict=True):
        cells[name] = values
    return cells


def _dimension(path: Path, number: int, part: str) -> tuple[Times, list[float]]:
    """The times and values of one dimension."""
    times: list[str] = []
    written = part
    if part.startswith("("):
        if not _PAIRS.fullmatch(part):
            raise _wrong(path, number, "has a time without a value, or other text between them")
        pairs = _PAIR.findall(part)
        times, written = [time for time, _ in pairs], ",".join(value for _, value in pairs)
    try:
        values: list[float] = numbers_of(written).tolist()
    except ValueError:
        raise _wrong(path, number, "has a value that is neither a number nor ?") from None
    if not times:
        return [*range(1, len(values) + 1)], values
    counts = all(map(_WHOLE.fullmatch, times))
    return [int(time) for time in times] if counts else times, values


def _wrong(path: Path, number: int, what: str) -> DataError:
    return DataError(f"Line {number:,} of {plain(path.name)} {plain(what)}.", "Correct the line.")
