"""Texts that are nearly the same: by MinHash over shingles, as in the cleaning of large corpora."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.checks.clusters import clusters
from engine.checks.examined import Doubt, Examined, Limit
from engine.checks.near import near_doubts, new_samples
from engine.data.on_disk import Rows

_ROWS = 40_000
"""Rows that are compared at most, over all splits."""
_WORD = re.compile(r"\w+")
_MOST_WORDS = 2_000
_FEWEST_WORDS = 6
"""Shorter texts must have equal words: one other word is another meaning."""
_SHINGLE = 3
_HASHES = 64
_BANDS = 16
_ALIKE = 0.8
"""Jaccard similarity from which two texts are nearly the same."""
_MOST_ALIKE = 200
"""Texts of one bucket that are compared with the first of it."""
_SEED = 1

Shingles = NDArray[np.uint64]
Parts = Sequence[Shingles]
"""The shingles of each text of one row."""


def near_texts(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield texts that nearly equal another one: across splits, then among the training rows."""
    if not data.roles.texts or data.roles.columns:
        return
    samples = new_samples(data, _ROWS)
    parts: list[Parts] = []
    for split, places in zip(samples.splits, samples.places, strict=True):
        parts += _parts(Rows(data.splits[split]).take(places), data.roles.texts)
    if samples.left_out:
        yield Limit(f"near duplicates were looked for among {len(parts):,} texts only")
    yield from near_doubts(clusters(len(parts), _pairs(parts)), samples, "text")


def _parts(table: pa.Table, columns: Sequence[str]) -> Iterator[Parts]:
    """Yield the shingles of each text of a row."""
    cells = [table[name].to_pylist() for name in columns]
    for row in zip(*cells, strict=True):
        yield [shingles_of(str(text or "")) for text in row]


def shingles_of(text: str) -> Shingles:
    """Return the distinct hashes of each three words in a row; of all words of a short text."""
    words = _WORD.findall(text.lower())[:_MOST_WORDS]
    codes = [zlib.crc32(word.encode()) for word in words]
    if len(codes) < _FEWEST_WORDS:
        return np.array([zlib.crc32(" ".join(words or [text]).encode())], np.uint64)
    hashes = np.array(codes, np.uint64)
    mixed = np.zeros(len(hashes) - _SHINGLE + 1, np.uint64)
    for step in range(_SHINGLE):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + hashes[step : step + len(mixed)]
    return np.unique(mixed ^ (mixed >> np.uint64(31)))


def _pairs(rows: Sequence[Parts]) -> Iterator[tuple[int, int]]:
    """Yield pairs of texts that are alike, found by the bands of their MinHash signatures."""
    random = np.random.default_rng(_SEED)
    factors = random.integers(1, 2**63, _HASHES, np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = random.integers(0, 2**63, _HASHES, np.uint64)
    signatures = np.array(
        [_signature(parts, factors, offsets) for parts in rows], np.uint64
    ).reshape(len(rows), _HASHES)
    width = _HASHES // _BANDS
    for band in range(_BANDS):
        part = signatures[:, band * width : (band + 1) * width]
        keys = (part * factors[:width]).sum(axis=1, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        bounds = np.flatnonzero(np.diff(keys[order], prepend=0, append=0)).tolist()
        for begin, end in pairwise([0, *bounds, len(order)]):
            first, *others = order[begin:end].tolist() or [0]
            for other in others[:_MOST_ALIKE]:
                if all(map(_alike, rows[first], rows[other])):
                    yield first, other


def _signature(parts: Parts, factors: Shingles, offsets: Shingles) -> Shingles:
    whole = np.concatenate([own + np.uint64(place) for place, own in enumerate(parts)])
    return np.asarray((whole[:, None] * factors + offsets).min(axis=0))


def _alike(one: Shingles, other: Shingles) -> bool:
    if not _ALIKE <= len(one) / len(other) <= 1 / _ALIKE:
        return False
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both >= _ALIKE * (len(one) + len(other) - both)
