"""Numbers as people write them: decimal and thousands marks, units of money and share."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.tables.clocks import parsed_clocks
from engine.data.tables.schema import NumberFormat
from engine.files.sanitize import plain

_MONEY = (
    r"(?:(?:US|R|A|C|NZ|HK|S|NT)?[$]|[€£¥￥₹₽₺₩₪₴₫฿円元원]|Rs\.?|kr\.?|zł|Kč|Ft|lei|руб\.?|р\.|Fr\."
    r"|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|RON|BRL|CAD|AUD|NZD|RUB|TRY|KRW|MXN"
    r"|ZAR|HKD|SGD)"
)
_UNIT = (
    r"(?:kg|mg|lbs?|oz|km|cm|mm|miles|mi|ft|sq ?ft|km²|m²|m2|ha|acres|ml|hrs?|hours|mins?|minutes"
    r"|secs?|seconds|ms|days|weeks|months|years|yrs|°C|°F|km/h|kmh|kmph|mph|kmpl|mpg|kWh?|MWh?|bhp|hp"
    r"|PS|[kMG]?Hz|[kKMGT]B|cc|CC|mAh|dB|px|bar|psi|pcs|rpm|Nm)|(?:\s(?:[gtlLhsVWAN]|°))"
)
"""Units of measure; of one letter, behind a blank alone: ``3B`` is a code, ``5.5 m`` a million."""
_SPACES = "\u00a0\u202f\u2009"
"""Blanks that do not end a line, which stand between thousands."""
_STEPS = (
    (f"[{_SPACES}]", " "),
    ("\u2212", "-"),
    (r"^\s+|\s+$", ""),
    (r"^\((.+)\)$", r"-\1"),  # negative amounts in books
    (rf"^([-+]?)\s*{_MONEY}\s*([-+]?)", r"\1\2"),
    (rf"\s*(?:%|{_MONEY})$", ""),
    (rf"^([-+\d.,'’ ]*\d)\s*(?:{_UNIT})$", r"\1"),
    (r"^([^-+].*)-$", r"-\1"),
)
"""Patterns and replacements that take a number out of what surrounds it."""
_MULTIPLES = {"k": 1e3, "m": 1e6, "b": 1e9}
_MULTIPLE = r"([\d.,)])\s?[kKmMbB]$"
_NO_UNIT = r"(?:\d[.,]?[eE][-+]?\d|[\d\s.,'’()+\-\x{a0}\x{202f}\x{2009}\x{2212}])+"
"""Everything of a number but its unit, once multiples are gone."""
_EXPONENT = r"(?:[eE][-+]?\d+)?"
_CODE = r"^0\d+$"
_FEW = 1000
_MOSTLY = 0.95
_FORMATS = tuple(
    NumberFormat(decimal=decimal, grouping=grouping)
    for decimal, grouping in (
        (".", ""), (".", ","), (",", ""), (",", "."), (".", "'"), (".", "’"), (",", "'"),
        (".", " "), (",", " "),
    )
)  # fmt: skip
"""All formats, those that are meant where several fit before the others."""


def find_number_format(
    values: Sequence[str], share: float, decimal: str = ""
) -> NumberFormat | None:
    """Return the format in which at least a ``share`` of the texts are numbers, if there is one.

    ``1,234`` is a thousand where every comma stands before three digits, no number begins with 0
    and larger ones have a comma too, unless ``decimal`` says that the file has decimal commas.
    """
    # Most columns of texts hold no number, which a few of them show.
    few, _ = _cores(values[:: len(values) // _FEW + 1])
    possible = [made for made in _FORMATS if _fitting(few, made).any()]
    if not possible:
        return None
    cores, _ = _cores(values)
    shares = {made: _fitting(cores, made).mean() for made in possible}
    best = max(shares.values())
    if best < share:
        return None
    fit = [made for made, found in shares.items() if found == best]
    return next((made for made in fit if made.decimal == decimal), fit[0])


def doubt_of_numbers(values: Sequence[str], written: NumberFormat, decimal: str = "") -> str:
    """Return what numbers in a format leave open about themselves; empty where it is nothing.

    ``decimal`` is the decimal mark of the file, where it is known.
    """
    doubts = (_open_marks(values, written, decimal), _mixed_units(values)) if values else ()
    return "; ".join(filter(None, doubts))


def _open_marks(values: Sequence[str], written: NumberFormat, decimal: str = "") -> str:
    """Return the assumption on marks, where all may be thousands or fractions; or empty.

    ``decimal`` is the decimal mark of the file, which decides.
    """
    mark = written.grouping or written.decimal
    if decimal or mark not in ".,":
        return ""
    cores, _ = _cores(values)
    other = NumberFormat(decimal=mark)
    if not written.grouping:
        other = NumberFormat(decimal="," if mark == "." else ".", grouping=mark)
    marked = pc.match_substring(cores, mark)
    if not pc.any(marked).as_py() or not _fitting(cores, other).all():
        return ""
    example = plain(values[int(pc.index(marked, True).as_py())], 40)
    if written.grouping:
        return f"{example} is read with thousands; it may be a fraction as well"
    return f"{example} is read as a fraction; it may have thousands as well"


def _mixed_units(values: Sequence[str]) -> str:
    """Return that units differ, or stand at some numbers only; else empty."""
    units = units_of(values)
    if len(units) < 2:
        return ""
    named = ", ".join(plain(unit, 10) or "none" for unit in units[:4])
    return f"the numbers have different units ({named}), which are not converted"


def units_of(values: Sequence[str]) -> list[str]:
    """Return the different units of money, share or measure of numbers; empty texts for none."""
    text = pa.array(values, pa.string())
    bare = unit_of_each(text.filter(pc.match_substring_regex(text, r"\d")))
    return [unit.as_py() for unit in pc.unique(bare)]


def unit_of_each(numbers: pa.Array) -> pa.Array:
    """Return the unit of each text that is a number; empty texts for none."""
    single = pc.replace_substring_regex(numbers, _MULTIPLE, r"\1")
    return pc.replace_substring_regex(single, _NO_UNIT, "")


def shortened(values: Sequence[str], written: NumberFormat) -> str:
    """Return how the first number with a letter for its size is read; empty where none has one."""
    if written.clock:
        return ""
    _, multiples = _cores(values)
    read = parsed_numbers(values, written)
    places = np.flatnonzero((multiples != 1) & np.isfinite(read))
    if not places.size:
        return ""
    return f"{plain(values[places[0]], 40)} is read as {read[places[0]]:,.10g}"


def merges_codes(values: Sequence[str]) -> bool:
    """Return whether several long whole numbers are the same as float64."""
    text = pa.array(values, pa.string())
    long = text.filter(pc.match_substring_regex(text, r"^\d{16,}$"))
    return len(long) > 0 and len(set(map(float, long.to_pylist()))) < len(long)


def padded_codes(values: Sequence[str]) -> bool:
    """Return whether texts are whole numbers padded with zeros to one length: ``007``, ``007.0``.

    They are codes even where few begin with a zero. With fractions, as ``05.50``, they are numbers.
    """
    text = pa.array(values, pa.string())
    if not pc.any(pc.match_substring_regex(text, r"^0\d+(?:[.,]0+)?$")).as_py():
        return False
    whole = text.filter(pc.match_substring_regex(text, r"^\d+(?:[.,]0+)?$"))
    _, counts = np.unique(pc.utf8_length(whole).to_numpy(), return_counts=True)
    return bool(counts.max() >= _MOSTLY * len(text))


def other_reading(
    values: Sequence[str], written: NumberFormat, decimal: str = "", unlike: bool = False
) -> tuple[NumberFormat, NDArray[np.bool_]] | None:
    """Return another format, and which texts it reads as other numbers than ``written``.

    It reads more of the texts; or as many, where their file is ``unlike`` the one of ``written``.
    ``decimal`` is the decimal mark of the file, where it is known. ``None`` if there is none.
    """
    known = parsed_numbers(values, written)
    least = int(np.isfinite(known).sum()) + (not unlike)
    if least > len(values):
        return None
    cores, _ = _cores(values)
    fitting = {made: int(_fitting(cores, made).sum()) for made in _FORMATS if made != written}
    for made in sorted(fitting, key=lambda made: (made.decimal != decimal, -fitting[made])):
        if fitting[made] < least:
            continue
        other = parsed_numbers(values, made)
        differs = np.isfinite(known) & np.isfinite(other) & (known != other)
        if differs.any():
            return made, differs
    return None


def parsed_numbers(values: Sequence[str], written: NumberFormat) -> NDArray[np.float64]:
    """Return the numbers, NaN for texts that are none in this format.

    Codes that begin with a zero, such as postal codes, are no numbers, nor is what float64 has no
    room for.
    """
    if written.clock:
        return parsed_clocks(values, written.clock)
    cores, multiples = _cores(values)
    good = _fitting(cores, written, known=True)
    plain = cores
    if written.grouping:
        plain = pc.replace_substring(plain, written.grouping, "")
    if written.decimal != ".":
        plain = pc.replace_substring(plain, written.decimal, ".")
    kept = pc.if_else(pa.array(good), plain, pa.scalar(None, pa.string()))
    numbers = np.asarray(kept.cast(pa.float64()).fill_null(np.nan), dtype=np.float64)
    numbers = numbers * multiples
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _cores(values: Sequence[str]) -> tuple[pa.Array, NDArray[np.float64]]:
    """Return the texts without units, and what the units multiply the numbers by.

    ``82.23K`` is a number of thousands, but ``3B`` a code: only fractions make units of letters.
    """
    text = pa.array(values, pa.string())
    for pattern, replacement in _STEPS:
        text = pc.replace_substring_regex(text, pattern, replacement)
    multiples = np.ones(len(values))
    if pc.any(pc.match_substring_regex(text, r"^[-+]?\d+[.,]\d+\s?[kKmMbB]$")).as_py():
        for letter, multiple in _MULTIPLES.items():
            ends = pc.match_substring_regex(text, rf"(?i)^[-+]?[\d.,]+\s?{letter}$")
            multiples[ends.to_numpy(zero_copy_only=False)] = multiple
        text = pc.replace_substring_regex(text, r"^([-+]?[\d.,]+)\s?[kKmMbB]$", r"\1")
    return text, multiples


def _fitting(cores: pa.Array, written: NumberFormat, known: bool = False) -> NDArray[np.bool_]:
    """Return which texts are numbers in a format, which others have shown if it is ``known``."""
    mark, group = re.escape(written.decimal), re.escape(written.grouping)
    plain = rf"^[-+]?(?:\d+(?:{mark}\d*)?|{mark}\d+){_EXPONENT}$"
    good = pc.and_not(
        pc.match_substring_regex(cores, plain), pc.match_substring_regex(cores, _CODE)
    )
    if not group:
        return _flags(good)
    # In India, all groups but the last have two digits.
    groups = rf"(?:[1-9]\d{{0,2}}(?:{group}\d{{3}})+|[1-9]\d?(?:{group}\d\d)+{group}\d{{3}})"
    grouped = pc.match_substring_regex(cores, rf"^[-+]?{groups}(?:{mark}\d*)?$")
    certain = pc.match_substring_regex(cores, rf"^[-+]?{groups}{mark}\d+$")
    if not known and pc.any(grouped).as_py() and not pc.any(certain).as_py():
        # Then larger numbers are grouped as well, or the mark is another one.
        good = pc.and_not(good, pc.match_substring_regex(cores, r"^[-+]?\d{4}"))
    return _flags(pc.or_(good, grouped))


def _flags(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(column.fill_null(False), dtype=bool)
