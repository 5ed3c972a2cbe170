"""Images that are the same or nearly so: by their average hash, then by their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.checks.clusters import clusters
from engine.checks.examined import Doubt, Examined, Limit
from engine.checks.near import near_doubts, new_samples
from engine.checks.thumbnails import SIDE, seconds_of_one, thumbnails

_SECONDS = 15.0
_MOST_ROWS = 100_000
_HASH_SIDE = 8
_BANDS = 4
"""Two hashes that differ in at most three bits have one of four bands in common."""
_ALIKE = 0.02
"""Mean difference of pixels, as a share of white, up to which two images are the same."""
_FARTHEST = 0.12
"""The largest difference of a single pixel."""
_MOST_ALIKE = 200

Bits = NDArray[np.bool_]
Pixels = NDArray[np.float32]


def near_images(data: Examined) -> Iterator[Doubt | Limit]:
    """Yield images that nearly equal another one: across splits, then in the training split."""
    if not data.roles.image:
        return
    seconds = seconds_of_one(data.train, data.roles.image)
    samples = new_samples(data, min(_MOST_ROWS, int(_SECONDS / seconds)))
    pixels, places = [], []
    for split, own in zip(samples.splits, samples.places, strict=True):
        found, whole = thumbnails(data.splits[split], data.roles.image, own)
        pixels.append(found)
        places.append(whole)
    if samples.left_out:
        count = sum(map(len, samples.places))
        yield Limit(f"near duplicates were looked for among {count:,} images only")
    every = np.concatenate(pixels)
    readable = replace(samples, places=places)
    yield from near_doubts(clusters(len(every), _pairs(every)), readable, "image")


def _pairs(pixels: Pixels) -> Iterator[tuple[int, int]]:
    bits = average_hashes(pixels)
    width = bits.shape[1] // _BANDS
    for band in range(_BANDS):
        part = np.packbits(bits[:, band * width : (band + 1) * width], axis=1)
        keys = part.astype(np.uint64) @ (
            np.uint64(256) ** np.arange(part.shape[1], dtype=np.uint64)
        )
        order = np.argsort(keys, kind="stable")
        bounds = np.flatnonzero(np.diff(keys[order])) + 1
        for begin, end in pairwise([0, *bounds.tolist(), len(order)]):
            yield from _pairs_in(order[begin:end], bits, pixels)


def _pairs_in(group: NDArray[np.int64], bits: Bits, pixels: Pixels) -> Iterator[tuple[int, int]]:
    """Yield pairs of a bucket; each image is compared with a few that follow."""
    for place in range(len(group) - 1):
        others = group[place + 1 : place + 1 + _MOST_ALIKE]
        one = group[place]
        close = others[(bits[others] != bits[one]).sum(axis=1) < _BANDS]
        difference = np.abs(pixels[close] - pixels[one])
        same = (difference.mean(axis=1) <= _ALIKE) & (difference.max(axis=1) <= _FARTHEST)
        for other in close[same].tolist():
            yield int(one), other


def average_hashes(pixels: Pixels) -> Bits:
    """Return the average hash ``[images, 64]``: which cells are brighter than their mean."""
    cell = SIDE // _HASH_SIDE
    shape = (len(pixels), _HASH_SIDE, cell, _HASH_SIDE, cell)
    cells = pixels.reshape(shape).mean(axis=(2, 4)).reshape(len(pixels), -1)
    return np.asarray(cells > cells.mean(axis=1, keepdims=True))
