"""Cut validation and test rows from the training rows, where a source has none of its own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.data.base import DataConfig
from engine.data.folds import cut_fold
from engine.data.group_splits import cut_by_group
from engine.data.on_disk import Rows, selected
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.data.row_choice import duplicates_to_train
from engine.data.time_splits import cut_by_time
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_MANY = 2_000_000
"""More rows than this are cut without a list of them."""
_AT_ONCE = 1 << 20
_RARE = 3
"""Classes with fewer rows than this stay in the training rows."""


def cut_splits(raw: RawData, config: DataConfig, stratify: str | None = None) -> RawData:
    """``raw`` with validation and test rows, where it has none and their fraction is not 0.

    ``stratify`` names the column whose values keep their shares in every split. Duplicates of
    training rows are moved to them, if configured. Raises :class:`DataError` when no training rows
    are left.
    """
    return duplicates_to_train(_cut(raw, config, stratify), config)


def _cut(raw: RawData, config: DataConfig, stratify: str | None) -> RawData:
    if config.folds:
        raw = cut_fold(raw, config, stratify)
    wanted = _wanted(raw, config)
    if config.time or config.group:
        raw = _cut_by_columns(raw, config, wanted, stratify)
        wanted = dict.fromkeys(wanted, 0.0)
    splits = dict(raw.splits)
    notes: list[Note] = []
    if raw.train.num_rows > _MANY:
        return _cut_many(raw, config, wanted)
    rows = np.random.default_rng(config.split_seed).permutation(raw.train.num_rows)
    whole = Rows(raw.train)
    for name, fraction in wanted.items():
        if not fraction:
            continue
        share = min(1.0, fraction * raw.train.num_rows / max(1, len(rows)))
        taken = _systematic(rows, _codes(raw.train, stratify), share)
        splits[name] = whole.take(rows[taken])
        rows = rows[~taken]
        notes.append(set_aside(int(taken.sum()), fraction, name))
    if config.max_samples is not None and len(rows) > config.max_samples:
        notes.append(some_used(config.max_samples, len(rows)))
        codes = _codes(raw.train, stratify)
        together = np.where(codes < 0, codes.max() + 1, codes)  # rare classes as if they were one
        rows = rows[_systematic(rows, together, config.max_samples / len(rows))]
    if len(rows) == 0:
        raise DataError("No rows are left to train on.", "Lower data.test_fraction.")
    if len(rows) < raw.train.num_rows:
        # In their old order: neighbouring rows stay together on disk.
        splits[TRAIN] = whole.take(np.sort(rows))
    return raw.with_splits(splits, *notes)


def _wanted(raw: RawData, config: DataConfig) -> dict[str, float]:
    """Return the fractions of the splits that the source lacks.

    A validation split of the source alone is no reason to give rows away for a test.
    """
    fractions = {TEST: config.test_fraction, VALIDATION: config.validation_fraction}
    return {name: 0.0 if name in raw.splits else share for name, share in fractions.items()}


def _cut_by_columns(
    raw: RawData, config: DataConfig, wanted: Mapping[str, float], stratify: str | None
) -> RawData:
    """Cut by time, by group, or by time with groups that are in a later split left out."""
    if config.time:
        raw = cut_by_time(raw, config.time, wanted, config.column_settings.get(config.time))
        wanted = {}
    if config.group:
        raw = cut_by_group(raw, config.group, wanted, config.split_seed, stratify)
    return raw


def set_aside(count: int, fraction: float, split: str, whose: str = "") -> Note:
    """Return a note on rows that became a split; ``whose`` says which they are."""
    verb = "was" if count == 1 else "were"
    return Note(
        f"{whose}{counted(count, 'row')} ({fraction:.0%}) {verb} set aside for {split}",
        read_as=split,
        rows=count,
        change=f"data.{split}_fraction",
        kind="converted",
    )


def some_used(count: int, rows: int, whose: str = "") -> Note:
    """Return a note on training rows that ``data.max_samples`` leaves."""
    return Note(
        f"{whose}{count:,} of {counted(rows, 'training row')} {'is' if count == 1 else 'are'} used",
        rows=count,
        change="data.max_samples",
        kind="converted",
    )


def _cut_many(raw: RawData, config: DataConfig, wanted: Mapping[str, float]) -> RawData:
    """Cut the splits of a large table, in one pass and with one byte a row.

    Each row's split is drawn independently: with so large a table, classes keep their shares.
    """
    count = raw.train.num_rows
    random = np.random.default_rng(config.split_seed)
    left = 1.0 - sum(wanted.values())
    if left <= 0:
        raise DataError("No rows are left to train on.", "Lower data.test_fraction.")
    training = round(left * count)
    used = min(1.0, (config.max_samples or training) / training)
    names = (*wanted, TRAIN)
    bounds = np.cumsum([*wanted.values(), left * used])
    parts = np.concatenate([
        np.searchsorted(bounds, random.random(min(_AT_ONCE, count - begin)), side="right")
        .astype(np.uint8)
        for begin in range(0, count, _AT_ONCE)
    ])  # fmt: skip
    splits = dict(raw.splits)
    notes: list[Note] = []
    for part, name in enumerate(names):
        mine = parts == part
        if name == TRAIN:
            if used < 1:
                mine &= np.cumsum(mine) <= (config.max_samples or count)
                notes.append(some_used(int(mine.sum()), training))
        elif not wanted[name]:
            continue
        else:
            notes.append(set_aside(int(mine.sum()), wanted[name], name))
        if not mine.all():
            splits[name] = selected(raw.train, mine)
    return raw.with_splits(splits, *notes)


def cut_groups(raw: RawData, config: DataConfig, column: str) -> RawData:
    """Cut the splits like :func:`cut_splits`; rows with the same ``column`` stay in one split."""
    if config.group or config.time or config.folds:
        return cut_splits(raw, config.model_copy(update={"group": config.group or column}))
    groups = raw.train[column].combine_chunks().dictionary_encode()
    numbers = pa.table({"group": pa.array(range(len(groups.dictionary)), pa.int64())})
    all_groups = config.model_copy(update={"max_samples": None})
    cut = cut_splits(raw.with_splits(dict(raw.splits) | {TRAIN: numbers}), all_groups)
    splits = dict(raw.splits)
    whole = Rows(raw.train)
    notes: list[Note] = []
    for split, chosen in cut.splits.items():
        if split == TRAIN or split not in raw.splits:
            rows = np.flatnonzero(np.isin(groups.indices.to_numpy(), chosen["group"].to_numpy()))
            splits[split] = whole.take(rows)
            if split != TRAIN:
                notes.append(
                    Note(
                        f"{counted(len(rows), 'row')} set aside for {split}, those with "
                        f"{chosen.num_rows:,} of {counted(numbers.num_rows, 'value')} of "
                        f"{plain(column, 60)}",
                        read_as=split,
                        rows=len(rows),
                        change=f"data.{split}_fraction",
                        kind="converted",
                    )
                )
    none_more = config.model_copy(update={"validation_fraction": 0.0, "test_fraction": 0.0})
    return cut_splits(raw.with_splits(splits, *notes), none_more)


def _codes(table: pa.Table, column: str | None) -> NDArray[np.int64]:
    """A number a class for each row; rare classes are −1."""
    if column is None:
        return np.zeros(table.num_rows, np.int64)
    encoded = table[column].combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=1)
    return np.where(counts[codes] < _RARE, -1, codes)


def _systematic(
    rows: NDArray[np.int64], codes: NDArray[np.int64], share: float
) -> NDArray[np.bool_]:
    """Mark a share of ``rows``, the same in each class, by taking every n-th of the sorted rows.

    ``rows`` are shuffled already; rows of rare classes are never marked.
    """
    own = codes[rows]
    order = np.argsort(own, kind="stable")
    order = order[own[order] >= 0]
    steps = np.floor(np.arange(1, len(order) + 1) * share + 1e-9)
    marked = np.zeros(len(rows), np.bool_)
    marked[order[np.diff(steps, prepend=0.0) > 0]] = True
    return marked
