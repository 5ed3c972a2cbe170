"""Predicted masks, formatted for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco
from torch import Tensor
from torch.nn import functional as F

from engine.data.masks import IGNORED

Mask = NDArray[np.uint8]


def enlarged(logits: Tensor, width: int, height: int) -> Mask:
    """Return ``[height, width]`` class numbers from logits ``[classes, side, side]``.

    Class by class: the logits of all in the size of a photograph may not fit the memory.
    """
    best: Tensor | None = None
    chosen: Tensor | None = None
    for number, own in enumerate(logits):
        larger = F.interpolate(
            own[None, None], size=(height, width), mode="bilinear", align_corners=False
        )[0, 0]
        if best is None or chosen is None:
            best, chosen = larger, torch.zeros_like(larger, dtype=torch.uint8)
            continue
        better = larger > best
        best = torch.where(better, larger, best)
        chosen = chosen.masked_fill(better, number)
    assert chosen is not None
    return np.asarray(chosen.cpu().numpy(), np.uint8)


def segments_of(mask: Mask, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return each class of a mask with its share of the pixels, and its place, the largest first.

    Places are run lengths in COCO's compressed form, which ``pycocotools.mask.decode`` reads.
    """
    found, counts = np.unique(mask, return_counts=True)
    segments = [
        {"label": classes[number], "share": count / mask.size, "rle": _run_lengths(mask == number)}
        for number, count in zip(found.tolist(), counts.tolist(), strict=True)
        if number != IGNORED
    ]
    return sorted(segments, key=lambda segment: -segment["share"])


def mask_of(record: Mapping[str, Any], classes: Sequence[str]) -> Mask:
    """Return the mask of a prediction from its segments, ``[height, width]`` of class numbers."""
    mask = np.full((record["height"], record["width"]), IGNORED, np.uint8)
    for segment in record["segments"]:
        mask[coco.decode(segment["rle"]) == 1] = classes.index(segment["label"])
    return mask


def shares_text(segments: Sequence[dict[str, Any]]) -> str:
    """Return the classes of an image with their shares of its pixels, as text."""
    return ", ".join(f"{segment['label']} {segment['share']:.1%}" for segment in segments) or "—"


def _run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    encoded = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(map(int, encoded["size"])), "counts": encoded["counts"].decode("ascii")}
