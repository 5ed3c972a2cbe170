"""Cross-validation: the training rows in k folds of equal size, one of which is the test split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.data.base import DataConfig
from engine.data.group_splits import classes_of, group_folds
from engine.data.on_disk import selected
from engine.data.raw import TEST, TRAIN, RawData
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def cut_fold(raw: RawData, config: DataConfig, stratify: str | None = None) -> RawData:
    """``raw`` with fold ``config.fold`` of ``config.folds`` as its test split.

    Folds are the same for all values of ``config.fold``; ``stratify`` names the column whose
    values are spread over all of them. Raises :class:`DataError` where a fold has no row.
    """
    assert config.folds is not None
    if TEST in raw.splits:
        raise DataError(
            f"The data has a test split of {counted(raw.splits[TEST].num_rows, 'row')} already, "
            "which data.folds would replace.",
            "Name the training rows alone, or leave data.folds empty.",
        )
    rows = raw.train.num_rows
    if rows < config.folds:
        raise DataError(
            f"{counted(rows, 'row')} cannot be cut into {config.folds} folds.", "Set fewer."
        )
    random = np.random.default_rng(config.split_seed)
    if config.group:
        folds = group_folds(raw, config.group, config.folds, random, stratify)
    else:
        folds = _folds(raw.train, config.folds, random, stratify)
    mine = folds == config.fold - 1
    splits: Mapping[str, pa.Table] = dict(raw.splits) | {
        TEST: selected(raw.train, mine),
        TRAIN: selected(raw.train, ~mine),
    }
    stratified = f", stratified by {plain(stratify, 60)}" if stratify else ""
    why = f"fold {config.fold} of {config.folds} is the test split{stratified}"
    note = Note(why, read_as=TEST, rows=int(mine.sum()), change="data.fold", kind="converted")
    return raw.with_splits(splits, note)


def _folds(
    table: pa.Table, folds: int, random: np.random.Generator, stratify: str | None
) -> NDArray[np.int64]:
    """Return the fold of each row: shuffled, sorted by class, dealt out in turn."""
    order = random.permutation(table.num_rows)
    order = order[np.argsort(classes_of(table, stratify)[order], kind="stable")]
    dealt = np.empty(table.num_rows, np.int64)
    dealt[order] = np.arange(table.num_rows) % folds
    return dealt
