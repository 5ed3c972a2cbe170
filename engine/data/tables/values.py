"""Values of table columns as numbers, dates or names of categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.dates.spellings import spelled
from engine.data.tables.categories import TRUTH
from engine.data.tables.clocks import format_of_type, typed_clocks
from engine.data.tables.number_format import find_number_format, parsed_numbers
from engine.data.tables.plain_numbers import plain_numbers, with_odd_apart
from engine.data.tables.schema import NumberFormat

_MISSING = pa.array([
    "", "?", "-", "–", "—", "--", "---", ".", "..", "...", "…", "na", "n/a", "n.a.", "n.a", "#n/a",
    "nan", "-nan", "null", "(null)", "\\n", "none", "<na>", "nat", "k.a.", "k. a.", "n.d.", "s.d.",
    "s/d", "b.d.", "н/д", "нет данных", "#value!", "#ref!", "#div/0!", "#name?", "#num!", "#null!",
])  # fmt: skip
"""Ways to write in lower case that a value is missing."""
_ISO = "ISO8601"
_ISO_DATE = r"\d{4}-\d{2}-\d{2}"
"""Dates that mean the same beside those of any other spelling."""


def tidy(column: pa.ChunkedArray, as_written: bool = False) -> pa.ChunkedArray:
    """The values as plain numbers, texts or times, with every way of being missing as null.

    Of texts ``as_written``, only blank ones are missing.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return tidy(column.cast(kind.value_type), as_written)
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
        blank = pc.equal(text, "")
        missing = blank if as_written else pc.is_in(pc.utf8_lower(text), value_set=_MISSING)
        return pc.if_else(missing, pa.scalar(None, pa.string()), text)
    return column


def numbers(
    column: pa.ChunkedArray, number_format: NumberFormat | None = None
) -> NDArray[np.float64]:
    """A column as float64, NaN where there is no number; in the format of most, or as given."""
    if number_format and number_format.clock and format_of_type(column.type) is not None:
        return typed_clocks(column, number_format.clock)
    column = tidy(column)
    if not pa.types.is_string(column.type):
        if is_number(column.type) or pa.types.is_boolean(column.type):
            return floats(column.cast(pa.float64(), safe=False))
        return np.full(len(column), np.nan)
    known = plain_numbers(column, number_format)
    if known is not None:
        return floats(known)
    if number_format and (found := _mostly_plain(column, number_format)) is not None:
        return found
    values, codes = distinct_texts(column)
    written = number_format or _format_among(values)
    parsed = np.append(truths_or_numbers(values, written), np.nan)
    return parsed[codes]


def _mostly_plain(column: pa.ChunkedArray, written: NumberFormat) -> NDArray[np.float64] | None:
    """Return texts as numbers, of which only those that are not plain are parsed one by one.

    ``None`` where plain ones have another meaning, or may be truth values beside words for such.
    """
    apart = with_odd_apart(column, written)
    if apart is None:
        return None
    found, odd = apart
    plain = found[np.isfinite(found)]
    if ((plain == 0) | (plain == 1)).all():
        return None
    values, codes = distinct_texts(column.take(pa.array(odd)))
    found[odd] = np.append(parsed_numbers(values, written), np.nan)[codes]
    return found


def number_format_of(column: pa.ChunkedArray, decimal: str = "") -> NumberFormat:
    """Return the format of most of a column's numbers; the plain one where it has none.

    ``decimal`` is the decimal mark of the file, where it is known.
    """
    if (typed := format_of_type(column.type)) is not None:
        return typed
    column = tidy(column)
    return _format_among(
        distinct_texts(column)[0] if pa.types.is_string(column.type) else [], decimal
    )


def _format_among(values: Sequence[str], decimal: str = "") -> NumberFormat:
    found = find_number_format(values, 0.0, decimal)
    return found or NumberFormat(decimal=decimal or ".")


def texts(column: pa.ChunkedArray, as_written: bool = False) -> pa.ChunkedArray:
    """A column as names of categories, null where it is missing: 1 and 1.0 are the same."""
    column = tidy(column, as_written)
    if pa.types.is_floating(column.type):
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2**53))
        numbers = pc.if_else(whole, column, pa.scalar(None, column.type)).cast(pa.int64())
        return pc.coalesce(numbers.cast(pa.string()), column.cast(pa.string()))
    return column.cast(pa.string())


def zone_of(kind: pa.DataType) -> str:
    """Return the time zone of a type of moments; empty for other types."""
    return (kind.tz or "") if pa.types.is_timestamp(kind) else ""


def dates(column: pa.ChunkedArray, date_format: str = "", zone: str = "") -> NDArray[np.datetime64]:
    """A column as ``datetime64[s]``, NaT where there is no date.

    Of times with a zone, the date and the hour are those that its clocks showed, or those of the
    ``zone`` that is given: one moment has one meaning, whatever zone a later file has it in.
    """
    column = tidy(column)
    if own := zone_of(column.type):
        if zone and zone != own:
            column = column.cast(pa.timestamp(column.type.unit, zone))
        column = pc.local_timestamp(column)
    if pa.types.is_temporal(column.type):
        moments = column.cast(pa.timestamp("s"), safe=False).to_numpy()
        return np.asarray(moments, dtype="datetime64[s]")
    if not pa.types.is_string(column.type):
        if not date_format:
            return np.full(len(column), np.datetime64("NaT", "s"))
        column = texts(column)  # whole numbers such as 20240131
    values, codes = distinct_texts(column)
    parsed = _parsed_dates(values, date_format or _ISO)
    return np.append(parsed, np.datetime64("NaT", "s"))[codes]


def _parsed_dates(values: Sequence[str], date_format: str) -> NDArray[np.datetime64]:
    texts = pd.Series(values, dtype=object)
    read = spelled(texts, date_format)
    parsed: NDArray[np.datetime64] = read.moments.astype("datetime64[s]")
    whole = texts.str.match(_ISO_DATE).to_numpy(bool) & read.wrong
    if whole.any():
        parsed[whole] = spelled(texts[whole], _ISO).moments.astype("datetime64[s]")
    return parsed


def truths_or_numbers(values: Sequence[str], number_format: NumberFormat) -> NDArray[np.float64]:
    """Numbers in a format; truth values in words are 1 and 0 beside no others. NaN for the rest."""
    numbers = parsed_numbers(values, number_format)
    words = [TRUTH.get(value.lower(), np.nan) for value in values]
    beside = numbers[np.isfinite(numbers)]
    if not ((beside == 0) | (beside == 1)).all():
        return numbers
    return np.where(np.isfinite(numbers), numbers, words)


def words_for_missing(column: pa.ChunkedArray) -> list[str]:
    """Return the different words in a column of texts that count as missing values."""
    if not pa.types.is_string(column.type):
        return []
    text = pc.utf8_trim_whitespace(pc.unique(column))
    words = text.filter(pc.is_in(pc.utf8_lower(text), value_set=_MISSING))
    return [word for word in pc.unique(words).to_pylist() if word]


def distinct_texts(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """The different values, and for each row the number of its own (−1: missing)."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), codes.astype(np.int64)


def floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers as float64, NaN where they are missing."""
    return np.asarray(column.fill_null(np.nan), dtype=np.float64)


def is_number(kind: pa.DataType) -> bool:
    """Whether a type is one of whole or floating numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
