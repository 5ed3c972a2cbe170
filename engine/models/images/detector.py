"""The interface of networks that find objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.vision.augmentation.placement import NO_OBJECT

MOST = 100
"""Objects of an image that count, as in COCO's metrics."""


@dataclass(frozen=True)
class Detections:
    """The objects that were found in one image, the likeliest first."""

    boxes: Tensor
    """``[objects, 4]``: left, top, right, bottom, as shares of the sides."""
    scores: Tensor
    """``[objects]``, from 0 to 1."""
    classes: Tensor
    """``[objects]`` class numbers."""


class Detector(ABC):
    """Called with images ``[batch, channels, side, side]`` it returns its raw outputs.

    Called with targets ``[batch, objects, 5]`` too (left, top, right, bottom in shares of the side,
    and a class number, −1 for none) it returns the mean loss, a scalar; in evaluation mode the loss
    and the raw outputs.
    """

    @abstractmethod
    def forward(self, images: Tensor, targets: Tensor | None = None) -> Any:
        """Raw outputs, or the loss, or both."""

    @abstractmethod
    def detections(self, outputs: Any) -> list[Detections]:
        """Return the objects in each image from raw outputs, at most :data:`MOST`."""


def objects_of(targets: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Boxes ``[objects, 4]`` and class numbers ``[objects]`` of each image."""
    kept = [own[own[:, 4] != NO_OBJECT] for own in targets]
    return [(own[:, :4], own[:, 4].long()) for own in kept]


def likeliest(boxes: Tensor, scores: Tensor) -> Detections:
    """Return the likeliest pairs of a box ``[boxes, 4]`` and a class, from ``[boxes, classes]``."""
    count = min(MOST, scores.numel())
    best, places = scores.flatten().topk(count)
    rows = torch.div(places, scores.shape[1], rounding_mode="floor")
    return Detections(boxes[rows].clamp(0, 1), best, places % scores.shape[1])
