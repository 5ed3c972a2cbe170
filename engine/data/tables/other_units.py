"""Numbers of a later file whose units are others than those of the training rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.data.tables.number_format import unit_of_each
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import distinct_texts, is_number, numbers, tidy
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_PERCENT = "%"
_SHOWN = 4


def known_units(column: pa.ChunkedArray, written: NumberFormat) -> tuple[str, ...]:
    """Return the different units of a column's numbers, an empty text for none."""
    if written.clock:
        return ()
    return tuple(sorted(pc.unique(_units(column, written)).drop_null().to_pylist()))


def other_units(
    column: pa.ChunkedArray,
    name: str,
    written: NumberFormat,
    trained: Sequence[str],
    split: str = "",
) -> Iterator[Note]:
    """Yield a note on numbers with units that the training rows lack; they are not converted.

    Numbers without a unit are taken to have that of the training rows. Only where these are
    percentages, and all others lie between -1 and 1, they may be shares.
    """
    typed = is_number(column.type)  # long files of numbers are not looked through for nothing
    if written.clock or not trained or (typed and set(trained) != {_PERCENT}):
        return
    units, of_split = _units(column, written), f" of {split}" if split else ""
    strange = pc.invert(pc.is_in(units, value_set=pa.array(["", *trained], pa.string())))
    strange = pc.and_(strange, units.is_valid())
    if rows := pc.sum(strange).as_py():
        have, first = _named(pc.unique(units.filter(strange)).to_pylist()), _first(column, strange)
        why = (
            f"{counted(rows, 'number')}{of_split} {_have(rows)} another unit ({have}) than in the "
            f"training rows ({_named(trained)}), which is not converted, the first {first!r}"
        )
        yield Note(why, plain(name, 60), "numbers", rows)
    elif set(trained) == {_PERCENT}:
        without = pc.fill_null(pc.equal(units, ""), False)
        yield from _shares(column.filter(without), name, written, of_split)


def _units(column: pa.ChunkedArray, written: NumberFormat) -> pa.Array:
    """Return the unit of each row; null where there is no number."""
    column = tidy(column)
    if not pa.types.is_string(column.type):
        known = np.asarray(column.is_valid()) & is_number(column.type)
        return pc.if_else(pa.array(known), "", pa.scalar(None, pa.string()))
    values, codes = distinct_texts(column)
    text = pa.array(values, pa.string())
    read = np.isfinite(numbers(pa.chunked_array([text]), written))
    units = pc.if_else(pa.array(read), unit_of_each(text), pa.scalar(None, pa.string()))
    return units.take(pa.array(codes, mask=codes < 0))


def _shares(
    column: pa.ChunkedArray, name: str, written: NumberFormat, of_split: str
) -> Iterator[Note]:
    """Yield a doubt on numbers without a percent sign that all lie between -1 and 1."""
    values = numbers(column, written)
    fractions = values[values % 1 != 0]
    if not len(fractions) or np.abs(values).max() > 1:
        return
    why = (
        f"{counted(len(values), 'number')}{of_split} {_have(len(values))} no % as in the training "
        f"rows: {fractions[0]:.6g} is read as {fractions[0]:.6g} %"
    )
    yield Note(why, plain(name, 60), "numbers", len(values))


def _first(column: pa.ChunkedArray, rows: pa.ChunkedArray) -> str:
    return plain(str(column[int(pc.index(rows, True).as_py())].as_py()), 40)


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _named(units: Sequence[str]) -> str:
    return ", ".join(plain(unit, 10) or "none" for unit in units[:_SHOWN])
