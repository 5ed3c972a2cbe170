"""Samples that nearly equal another one, whatever they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.checks.examined import HELD_OUT, Doubt, Examined, Places
from engine.data.raw import TRAIN
from engine.reports.counted import counted


@dataclass(frozen=True)
class Samples:
    """Rows of several splits, the training rows first."""

    splits: Sequence[str]
    places: Sequence[Places]
    """For each split, the rows that are compared."""
    left_out: int = 0
    """Rows that are too many to be compared."""


def new_samples(data: Examined, most: int) -> Samples:
    """Return at most ``most`` rows, evenly spread; texts only if they do not equal earlier ones."""
    splits = [name for name in (TRAIN, *HELD_OUT) if name in data.splits]
    sizes = [data.splits[name].num_rows for name in splits]
    first = np.arange(sum(sizes))
    if not data.roles.image:
        hashes = np.concatenate([data.hashes[name] for name in splits])
        first = np.unique(hashes, return_index=True)[1]
    kept = np.sort(first)
    if len(kept) > most:
        kept = kept[np.linspace(0, len(kept) - 1, most).astype(np.int64)]
    ends = np.cumsum([0, *sizes])
    places = [kept[(kept >= begin) & (kept < end)] - begin for begin, end in pairwise(ends)]
    return Samples(splits, places, len(first) - len(kept))


def near_doubts(groups: Sequence[Places], samples: Samples, noun: str) -> Iterator[Doubt]:
    """Yield doubts on groups of samples that are nearly the same, each in rising order."""
    owner = np.repeat(np.arange(len(samples.splits)), list(map(len, samples.places)))
    place = np.concatenate(list(samples.places))
    held_out: dict[str, list[int]] = defaultdict(list)
    twins: dict[str, list[tuple[str, int]]] = defaultdict(list)
    repeated: list[int] = []
    for group in groups:
        known = owner[group[0]] == 0
        twin = samples.splits[owner[group[0]]], int(place[group[0]])
        for sample in group[1:] if known else ():
            split = samples.splits[owner[sample]]
            twins[split].append(twin)
            (held_out[split] if owner[sample] else repeated).append(int(place[sample]))
    if held_out:
        counts = " and ".join(f"{len(rows):,} of {split}" for split, rows in held_out.items())
        why = f"{noun}s that nearly equal a training {noun}: {counts}; "
        why += "metrics on them are optimistic"
        rows = {split: np.array(found) for split, found in held_out.items()}
        yield Doubt("near leakage", why, rows=rows, remedies=("drop rows",), twins=twins)
    if repeated:
        why = f"{counted(len(repeated), f'training {noun}')} nearly equal to an earlier one"
        found = {TRAIN: np.array(repeated)}
        yield Doubt("near duplicates", why, rows=found, remedies=("drop rows",), twins=twins)
