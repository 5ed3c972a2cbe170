"""Values of later rows that do not fit their column as the training rows have it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.on_disk import in_windows
from engine.data.raw import TRAIN
from engine.data.tables.features import ENCODED, SCORED, encode_category
from engine.data.tables.other_marks import other_marks
from engine.data.tables.schema import CategoricalFeature, Column, Features
from engine.data.tables.values import dates, numbers, tidy
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def unfit_values(features: Features, table: pa.Table, split: str = "") -> Iterator[Note]:
    """Yield a note for each column with values that its training rows give no meaning.

    They are encoded as missing, or as unknown categories. Rare categories of the training rows
    are unknown too, so those of ``train`` itself are no news.
    """
    known = {feature.column: feature for feature in features.categorical}
    for column in features.columns:
        category = known.get(column.name)
        if column.name not in table.column_names or (category and split == TRAIN):
            continue
        if _always_fits(table[column.name].type, column):
            continue
        count, first = _unfit(table.select([column.name]), column, category)
        if count:
            yield _note(column, count, first, split)
        if column.type == "numeric" and split != TRAIN:
            yield from other_marks(table, column.name, column.number_format, split)


def _always_fits(kind: pa.DataType, column: Column) -> bool:
    """Return whether values of this type can be read as those of the column, whatever they are."""
    if column.type in ("list", *SCORED):
        return True
    if column.type == "numeric":
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    return column.type == "date" and bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _unfit(
    table: pa.Table, column: Column, category: CategoricalFeature | None
) -> tuple[int, object]:
    """Return how many values do not fit, and the first of them."""
    count, first = 0, None
    for piece in in_windows(table, ENCODED):
        counts = pc.value_counts(piece[column.name])  # in the order of the first of each
        values = pa.chunked_array([counts.field("values")])
        given = tidy(values, column.as_written).is_valid()
        lost = _lost(values, column, category) & np.asarray(given)
        if lost.any():
            first = first if count else values[int(lost.argmax())].as_py()
            count += int(counts.field("counts").to_numpy()[lost].sum())
    return count, first


def _lost(
    values: pa.ChunkedArray, column: Column, category: CategoricalFeature | None
) -> NDArray[np.bool_]:
    if category is not None:
        unknown: NDArray[np.bool_] = encode_category(category, values) == 0
        return unknown
    if column.type == "numeric":
        return np.isnan(numbers(values, column.number_format))
    return np.isnat(dates(values, column.date_format))


def _note(column: Column, count: int, first: object, split: str) -> Note:
    what, read_as = {
        "numeric": (f"not a number such as {column.number_format.example}", "missing"),
        "date": ("not a date as in the training rows", "missing"),
    }.get(column.type, ("not among the categories of the training rows", "unknown category"))
    of_split = f" of {split}" if split else ""
    are = "is" if count == 1 else "are"
    return Note(
        f"{counted(count, 'value')}{of_split} {are} {what}, the first {plain(str(first), 40)!r}",
        column=plain(column.name, 60),
        read_as=read_as,
        rows=count,
    )
