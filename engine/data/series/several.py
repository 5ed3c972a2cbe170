"""Find several series in one table, which are never averaged or joined to one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.series.channels import is_number, is_text
from engine.data.series.frequency import Times
from engine.data.series.roles import Roles
from engine.data.series.time_parts import first_unread_part, parts_of_years, year_column
from engine.errors import DataError
from engine.files.sanitize import plain

Codes = NDArray[np.int64]

_IDENTIFIER = re.compile(
    r"(unique|series|ts|item|store|shop|product|sku|article|sensor|station|symbol|ticker|asset"
    r"|country|city|region|location|site|customer|client|user|device|machine|meter|household"
    r"|entity|account|branch|warehouse|depot|department|dept|brand|family|variable"
    r"|building|turbine|vehicle|patient|subject|id|key)"
    r"([ _-]?(id|nr|no|num|number|code|name|key))?"
)
"""Names of columns that tell series apart."""
_YEAR = re.compile(
    r"((fiscal|financial|business|school)[ _-]?)?(year|yr|yyyy|fy|jahr|ann[eé]e|a[nñ]o|anno|jaar)"
)
"""Names of columns of years, which are a part of the time."""
_FEW = 3
_SHARE = 0.05
"""More rows than this at times that were there before are no accident."""
_LEAST_ROWS = 2
"""Most series have at least this many rows."""
_NEARLY_ALL = 0.95
"""Share of the rows that are those of such series: a new shop has a single one."""
_MOST_TRIED = 12
_TOGETHER = 3
"""Number of columns that may tell series apart together."""
_MOST_TOGETHER = 6
"""Of more columns not all threes are tried."""


def refuse_several(table: pa.Table, roles: Roles, times: Times, rows: NDArray[np.int64]) -> None:
    """Raise :class:`DataError` that names the column, if ``rows`` are those of several series."""
    if names := find_series(table, roles, times, rows):
        _refuse(table, names)


def find_series(
    table: pa.Table, roles: Roles, times: Times, rows: NDArray[np.int64]
) -> tuple[str, ...]:
    """Return the columns that tell the series in ``rows`` apart; empty where it is one series.

    Raises :class:`DataError` where times repeat and no column says why.
    """
    if not roles.time:
        return ()
    times = times[rows]
    repeated = _repeated(times)
    possible = _possible(table, roles)
    years = [name for name in possible if _YEAR.fullmatch(name.strip().lower())]
    possible = [name for name in possible if name not in years]
    if year_column([roles.time]):  # a quarter that was not read as one is still no series
        parts = parts_of_years(possible)
        possible = [name for name in possible if name not in parts]
    else:
        parts = []
    if 2 * repeated >= len(times) or (repeated > _FEW and repeated > _SHARE * len(times)):
        columns = {name: _codes(table[name])[rows] for name in possible}
        return _of_repeated(table, roles, times, columns, years, parts)
    back = np.diff(times) < 0
    mixed = bool(back.any() and not back.all())
    for name in possible:
        named = _is_named_for_series(name)
        if not named and not mixed:
            continue
        codes = _codes(table[name])[rows]
        if (named and _tells(table, name, codes, times)) or (mixed and _stands_by(codes, times)):
            return (name,)
    return ()


def suspect_series(table: pa.Table, roles: Roles, times: Times) -> str:
    """Return a column that may tell series apart where some times repeat; empty where none does.

    Rows of one time differ in it, and each of its values has several rows. Numbers count only where
    the column is named for series, as measured ones differ by themselves.
    """
    rows = np.flatnonzero(~repeated_rows(table, roles, times))
    times = times[rows]
    order = np.argsort(times, kind="stable")
    same = np.append(np.diff(times[order]) == 0, False)
    twice = order[same | np.roll(same, 1)]
    for name in sorted(_possible(table, roles), key=lambda n: not _is_named_for_series(n)):
        if is_number(table[name].type) and not _is_named_for_series(name):
            continue
        codes = _codes(table[name])[rows]
        pairs = pd.DataFrame({"time": times[twice], "code": codes[twice]})
        if len(twice) and _is_teller(codes) and not pairs.duplicated().any():
            return name
    return ""


def named_for_series(table: pa.Table, roles: Roles) -> str:
    """Return a column of texts that is named for series and has several rows of each; or empty."""
    texts = [name for name in _possible(table, roles) if is_text(table[name].type)]
    named = (name for name in texts if _is_named_for_series(name))
    return next((name for name in named if _is_teller(_codes(table[name]))), "")


def repeated_rows(table: pa.Table, roles: Roles, times: Times) -> NDArray[np.bool_]:
    """The rows that repeat another one, time and values and all."""
    if not _repeated(times):
        return np.zeros(len(times), np.bool_)
    names = dict.fromkeys([*roles.numeric, *_possible(table, roles)])
    columns = {str(i): _codes(table[name]) for i, name in enumerate(names)}
    return pd.DataFrame({"time": times} | columns).duplicated().to_numpy()


def _is_named_for_series(name: str) -> bool:
    return _IDENTIFIER.fullmatch(name.strip().lower()) is not None


def _repeated(times: Times) -> int:
    """Number of rows beyond one at each time."""
    in_order = times if (np.diff(times) > 0).all() else np.sort(times)
    return int((np.diff(in_order) == 0).sum())


def _tells(table: pa.Table, name: str, codes: Codes, times: Times) -> bool:
    """Whether a column named for series tells some apart.

    Numbers may as well be measured: they follow one another, or each has regular times.
    """
    if not _is_teller(codes):
        return False
    if not is_number(table[name].type):
        return True
    order = np.argsort(times, kind="stable")
    blocks = np.count_nonzero(np.diff(codes[order])) + 1 == len(np.unique(codes))
    times, codes = times[order], codes[order]
    return blocks or all(_is_regular(times[codes == code]) for code in np.unique(codes))


def _is_regular(times: Times) -> bool:
    steps = np.diff(times)
    return len(steps) > 1 and bool((steps == steps[0]).all())


def _possible(table: pa.Table, roles: Roles) -> list[str]:
    """Columns that may tell series apart: texts, numbers, categories."""
    fixed = {*roles.time_columns, roles.time, *roles.targets}
    kinds = (is_text, pt.is_dictionary, is_number)
    return [
        name
        for name in table.column_names
        if name not in fixed and any(kind(table[name].type) for kind in kinds)
    ]


def _codes(column: pa.ChunkedArray) -> Codes:
    """A number for each value; a missing one is a value too."""
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.combine_chunks().dictionary_encode("encode")
    codes: Codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _is_teller(codes: Codes) -> bool:
    """Whether there are several values of several rows each, which are nearly all rows."""
    counts = np.bincount(codes)
    long = counts[counts >= _LEAST_ROWS]
    return len(long) > 1 and bool(long.sum() >= _NEARLY_ALL * len(codes))


def _stands_by(codes: Codes, times: Times) -> bool:
    """Whether rows stand series by series: time starts again where the value changes, only there.

    It must come back to times between those of another series; else blocks are just out of order.
    """
    changes = np.diff(codes) != 0
    if not changes.any() or changes.sum() + 1 != len(np.unique(codes)):
        return False
    steps = np.diff(times)
    again = any(
        bool(back[changes].all() and not back[~changes].any()) for back in (steps < 0, steps > 0)
    )
    in_time = codes[np.argsort(times, kind="stable")]
    return again and np.count_nonzero(np.diff(in_time)) > changes.sum()


def _of_repeated(
    table: pa.Table,
    roles: Roles,
    times: Times,
    columns: dict[str, Codes],
    years: Sequence[str],
    parts: Sequence[str],
) -> tuple[str, ...]:
    several = {
        name: codes for name, codes in columns.items()
        if 1 < len(np.unique(codes)) <= len(codes) / 2
    }  # fmt: skip
    likely = sorted(several, key=lambda name: _rank(table, (name,), columns))[:_MOST_TRIED]
    for count in range(1, _TOGETHER + 1):
        tried = likely if count < _TOGETHER else likely[:_MOST_TOGETHER]
        for names in sorted(combinations(tried, count), key=lambda n: _rank(table, n, columns)):
            if _tell_apart([columns[name] for name in names], times):
                return names
    if years or parts:
        year, part = (years[0], roles.time) if years else (roles.time, parts[0])
        why = ""
        if not years:
            row = first_unread_part(table, year, part)
            value = plain(str(table[part][row].as_py()), 40)
            why = f": {value!r} in row {row + 1:,} is not a part of that year"
        raise DataError(
            f"The column {plain(part, 60)!r} begins again in each {plain(year, 60)!r}, so it is "
            f"not the time alone{why}.",
            "Write both as one column of dates, months or weeks; or, where each year is a series, "
            f"set task.series='[\"{plain(year, 60)}\"]'.",
        )
    raise DataError(
        f"The column {plain(roles.time, 60)!r} repeats each time about "
        f"{max(2, round(len(times) / len(np.unique(times))))} times: the data seems to hold "
        "several series.",
        "Name the columns that tell them apart in task.series. Several rows of one time in one "
        "series, such as single sales, are to be summed or averaged before.",
    )


def _tell_apart(codes: Sequence[Codes], times: Times) -> bool:
    """Whether no time repeats, or nearly none, among rows with the same values."""
    keys = pd.DataFrame(dict(enumerate(codes)))
    groups = len(keys) - int(keys.duplicated().sum())
    repeated = int(keys.assign(time=times).duplicated().sum())
    return 2 * groups <= len(keys) and repeated <= max(1, _SHARE * len(keys) / 5)


def _rank(table: pa.Table, names: Sequence[str], columns: dict[str, Codes]) -> tuple[int, int, int]:
    unnamed = sum(not _is_named_for_series(name) for name in names)
    numbers = sum(is_number(table[name].type) for name in names)
    return unnamed, numbers, sum(len(np.unique(columns[name])) for name in names)


def _refuse(table: pa.Table, names: Sequence[str]) -> NoReturn:
    quoted = " and ".join(repr(plain(name, 60)) for name in names)
    first = " and ".join(
        f"{plain(name, 60)} = {plain(str(table[name][0].as_py()), 40)}" for name in names
    )
    groups = table.select(list(names)).group_by(list(names)).aggregate([]).num_rows
    plural = len(names) > 1
    raise DataError(
        f"The data holds several series: the column{'s' * plural} {quoted} "
        f"tell{'s' * (not plural)} {groups:,} apart.",
        f"Keep the rows of one of them, such as {first}, or put each into a separate column of "
        f"its own. If all rows are one series, leave {quoted} out of the data.",
    )
