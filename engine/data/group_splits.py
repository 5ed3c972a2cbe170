"""Splits in which no group of rows, such as those of one patient, is on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from engine.data.column_names import no_column
from engine.data.on_disk import selected
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, Skip
from engine.data.tables.values import distinct_texts, texts
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_PLACED = 10_000
"""Largest groups that are placed one by one; the smaller ones are drawn at random."""
_CELLS = 5_000_000
"""Up to this many placed groups times classes, classes keep their shares too."""
_ORDER = (TEST, VALIDATION, TRAIN)
"""A group in several splits of the source stays in the first of these."""

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class _Groups:
    """Numbers of the groups, for the rows of each split; a row without a value is a group."""

    codes: Mapping[str, Codes]
    alone: int
    """Rows without a value."""


def cut_by_group(
    raw: RawData, column: str, wanted: Mapping[str, float], seed: int, stratify: str | None = None
) -> RawData:
    """``raw`` with the ``wanted`` splits cut from the training rows by whole groups.

    Rows whose group is in several splits of the source stay in one of them. Raises
    :class:`DataError` where the groups are too few.
    """
    groups = _groups_of(raw, column)
    notes = [_alone_note(column, groups.alone)] * bool(groups.alone)
    raw, codes = _apart(raw.with_splits(raw.splits, *notes), column, groups.codes)
    names = [TRAIN, *(name for name, share in wanted.items() if share)]
    count = int(codes.max(initial=-1)) + 1
    if count < len(names):
        raise DataError(
            f"data.group: {plain(column, 60)} has {counted(count, 'group')}, too few for "
            f"{counted(len(names), 'split')} ({', '.join(names)}).",
            "Choose another column, or set a fraction to 0.",
        )
    shares = np.array([1 - sum(wanted.values()), *(wanted[name] for name in names[1:])])
    if shares[0] <= 0:
        raise DataError("No rows are left to train on.", "Lower data.test_fraction.")
    if len(names) == 1:
        return raw
    classes = classes_of(raw.train, stratify)
    places = _places(codes, classes, shares, np.random.default_rng(seed))
    return _cut(raw, column, names, codes, places[codes])


def group_folds(
    raw: RawData,
    column: str,
    folds: int,
    random: np.random.Generator,
    stratify: str | None = None,
) -> Codes:
    """Return the fold of each training row; a group is in one fold. Raises :class:`DataError`."""
    codes = np.unique(_groups_of(raw, column).codes[TRAIN], return_inverse=True)[1]
    if (count := int(codes.max(initial=-1)) + 1) < folds:
        raise DataError(
            f"data.group: {plain(column, 60)} has {counted(count, 'group')}, too few for {folds} "
            "folds.",
            "Set fewer data.folds.",
        )
    shares = np.full(folds, 1 / folds)
    return _places(codes, classes_of(raw.train, stratify), shares, random)[codes]


def classes_of(table: pa.Table, stratify: str | None) -> Codes:
    """Return the number of each row's class, 0 for a missing one; one class without a column."""
    if stratify is None:
        return np.zeros(table.num_rows, np.int64)
    return distinct_texts(texts(table[stratify], as_written=True))[1] + 1


def _groups_of(raw: RawData, column: str) -> _Groups:
    """Number the groups of all splits together: equal values are one group."""
    columns = {name: _texts(raw, name, column) for name in _ORDER if name in raw.splits}
    joined = pa.chunked_array([chunk for part in columns.values() for chunk in part.chunks])
    values, codes = distinct_texts(joined)
    missing = codes < 0
    codes[missing] = len(values) + np.arange(missing.sum())
    ends = np.cumsum([len(part) for part in columns.values()])[:-1]
    return _Groups(dict(zip(columns, np.split(codes, ends), strict=True)), int(missing.sum()))


def _texts(raw: RawData, split: str, column: str) -> pa.ChunkedArray:
    table = raw.splits[split]
    if column not in table.column_names:
        where = "" if split == TRAIN else f"{split}: "
        raise DataError(where + no_column("data.group", column, table.column_names))
    if pt.is_nested(table.schema.field(column).type):
        raise DataError(f"data.group: {plain(column, 60)} holds lists or records, not groups.")
    return texts(table[column])


def _apart(raw: RawData, column: str, codes: Mapping[str, Codes]) -> tuple[RawData, Codes]:
    """Leave out rows whose group is in another split too; number the training groups densely."""
    splits, skips = dict(raw.splits), []
    taken = np.zeros(0, np.int64)
    for name, own in codes.items():
        again = np.isin(own, taken)
        taken = np.union1d(taken, own)
        if again.all():
            raise DataError(
                f"No row of {name} is left: each {plain(column, 60)} is in another split too.",
                "Choose another data.group.",
            )
        if again.any():
            first = splits[name][column][int(again.argmax())].as_py()
            reason = f"{plain(column, 60)} is in another split too"
            skips.append(Skip(reason, int(again.sum()), f"{plain(first, 40)!r} in {name}"))
            splits[name] = selected(splits[name], ~again)
        own = own[~again]
    dense = np.unique(own, return_inverse=True)[1]  # the training rows come last
    return raw.with_splits(splits).with_skips(*skips) if skips else raw, dense


def _places(
    codes: Codes, classes: Codes, shares: NDArray[np.float64], random: np.random.Generator
) -> Codes:
    """Return the split of each group, so that rows and classes have nearly the given shares.

    The largest group goes first, each to the split in which most is missing.
    """
    sizes = np.bincount(codes)
    order = random.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    places = random.choice(len(shares), len(sizes), p=shares)
    placed = order[:_PLACED]
    counts = _counts(codes, classes, placed)
    totals = counts.sum(0)
    missing = shares[:, None] * totals
    weights = 1 / np.maximum(totals, 1) ** 2
    for group, own in zip(placed, counts, strict=True):
        # The change of the squared distances to the wanted rows, each relative to its split.
        costs = ((own - 2 * missing) @ (own * weights)) / shares
        at = int(costs.argmin())
        missing[at] -= own
        places[group] = at
    for at in range(len(shares)):  # a split with no group gets the smallest that is left
        if not (places == at).any():
            full = np.bincount(places, minlength=len(shares))
            places[next(group for group in order[::-1] if full[places[group]] > 1)] = at
    return places


def _counts(codes: Codes, classes: Codes, placed: Codes) -> NDArray[np.float64]:
    """Rows of each class in each placed group; one class where there are too many cells."""
    kinds = int(classes.max(initial=0)) + 1
    if len(placed) * kinds > _CELLS:
        kinds, classes = 1, np.zeros_like(classes)
    at = np.full(int(codes.max()) + 1, -1)
    at[placed] = np.arange(len(placed))
    rows = at[codes]
    cells = (rows * kinds + classes)[rows >= 0]
    counted_cells = np.bincount(cells, minlength=len(placed) * kinds)
    return counted_cells.reshape(len(placed), kinds).astype(np.float64)


def _cut(raw: RawData, column: str, names: list[str], codes: Codes, parts: Codes) -> RawData:
    splits, notes = dict(raw.splits), []
    for at, name in enumerate(names):
        mine = parts == at
        splits[name] = selected(raw.train, mine)
        if name != TRAIN:
            groups = f"{len(np.unique(codes[mine])):,} of {counted(codes.max() + 1, 'group')}"
            why = f"{counted(int(mine.sum()), 'row')} set aside for {name}: {groups}"
            change = f"data.{name}_fraction"
            notes.append(Note(why, plain(column, 60), name, int(mine.sum()), change, "converted"))
    return raw.with_splits(splits, *notes)


def _alone_note(column: str, rows: int) -> Note:
    why = "without a value, each is a group of its own"
    return Note(why, plain(column, 60), "group", rows, "data.group")
