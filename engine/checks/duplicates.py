"""Rows that are equal, within a split and across splits, and equal inputs with other targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engine.checks.examined import HELD_OUT, Doubt, Examined, Limit
from engine.data.raw import TRAIN
from engine.data.tables.row_hashes import Hashes, row_hashes
from engine.reports.counted import counted


def exact_duplicates(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield duplicates across splits, then those within the training rows."""
    if data.roles.image or data.roles.ordered:
        return  # files of images are compared by their content, steps in time not at all
    hashes = data.hashes
    yield from _across(hashes)
    _, first = np.unique(hashes[TRAIN], return_index=True)
    repeated = np.ones(len(hashes[TRAIN]), np.bool_)
    repeated[first] = False
    if repeated.any():
        rows = np.flatnonzero(repeated)
        why = f"{counted(len(rows), 'training row')} {_are(len(rows))} equal to an earlier one"
        yield Doubt("duplicates", why, rows={TRAIN: rows}, remedies=("drop duplicates",))


def _across(hashes: Mapping[str, Hashes]) -> Iterator[Doubt]:
    known = np.unique(hashes[TRAIN])
    found = {
        split: rows
        for split in HELD_OUT
        if split in hashes and len(rows := np.flatnonzero(np.isin(hashes[split], known)))
    }
    if found:
        counts = " and ".join(f"{len(rows):,} of {split}" for split, rows in found.items())
        why = f"rows that are also in the training rows: {counts}; metrics on them are optimistic"
        yield Doubt("leakage", why, rows=found, remedies=("drop duplicates", "move duplicates"))


def contradictions(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield training rows whose inputs are equal and whose classes differ."""
    roles = data.roles
    if roles.target_kind != "classes" or roles.image:
        return
    inputs = row_hashes(data.train.select(list(roles.inputs)))
    _, groups = np.unique(inputs, return_inverse=True)
    _, first = np.unique(data.hashes[TRAIN], return_index=True)
    different = np.bincount(groups[first], minlength=int(groups.max(initial=0)) + 1) > 1
    rows = np.flatnonzero(different[groups])
    if len(rows):
        rows = rows[np.argsort(groups[rows], kind="stable")]
        why = f"{counted(len(rows), 'training row')} with equal inputs but different classes"
        yield Doubt("contradictions", why, roles.target, {TRAIN: rows}, ("drop rows",))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
