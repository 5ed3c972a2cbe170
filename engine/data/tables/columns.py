"""Types of table columns, inferred from their values; values as numbers or texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.config.data.columns import ColumnSetting
from engine.data.raw import decimal_mark_of
from engine.data.tables.categories import TRUTH
from engine.data.tables.number_format import find_number_format, parsed_numbers
from engine.data.tables.schema import Column, ColumnType, NumberFormat
from engine.errors import DataError
from engine.files.sanitize import plain

_MISSING = pa.array(["", "?", "-", "na", "n/a", "#n/a", "nan", "null", "none", "<na>"])
_MOSTLY = 0.95
"""A column of text is one of numbers or dates when this share of its values is."""
_FEW_ROWS = 20
"""In fewer rows, values that are all different mean nothing."""
_WORDS = 5
"""Longer values, nearly all different, are sentences."""
_IDENTIFIER = re.compile(
    r"(?i:id|idx|index|key|uuid|guid|nr|no|row|unnamed.*|.*[_ ]id)|column_1|.*[a-z](Id|ID)"
)
_TIME = re.compile(
    r"(?i)(^|[^a-z])(year|month|week|day|hour|minute|second|time|date|period|quarter|age|step|cycle)"
    r"s?([^a-z]|$)|^t$"
)
_FIRST_ROWS = 10
"""A counter of rows begins below: rows before may be in another split."""
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\d)"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}|[A-Z][a-z]{2,8} \d{1,2}, \d{4}"
)
_OFFSET = re.compile(r"(?<=:\d\d)([.]\d+)? ?(Z|[+-]\d\d(:?\d\d)?)$")
"""The offset from UTC after a time of day."""
_DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m/%d/%y", "%d.%m.%y", "%d %b %Y",
         "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")  # fmt: skip
_DATE_FORMATS = ("ISO8601", *(day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S")))


def detect_columns(
    table: pa.Table,
    settings: Mapping[str, ColumnSetting] = MappingProxyType({}),
    apart: int = 1,
) -> list[Column]:
    """The type of each column: the one that is set, else the one that its values show.

    Between two rows of the table, ``apart`` - 1 were left out. Raises :class:`DataError` for a
    format that is set and is none.
    """
    decimal = decimal_mark_of(table)
    columns = [
        _detect(name, tidy(table[name]), settings.get(name), apart, decimal)
        for name in table.column_names
    ]
    if any(column.usable for column in columns):
        return columns
    # A table of nothing but a counter and a target has the counter as its input.
    return [
        column.model_copy(update={"type": "numeric", "reason": ""})
        if column.reason == _COUNTER else column
        for column in columns
    ]  # fmt: skip


def tidy(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as plain numbers, texts or times, with every way of being missing as null."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return tidy(column.cast(kind.value_type))
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return tidy(column.cast(pa.float64()))
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(pc.utf8_lower(text), value_set=_MISSING)
        return pc.if_else(missing, pa.scalar(None, pa.string()), text)
    return column


def numbers(
    column: pa.ChunkedArray, number_format: NumberFormat | None = None
) -> NDArray[np.float64]:
    """A column as float64, NaN where there is no number; in the format of most, or as given."""
    column = tidy(column)
    if not pa.types.is_string(column.type):
        if _is_number(column.type) or pa.types.is_boolean(column.type):
            return _floats(column.cast(pa.float64(), safe=False))
        return np.full(len(column), np.nan)
    values, codes = _distinct(column)
    written = number_format or _format_among(values)
    parsed = np.append(_parsed_numbers(values, written), np.nan)
    return parsed[codes]


def number_format_of(column: pa.ChunkedArray, decimal: str = "") -> NumberFormat:
    """Return the format of most of a column's numbers; the plain one where it has none.

    ``decimal`` is the decimal mark of the file, where it is known.
    """
    column = tidy(column)
    return _format_among(_distinct(column)[0] if pa.types.is_string(column.type) else [], decimal)


def _format_among(values: Sequence[str], decimal: str = "") -> NumberFormat:
    found = find_number_format(values, 0.0, decimal)
    return found or NumberFormat(decimal=decimal or ".")


def texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as names of categories, null where it is missing: 1 and 1.0 are the same."""
    column = tidy(column)
    if pa.types.is_floating(column.type):
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2**53))
        numbers = pc.if_else(whole, column, pa.scalar(None, column.type)).cast(pa.int64())
        return pc.coalesce(numbers.cast(pa.string()), column.cast(pa.string()))
    return column.cast(pa.string())


def dates(column: pa.ChunkedArray, date_format: str = "") -> NDArray[np.datetime64]:
    """A column as ``datetime64[s]``, NaT where there is no date.

    Of times with a zone, the date and the hour are those that its clocks showed.
    """
    column = tidy(column)
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = pc.local_timestamp(column)
    if pa.types.is_temporal(column.type):
        moments = column.cast(pa.timestamp("s"), safe=False).to_numpy()
        return np.asarray(moments, dtype="datetime64[s]")
    if not pa.types.is_string(column.type):
        if not date_format:
            return np.full(len(column), np.datetime64("NaT", "s"))
        column = texts(column)  # whole numbers such as 20240131
    values, codes = _distinct(column)
    parsed = _parsed_dates(values, date_format or "ISO8601")
    return np.append(parsed, np.datetime64("NaT", "s"))[codes]


_COUNTER = "counts the rows"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a column is judged by."""

    name: str
    column: pa.ChunkedArray
    distinct: int
    values: Sequence[str]
    """The different ones of a column of text."""
    written: NumberFormat | None
    """Format of its numbers; ``None`` where it has none."""
    apart: int


def _detect(
    name: str, column: pa.ChunkedArray, setting: ColumnSetting | None, apart: int, decimal: str
) -> Column:
    rows, missing = len(column), column.null_count
    if setting is not None and setting.type == "ignored":
        return Column(name=name, type="ignored", reason="by choice", missing=missing)
    if missing == rows:
        return Column(name=name, type="ignored", reason="empty", missing=missing)
    example = plain(column.drop_null()[0].as_py(), 40)
    nested = _nested_type(column.type)
    if nested is not None:
        return Column(name=name, type=nested, reason="no number, category or date",
                      missing=missing, example=example)  # fmt: skip
    text = pa.types.is_string(column.type)
    values = _distinct(column)[0] if text else []
    distinct = len(values) if text else pc.count_distinct(column).as_py()
    written = set_number_format(name, setting) or find_number_format(values, 0.0, decimal)
    found = _Evidence(name, column, distinct, values, written, apart)
    type_, reason, date_format = _as_set(found, setting) if setting else _judge(found)
    return Column(name=name, type=type_, reason=reason, missing=missing, distinct=distinct,
                  example=example, date_format=date_format,
                  number_format=written or NumberFormat(decimal=decimal or "."))  # fmt: skip


def _nested_type(kind: pa.DataType) -> ColumnType | None:
    if pa.types.is_struct(kind):
        return "image" if {"bytes", "path"} <= {field.name for field in kind} else "ignored"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "list"
    plain_kind = pa.types.is_string(kind) or pa.types.is_temporal(kind) or _is_number(kind)
    return None if plain_kind or pa.types.is_boolean(kind) else "ignored"


def set_number_format(name: str, setting: ColumnSetting | None) -> NumberFormat | None:
    """Return the format of numbers that is set for a column. Raises :class:`DataError`."""
    if setting is None or setting.type != "numeric" or not setting.format:
        return None
    written = find_number_format([setting.format], 1.0)
    if written is None:
        raise DataError(
            f"data.columns: {plain(setting.format, 40)!r}, set for {plain(name, 60)!r}, is not a "
            "number.",
            "Give an example such as 1.234,5.",
        )
    return written


def _as_set(found: _Evidence, setting: ColumnSetting) -> tuple[ColumnType, str, str]:
    """Type that is set, reason to leave it out, and format of dates. Raises :class:`DataError`."""
    if found.distinct == 1 and not found.column.null_count:
        return "ignored", "always the same", ""
    if setting.type == "text":
        return _judge_words(found)
    if setting.type != "date":
        return setting.type, "", ""
    if not pa.types.is_string(found.column.type):
        if pa.types.is_temporal(found.column.type):
            return "date", "", ""
        found = replace(found, values=_distinct(texts(found.column))[0])
    date_format = setting.format or find_date_format(found.values)
    if not date_format or _share_of_dates(found.values, date_format) == 0:
        raise DataError(
            f"data.columns sets {plain(found.name, 60)!r} as date, but its values, such as "
            f"{plain(found.values[0], 40)!r}, are not dates"
            + (f" of the form {plain(date_format, 40)}." if date_format else " that can be read."),
            "Set its format, such as date %d/%m/%Y, or another type.",
        )
    return "date", "", date_format


def _judge(found: _Evidence) -> tuple[ColumnType, str, str]:
    """Type, reason to leave it out, and format of dates."""
    kind = found.column.type
    if found.distinct == 1 and not found.column.null_count:
        return "ignored", "always the same", ""
    if found.distinct == 1 or pa.types.is_boolean(kind):
        return "categorical", "", ""  # it only distinguishes present from missing
    if pa.types.is_temporal(kind):
        return "date", "", ""
    if pa.types.is_string(kind):
        return _judge_texts(found)
    if _is_counter(found):
        return "ignored", _COUNTER, ""
    return "numeric", "", ""


def _is_counter(found: _Evidence) -> bool:
    """Whole numbers, all different: those of an id, or 0, 1, 2 … with a few left out.

    Years and the like grow from row to row too, but they begin elsewhere or are named after time.
    """
    rows, apart = len(found.column), found.apart
    if not pa.types.is_integer(found.column.type) or not _FEW_ROWS <= rows == found.distinct:
        return False
    if _IDENTIFIER.fullmatch(found.name):
        return True
    values = found.column.to_numpy()
    begins = 0 <= values[0] <= _FIRST_ROWS * apart and not _TIME.search(found.name)
    grows = np.all(np.diff(values) > 0) and values[-1] - values[0] < 3 * apart * rows
    return bool(begins and grows)


def _judge_texts(found: _Evidence) -> tuple[ColumnType, str, str]:
    values = found.values
    if all(value.lower() in TRUTH for value in values):
        return "categorical", "", ""
    written = found.written
    if written and np.isfinite(parsed_numbers(values, written)).mean() >= _MOSTLY:
        return "numeric", "", ""
    date_format = find_date_format(values)
    if date_format:
        return "date", "", date_format
    return _judge_words(found)


def _judge_words(found: _Evidence) -> tuple[ColumnType, str, str]:
    """Categories, if values occur often enough; else texts, which no table network takes in."""
    present = len(found.column) - found.column.null_count
    if present < _FEW_ROWS or found.distinct <= present / 2:
        return "categorical", "", ""
    words = float(np.mean([value.count(" ") + 1 for value in found.values[:1000]]))
    if words >= _WORDS:
        return "text", "free text", ""
    return "ignored", "nearly every row differs", ""


def find_date_format(values: Sequence[str]) -> str:
    """The format in which nearly all texts are dates, as pandas names it; empty if none is."""
    some = list(values[:200])
    if sum(_DATE.match(value) is not None for value in some) < _MOSTLY * len(some) or not some:
        return ""
    # The first of equals: 03/04/2020 is in March unless another value in the column contradicts it.
    best = max(_DATE_FORMATS, key=lambda name: _share_of_dates(some, name))
    return best if _share_of_dates(values, best) >= _MOSTLY else ""


def _share_of_dates(values: Sequence[str], date_format: str) -> float:
    return float(1 - np.isnat(_parsed_dates(values, date_format)).mean())


def _parsed_dates(values: Sequence[str], date_format: str) -> NDArray[np.datetime64]:
    series = pd.Series(values, dtype=object).str.replace(_OFFSET, "", regex=True)
    times = pd.to_datetime(series, format=date_format, errors="coerce", utc=True)
    parsed: NDArray[np.datetime64] = times.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    return parsed


def _parsed_numbers(values: Sequence[str], number_format: NumberFormat) -> NDArray[np.float64]:
    """Numbers in a format; truth values are 1 and 0. NaN for the rest."""
    if values and all(value.lower() in TRUTH for value in values):
        return np.array([TRUTH[value.lower()] for value in values])
    return parsed_numbers(values, number_format)


def _distinct(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The different values, and for each row the number of its own (−1: missing)."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), codes.astype(np.int64)


def _floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.fill_null(np.nan), dtype=np.float64)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
