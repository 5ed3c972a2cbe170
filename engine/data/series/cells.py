"""Cells of several columns that hold the same: as numbers, and what is drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.raw import decimal_mark_of
from engine.data.series.channels import Values, first_text, has_numbers, is_number, is_text
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers, tidy
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

Drawn = tuple[tuple[str, str], ...]
"""Columns that are drawn from others, and as what, such as their sum."""

_NEARLY = 0.9
"""Share of rows in which a column is the sum, or the like, of them."""
_ROUNDED = 0.005
"""Relative difference of a mean that was rounded."""
_DRAWN: dict[str, tuple[Callable[[Values, int], Values], int]] = {
    "sum": (np.nansum, 2), "mean": (np.nanmean, 5), "maximum": (np.nanmax, 5),
    "minimum": (np.nanmin, 5),
}  # fmt: skip
"""The function of each, and the fewest rows in which it is no accident."""


def may_be_values(kind: pa.DataType) -> bool:
    """Return whether cells of a type may be numbers, texts of numbers or empty."""
    return is_number(kind) or is_text(kind) or bool(pa.types.is_null(kind))


def holds_texts(column: pa.ChunkedArray) -> bool:
    """Return whether a column holds texts, rather than numbers with a few mistakes."""
    if not is_text(column.type) or not tidy(column).is_valid().to_numpy().any():
        return False
    return not has_numbers(column) and first_text(column) is None


def cell_values(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return the cells row by row: numbers, or texts where some columns have texts.

    Raises :class:`DataError` for a text that is not a number.
    """
    texts = any(is_text(table.schema.field(name).type) for name in names)
    if not texts:
        values = np.stack([_floats(table[name]) for name in names], 1)
        return pa.array(values.reshape(-1), from_pandas=True)
    mark = decimal_mark_of(table)
    columns = [_texts(table[name], mark) for name in names]
    cells = pa.concat_arrays(columns).take(
        pa.array(np.arange(len(names) * table.num_rows).reshape(len(names), -1).T.reshape(-1))
    )
    column = tidy(pa.chunked_array([cells]))
    written = number_format_of(column, mark)
    wrong = np.isnan(numbers(column, written)) & np.asarray(column.is_valid())
    if wrong.any():
        row, place = divmod(int(wrong.argmax()), len(names))
        like = f" such as {written.example}" if written != NumberFormat() else ""
        text = plain(str(column[int(wrong.argmax())]), 40)
        raise DataError(
            f"The column {plain(names[place], 60)!r} holds {text!r} in row {row + 1:,}, which is "
            f"not a number{like}.",
            "Correct the row, or leave its value empty.",
        )
    return column.combine_chunks()


def drawn_columns(table: pa.Table, names: Sequence[str], others: Sequence[str]) -> Drawn:
    """Return which of the ``others`` are sums or the like of the cells in ``names``, by row."""
    if not all(is_number(table.schema.field(name).type) for name in names):
        return ()
    cells = np.stack([_floats(table[name]) for name in names], 1)
    known = np.asarray(~np.isnan(cells).all(1), np.bool_)
    numeric = [name for name in others if is_number(table.schema.field(name).type)]
    drawn = ((name, _drawn(_floats(table[name]), cells, known)) for name in numeric)
    return tuple((name, what) for name, what in drawn if what)


def drawn_notes(drawn: Drawn, of: str, rows: int) -> Iterator[Note]:
    """Yield notes on columns that are not used, as they hold what is to be forecast."""
    for name, what in drawn:
        why = f"{plain(name, 40)} is the {what} of the columns of the {of}: not used"
        yield Note(why, plain(name, 40), "not used", rows, kind="dropped")


def _drawn(values: Values, cells: Values, known: NDArray[np.bool_]) -> str:
    """Return what a column is of the cells; empty where it is something else."""
    known = known & ~np.isnan(values)
    if not known.any() or np.ptp(values[known]) == 0:
        return ""
    for what, (of, least) in _DRAWN.items():
        if (
            known.sum() >= least
            and np.isclose(values[known], of(cells[known], 1), _ROUNDED, 1e-9).mean() >= _NEARLY
        ):
            return what
    return ""


def _texts(column: pa.ChunkedArray, mark: str) -> pa.Array:
    """Return cells as texts with the decimal mark of their file."""
    texts = column.combine_chunks().cast(pa.string())
    plain_numbers = is_number(column.type) and mark == ","
    return pc.replace_substring(texts, ".", ",") if plain_numbers else texts


def _floats(column: pa.ChunkedArray) -> Values:
    whole = column.combine_chunks().cast(pa.float64(), safe=False)
    return np.asarray(whole.to_numpy(zero_copy_only=False), np.float64)
