"""Boxes around run lengths are those of pycocotools, and damaged ones have none."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from engine.data.boxes.coco import around, corners


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_the_box_around_packed_and_plain_runs_is_that_of_pycocotools(share: float) -> None:
    generator = np.random.default_rng(3)
    for _ in range(40):
        mask = np.asfortranarray(generator.random((7, 9)) < share, np.uint8)
        packed = coco_mask.encode(mask)
        flat = mask.reshape(-1, order="F")
        changes = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
        counts = np.diff(changes).tolist()
        plain = {"size": [7, 9], "counts": [0, *counts] if flat[0] else counts}
        expected = corners(coco_mask.toBbox(packed)) if mask.any() else []
        assert around({"size": [7, 9], "counts": packed["counts"].decode()}) == expected
        assert around(plain) == expected


@pytest.mark.parametrize(
    "outline",
    [{"size": [10, 8], "counts": "zzzzzz"}, {"size": [2, 2], "counts": [0, 10**400]},
     {"size": [2], "counts": [1, 2]}, {"size": [0, 4], "counts": [1, 2]}, {"counts": [1, 2]}],
)  # fmt: skip
def test_damaged_runs_have_no_box(outline: dict[str, object]) -> None:
    assert around(outline) == []
