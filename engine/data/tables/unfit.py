"""Values of later rows that do not fit their column as the training rows have it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.on_disk import in_windows
from engine.data.raw import TRAIN
from engine.data.tables.categories import other_spellings
from engine.data.tables.features import ENCODED, SCORED, encode_category
from engine.data.tables.lists import without_known
from engine.data.tables.other_marks import other_marks
from engine.data.tables.other_units import other_units
from engine.data.tables.schema import CategoricalFeature, Column, Features
from engine.data.tables.values import dates, numbers, texts, tidy, zone_of
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def unfit_values(features: Features, table: pa.Table, split: str = "") -> Iterator[Note]:
    """Yield a note for each column with values that its training rows give no meaning.

    They are encoded as missing, as unknown categories or as lists of unknown items. Rare categories
    and items of the training rows are unknown too, so those of ``train`` itself are no news.
    """
    known = {feature.column: feature for feature in features.categorical}
    present = set(table.column_names)
    for column in features.columns:
        category = known.get(column.name)
        rare = category is not None or column.type == "list"
        if column.name not in present or (rare and split == TRAIN):
            continue
        if column.type == "numeric" and split != TRAIN:
            values, written = table[column.name], column.number_format
            yield from other_units(values, column.name, written, column.units, split)
        if column.type == "date" and split != TRAIN:
            yield from _zone_notes(table[column.name], column, split)
        if _always_fits(table[column.name].type, column):
            continue
        own = table.select([column.name])
        if category is not None:
            yield from _category_notes(own, column, category, split)
            continue
        count, first = _unfit(own, column)
        if count:
            yield _note(column, count, first, split)
        if column.type == "numeric" and split != TRAIN:
            yield from other_marks(table, column.name, column.number_format, split)


def _always_fits(kind: pa.DataType, column: Column) -> bool:
    """Return whether values of this type can be read as those of the column, whatever they are."""
    if column.type in SCORED:
        return True
    if column.type == "numeric":
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    return column.type == "date" and bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _unfit(table: pa.Table, column: Column) -> tuple[int, object]:
    """Return how many values do not fit, and the first of them."""
    count, first = 0, None
    for piece in in_windows(table, ENCODED):
        values, counts = _counted(piece[column.name])
        given = tidy(values, column.as_written).is_valid()
        lost = _lost(values, column) & np.asarray(given)
        if lost.any():
            first = first if count else values[int(lost.argmax())].as_py()
            count += int(counts[lost].sum())
    return count, first


def _counted(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.int64]]:
    """Return the different values in the order of the first of each, and how often each is there.

    Values that are no scalars are returned as they are.
    """
    if pa.types.is_nested(column.type):
        return column, np.ones(len(column), np.int64)
    counts = pc.value_counts(column)
    return pa.chunked_array([counts.field("values")]), counts.field("counts").to_numpy()


def _lost(values: pa.ChunkedArray, column: Column) -> NDArray[np.bool_]:
    if column.type == "list":
        return without_known(values, column.separator, column.items)
    if column.type == "numeric":
        return np.isnan(numbers(values, column.number_format))
    return np.isnat(dates(values, column.date_format))


def _category_notes(
    table: pa.Table, column: Column, category: CategoricalFeature, split: str
) -> Iterator[Note]:
    """Yield notes on unknown categories, and on known ones that are written otherwise."""
    unknown, first, count = 0, "", 0
    meanings: dict[str, str] = {}
    for piece in in_windows(table, ENCODED):
        values, counts = _counted(texts(piece[column.name], category.as_written))
        given = values.to_pylist()
        lost = (encode_category(category, values) == 0) & np.asarray(values.is_valid())
        if lost.any():
            first = first if unknown else given[int(lost.argmax())]
            unknown += int(counts[lost].sum())
        meant = other_spellings([text for text in given if text is not None], category.categories)
        meanings |= meant
        count += sum(n for value, n in zip(given, counts.tolist(), strict=True) if value in meant)
    if unknown:
        yield _note(column, unknown, first, split)
    if not meanings:
        return
    name, of_split = plain(column.name, 60), f" of {split}" if split else ""
    written, known = next(iter(meanings.items()))
    yield Note(
        f"{counted(count, 'value')}{of_split} {'is' if count == 1 else 'are'} written otherwise "
        f"than in the training rows, such as {plain(written, 40)!r} for {plain(known, 40)!r}",
        column=name,
        read_as="known category",
        rows=count,
        kind="converted",
    )


def _zone_notes(values: pa.ChunkedArray, column: Column, split: str) -> Iterator[Note]:
    """Yield a note on moments in another time zone than those of the training rows."""
    own, rows = zone_of(values.type), len(values) - values.null_count
    if not own or not column.zone or own == column.zone or not rows:
        return
    of_split = f" of {split}" if split else ""
    are = "is" if rows == 1 else "are"
    why = (
        f"{counted(rows, 'time')}{of_split} in the zone {plain(own, 40)} {are} read in that of the "
        f"training rows, {plain(column.zone, 40)}"
    )
    yield Note(why, plain(column.name, 60), "dates", rows, kind="converted")


def _note(column: Column, count: int, first: object, split: str) -> Note:
    what, read_as = {
        "numeric": (f"not a number such as {column.number_format.example}", "missing"),
        "date": ("not a date as in the training rows", "missing"),
        "list": ("without any of the items that are known", "unknown items"),
    }.get(column.type, ("not among the categories of the training rows", "unknown category"))
    of_split = f" of {split}" if split else ""
    are = "is" if count == 1 else "are"
    return Note(
        f"{counted(count, 'value')}{of_split} {are} {what}, the first {plain(str(first), 40)!r}",
        column=plain(column.name, 60),
        read_as=read_as,
        rows=count,
    )
