"""Types of table columns, as they are set or inferred from their values."""

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
from engine.data.column_names import ROW_NUMBERS
from engine.data.dates.compact import find_number_spelling
from engine.data.dates.spellings import (
    find_table_spelling,
    in_one_month,
    order_of_day,
    spelled,
)
from engine.data.image_record import example_of, is_image_record
from engine.data.raw import decimal_mark_of
from engine.data.tables.categories import TRUTH
from engine.data.tables.clocks import find_clock_format
from engine.data.tables.lists import common_items, find_separator
from engine.data.tables.number_format import (
    doubt_of_numbers,
    find_number_format,
    merges_codes,
    padded_codes,
)
from engine.data.tables.other_units import known_units
from engine.data.tables.schema import Column, ColumnType, NumberFormat
from engine.data.tables.values import (
    distinct_texts,
    floats,
    is_number,
    texts,
    tidy,
    truths_or_numbers,
    zone_of,
)
from engine.errors import DataError
from engine.files.sanitize import plain

_MOSTLY = 0.95
"""A column of text is one of numbers or dates when this share of its values is."""
_FEW_ROWS = 20
"""In fewer rows, values that are all different mean nothing."""
_WORDS = 5
"""Longer values, nearly all different, are sentences."""
_IDENTIFIER = re.compile(
    r"(?i:id|idx|index|key|uuid|guid|nr|no|row|unnamed.*|.*[_ ]id)|column_1|.*[a-z](Id|ID)"
)
_CODES = re.compile(
    r"(?i)(^|[^a-z])(zip|plz|postal|post|code|codes|sku|isbn|ean|phone|tel)([^a-z]|$)"
    r"|(zip|post|area)code"
)
_TIME = re.compile(
    r"(?i)(^|[^a-z])(year|month|week|day|hour|minute|second|time|date|period|quarter|age|step|cycle)"
    r"s?([^a-z]|$)|^t$"
)
_FEW_DATES = 3
"""Fewer whole numbers that may be read as dates mean nothing."""
_FIRST_DATE = 17_000_101
_MOST_CATEGORIES = 1000
"""More different values are ids."""
_WRITTEN = ("date", "words", "list", "id")
"""Types that are set and read numbers as they are written."""
_EXACT = 2**53
"""Whole numbers up to this one are exact as float64."""
_FIRST_ROWS = 10
"""A counter of rows begins below: rows before may be in another split."""


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
        _detect(name, table[name], settings.get(name), apart, decimal)
        for name in table.column_names
    ]
    if any(column.usable or column.reason == _CHOICE for column in columns):
        return columns
    # A table of nothing but a counter and a target has the counter as its input.
    return [
        column.model_copy(update={"type": "numeric", "reason": ""})
        if column.reason == _COUNTER else column
        for column in columns
    ]  # fmt: skip


_COUNTER = "counts the rows"
_CHOICE = "by choice"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The evidence that a column is judged by."""

    name: str
    column: pa.ChunkedArray
    distinct: int
    values: Sequence[str]
    """The different ones of a column of text."""
    written: NumberFormat | None
    """Format of its numbers; ``None`` where it has none."""
    apart: int
    decimal: str
    """Decimal mark of the file; empty where it is unknown."""
    lists: bool = True
    """Whether cells may be lists of items."""
    declared: bool = False
    """Whether the file declares the values as categories."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Type of a column, and what follows from it."""

    type: ColumnType
    reason: str = ""
    """Reason to leave it out."""
    date_format: str = ""
    unread: NDArray[np.bool_] | None = None
    """The mask of the different values that are no numbers or dates."""
    doubt: str = ""
    separator: str = ""
    """Mark between the items of a cell."""


def _detect(
    name: str, column: pa.ChunkedArray, setting: ColumnSetting | None, apart: int, decimal: str
) -> Column:
    declared = setting is None and _is_of_categories(column.type)
    kind, column = column.type, tidy(column, declared or _is_text(setting))
    rows, missing = len(column), column.null_count
    if setting is not None and setting.type == "ignored":
        return _ignored(name, column)
    if missing == rows:
        return Column(name=name, type="ignored", reason="empty", missing=missing)
    example, zone = example_of(column.drop_null()[0].as_py(), 40), zone_of(column.type)
    nested = _nested_type(column.type)
    if nested == "list" and _has_items(column.type.value_type):
        return Column(name=name, type="list", missing=missing, example=example,
                      items=common_items(column, ""))  # fmt: skip
    if nested is not None:
        return Column(name=name, type=nested, reason="no number, category or date",
                      missing=missing, example=example)  # fmt: skip
    if setting is not None and setting.type in _WRITTEN and is_number(column.type):
        column = texts(column)
    text = pa.types.is_string(column.type)
    values = distinct_texts(column)[0] if text else []
    distinct = len(values) if text else pc.count_distinct(column).as_py()
    written = set_number_format(name, setting) or find_number_format(values, 0.0, decimal)
    written = written or find_clock_format(kind, values, _MOSTLY)
    found = _Evidence(name, column, distinct, values, written, apart, decimal, declared=declared)
    verdict = _as_set(found, setting) if setting else _judge(found)
    return Column(name=name, type=verdict.type, reason=verdict.reason, missing=missing,
                  distinct=distinct, example=example, date_format=verdict.date_format, zone=zone,
                  number_format=(marks := written or NumberFormat(decimal=decimal or ".")),
                  units=known_units(column, marks) if verdict.type == "numeric" else (),
                  as_written=declared or _is_text(setting), doubt=verdict.doubt,
                  separator=verdict.separator,
                  items=common_items(column, verdict.separator) if verdict.type == "list" else [],
                  )  # fmt: skip


def _ignored(name: str, column: pa.ChunkedArray) -> Column:
    """Return a column that is left out by choice, with its values counted, except nested ones."""
    left_out = Column(name=name, type="ignored", reason=_CHOICE, missing=column.null_count)
    given = column.drop_null()
    if _nested_type(column.type) is not None or not len(given):
        return left_out
    counted = {"distinct": pc.count_distinct(given).as_py(), "example": plain(given[0].as_py(), 40)}
    return left_out.model_copy(update=counted)


def _nested_type(kind: pa.DataType) -> ColumnType | None:
    if pa.types.is_struct(kind):
        return "image" if is_image_record(kind) else "ignored"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "list"
    plain_kind = pa.types.is_string(kind) or pa.types.is_temporal(kind) or is_number(kind)
    return None if plain_kind or pa.types.is_boolean(kind) else "ignored"


def _has_items(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_integer(kind))


def _is_of_categories(kind: pa.DataType) -> bool:
    """Return whether a type is that of declared categories, as pandas and ARFF files have them."""
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return bool(pa.types.is_dictionary(kind) and any(one(kind.value_type) for one in texts))


def _is_text(setting: ColumnSetting | None) -> bool:
    return setting is not None and setting.type == "text"


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


def _as_set(found: _Evidence, setting: ColumnSetting) -> _Verdict:
    """The type that is set. Raises :class:`DataError` for dates that are none."""
    if found.distinct == 1 and not found.column.null_count:
        return _Verdict("ignored", "always the same")
    if setting.type == "text":
        return _judge_words(replace(found, lists=False))
    if setting.type == "words":
        return _Verdict("text")
    if setting.type == "list":
        return _Verdict("list", separator=setting.format or find_separator(found.values) or ",")
    if setting.type == "numeric":
        read = _read_numbers(found)
        if read.unread is not None and read.unread.all():
            raise _unfit(found, setting, "numbers")
        return replace(read, doubt="") if setting.format else read
    if setting.type != "date":
        return _Verdict(setting.type)
    if pa.types.is_temporal(found.column.type):
        return _Verdict("date")
    dates = _read_dates(found, setting.format)
    if dates is None or (dates.unread is not None and dates.unread.all()):
        raise _unfit(found, setting, "dates")
    return dates


def _unfit(found: _Evidence, setting: ColumnSetting, kind: str) -> DataError:
    """Return the error for a type that is set and that no value has."""
    form = f" of the form {plain(setting.format, 40)}." if setting.format else " that can be read."
    example = "date %d/%m/%Y" if setting.type == "date" else "numeric 1.234,5"
    return DataError(
        f"data.columns sets {plain(found.name, 60)!r} as {setting.type}, but its values, such as "
        f"{plain(found.values[0], 40)!r}, are not {kind}{form}",
        f"Set its format, such as {example}, or another type.",
    )


def _judge(found: _Evidence) -> _Verdict:
    """The type that the values show."""
    kind = found.column.type
    if found.distinct == 1 and not found.column.null_count:
        return _Verdict("ignored", "always the same")
    if found.distinct == 1 or pa.types.is_boolean(kind):
        return _Verdict("categorical")  # it only distinguishes present from missing
    if pa.types.is_temporal(kind):
        return _Verdict("date")
    if pa.types.is_string(kind):
        return _judge_texts(found)
    if _is_counter(found):
        return _Verdict("ignored", _COUNTER)
    if date_format := _compact_dates(found):
        return _Verdict("date", date_format=date_format)
    if _merges(found.column):
        return _judge_words(replace(found, values=distinct_texts(texts(found.column))[0]))
    return _read_numbers(found)


def _is_counter(found: _Evidence) -> bool:
    """Whole numbers, all different: those of an id, or 0, 1, 2 … with a few left out.

    Those that pandas gave to the rows count them in whatever order, and may repeat.

    Years and the like grow from row to row too, but they begin elsewhere or are named after time.
    """
    rows, apart = len(found.column), found.apart
    if pa.types.is_integer(found.column.type) and ROW_NUMBERS.fullmatch(found.name):
        return True
    if not pa.types.is_integer(found.column.type) or not _FEW_ROWS <= rows == found.distinct:
        return False
    if _IDENTIFIER.fullmatch(found.name):
        return True
    values = found.column.to_numpy()
    begins = 0 <= values[0] <= _FIRST_ROWS * apart and not _TIME.search(found.name)
    grows = np.all(np.diff(values) > 0) and values[-1] - values[0] < 3 * apart * rows
    return bool(begins and grows)


def _compact_dates(found: _Evidence) -> str:
    """The format of whole numbers that are all days or moments, such as 20240131; else empty."""
    if not pa.types.is_integer(found.column.type) or found.distinct < _FEW_DATES:
        return ""
    least = pc.min(found.column).as_py()
    if least < _FIRST_DATE:
        return ""
    values = pc.unique(found.column.drop_null()).cast(pa.int64(), safe=False).to_numpy()
    spelling = find_number_spelling(values)
    return spelling if spelling.startswith("%Y%m%d") else ""


def _merges(column: pa.ChunkedArray) -> bool:
    """Return whether several whole numbers of the column are the same as float64."""
    if not pa.types.is_integer(column.type) or column.type.bit_width < 64:
        return False
    bounds = pc.min_max(column).as_py()
    if max(-bounds["min"], bounds["max"]) <= _EXACT:
        return False
    values = pc.unique(column.drop_null())
    return len(np.unique(floats(values.cast(pa.float64(), safe=False)))) < len(values)


def _read_numbers(found: _Evidence) -> _Verdict:
    """Numbers, with those that are rounded or may be meant otherwise."""
    if not pa.types.is_string(found.column.type):
        large = pa.types.is_integer(found.column.type) and found.column.type.bit_width == 64
        bounds = pc.min_max(found.column).as_py() if large else {"min": 0, "max": 0}
        if max(-bounds["min"], bounds["max"]) > _EXACT:
            return _Verdict("numeric", doubt=f"whole numbers beyond {_EXACT:,} are rounded")
        if found.written and found.written.clock:
            return _Verdict("numeric")
        codes = "the name is one of codes, which have no order" * _may_be_codes(found)
        return _Verdict("numeric", doubt=codes)
    written = found.written or NumberFormat(decimal=found.decimal or ".")
    unread = ~np.isfinite(truths_or_numbers(found.values, written))
    good = [value for value, wrong in zip(found.values, unread, strict=True) if not wrong]
    doubt = doubt_of_numbers(good, written, found.decimal)
    return _Verdict("numeric", unread=unread, doubt=doubt)


def _may_be_codes(found: _Evidence) -> bool:
    """Whether whole numbers are named like codes, and all have as many digits."""
    if not is_number(found.column.type) or not _CODES.search(found.name):
        return False
    least, most = pc.min_max(found.column).as_py().values()
    whole = float(least).is_integer() and float(most).is_integer()
    return whole and least >= 10**3 and len(str(int(least))) == len(str(int(most)))


def _read_dates(found: _Evidence, date_format: str = "") -> _Verdict | None:
    """Dates, with those that may be meant otherwise; ``None`` where the values are none."""
    spelling = date_format or find_table_spelling(found.values, _MOSTLY, found.decimal == ",")
    if not spelling:
        return None
    values = pd.Series(found.values, dtype=object)
    order = None if date_format else order_of_day(values, spelling, in_one_month)
    doubt = f"dates are read with the {order.text}" if order and order.open else ""
    unread = spelled(values, spelling).wrong
    return _Verdict("date", date_format=spelling, unread=unread, doubt=doubt)


def _judge_texts(found: _Evidence) -> _Verdict:
    values = found.values
    if found.declared:
        dates = None if found.written else _read_dates(found)
        return dates or _judge_words(replace(found, lists=False))
    if all(value.lower() in TRUTH for value in values):
        return _Verdict("categorical")
    if found.written:
        read = _read_numbers(found)
        if read.unread is not None and 1 - read.unread.mean() >= _MOSTLY:
            codes = merges_codes(values) or padded_codes(values)
            return _judge_words(found) if codes else read
    return _read_dates(found) or _judge_words(found)


def _judge_words(found: _Evidence) -> _Verdict:
    """Lists, categories and ids, if values occur often enough; else texts."""
    present = len(found.column) - found.column.null_count
    if found.lists and (separator := find_separator(found.values)):
        return _Verdict("list", separator=separator)
    if present < _FEW_ROWS or found.distinct <= present / 2:
        return _Verdict("id" if found.distinct > _MOST_CATEGORIES else "categorical")
    words = float(np.mean([value.count(" ") + 1 for value in found.values[:1000]]))
    if words >= _WORDS:
        return _Verdict("text")
    return _Verdict("ignored", "nearly every row differs")
