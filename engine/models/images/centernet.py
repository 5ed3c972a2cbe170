"""A small detector without anchors: objects are peaks of a heat map.

After CenterNet (Zhou et al. 2019, "Objects as Points"), with the elliptic Gaussians and the boxes
from all cells near a middle of TTFNet (Liu et al. 2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.models.centernet import CenterNetConfig
from engine.models.images.detector import MOST, Detections, Detector
from engine.models.images.unet import FeaturePyramid
from engine.models.shapes import ImageShape
from engine.vision.augmentation.placement import NO_OBJECT

_RARE = 0.01
"""Share of cells that are taken for middles at first (Lin et al. 2017)."""
_SPREAD = 0.54 / 6
"""Standard deviation of an object's Gaussian, as a share of its sides, as in TTFNet."""
_NEAR = 0.3
"""Height of the Gaussian from which on a cell learns the object's box."""
_BOX_WEIGHT = 5.0
_HEAD = 64
_TINY = 1e-9


class CenterNet(nn.Module, Detector):
    """Input ``[batch, channels, side, side]``; output heat ``[batch, classes, rows, columns]``.

    With it come boxes ``[batch, 4, rows, columns]`` as shares of the sides.
    """

    def __init__(self, channels: int, stages: Sequence[int], classes: int, halvings: int) -> None:
        super().__init__()
        self.features = FeaturePyramid(channels, stages, halvings)
        width = stages[halvings]
        self.heat = _head(width, classes)
        self.sides = _head(width, 4)
        nn.init.constant_(self.heat[-1].bias, -math.log((1 - _RARE) / _RARE))  # type: ignore[arg-type]
        self.stride = 2**halvings

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Any:
        """Logits of the heat and boxes, or the loss, or both."""
        features = self.features(images)
        heat = self.heat(features)
        # Distances to the sides of a box, in cells.
        distances = F.softplus(self.sides(features).float())
        boxes = _boxes(distances)
        outputs = {"logits": heat, "boxes": boxes}
        if targets is None:
            return outputs
        loss = _loss(heat.float(), boxes, targets)
        return loss if self.training else (loss, outputs)

    def detections(self, outputs: Any) -> list[Detections]:
        """The peaks of the heat."""
        heat = outputs["logits"].float().sigmoid()
        peaks = heat * (F.max_pool2d(heat, 3, stride=1, padding=1) == heat)
        cells = peaks[0, 0].numel()
        scores, places = peaks.flatten(1).topk(min(MOST, peaks[0].numel()))
        boxes = outputs["boxes"].float().flatten(2).transpose(1, 2)
        return [
            Detections(own[place % cells].clamp(0, 1), score, place // cells)
            for own, score, place in zip(boxes, scores, places, strict=True)
        ]


def _head(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, _HEAD, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(_HEAD, outputs, 1)
    )


def _middles(rows: int, columns: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the places of cells as shares of the sides: ``[rows, 1]`` and ``[columns]``."""
    y = (torch.arange(rows, device=device) + 0.5) / rows
    x = (torch.arange(columns, device=device) + 0.5) / columns
    return y[:, None], x


def _boxes(distances: Tensor) -> Tensor:
    """Left, top, right, bottom in shares from distances ``[batch, 4, rows, columns]`` in cells."""
    rows, columns = distances.shape[-2:]
    y, x = _middles(rows, columns, distances.device)
    left, top, right, bottom = distances.unbind(1)
    sides = [x - left / columns, y - top / rows, x + right / columns, y + bottom / rows]
    return torch.stack(sides, 1)


def _loss(heat: Tensor, boxes: Tensor, targets: Tensor) -> Tensor:
    """Focal loss of the heat, and GIoU loss of boxes near the middles of objects."""
    bells = _bells(targets, *heat.shape[-2:])
    number = targets[..., 4].clamp(min=0).long()[..., None, None].expand_as(bells)
    wanted = torch.zeros_like(heat).scatter_reduce(1, number, bells, "amax")
    near, owner = bells.max(1)
    weights = (near * (near >= _NEAR)).flatten(1)
    whole = targets[..., :4].gather(1, owner.flatten(1)[..., None].expand(-1, -1, 4))
    found = boxes.flatten(2).transpose(1, 2)
    apart = 1 - generalized_iou(found, whole)
    box_loss: Tensor = (apart * weights).sum() / weights.sum().clamp(min=1)
    return _focal(heat, wanted) + _BOX_WEIGHT * box_loss


def generalized_iou(one: Tensor, other: Tensor) -> Tensor:
    """Return the generalized IoU (Rezatofighi et al. 2019) of pairs of boxes ``[…, 4]``.

    From −1 to 1; torchvision's looks at values, of which an estimate of memory has none.
    """
    least, most = torch.minimum(one, other), torch.maximum(one, other)
    shared = _area(most[..., :2], least[..., 2:])
    joined = _area(one[..., :2], one[..., 2:]) + _area(other[..., :2], other[..., 2:]) - shared
    around = _area(least[..., :2], most[..., 2:])
    return shared / (joined + _TINY) - (around - joined) / (around + _TINY)


def _area(first: Tensor, second: Tensor) -> Tensor:
    sides = (second - first).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def _bells(targets: Tensor, rows: int, columns: int) -> Tensor:
    """``[batch, objects, rows, columns]``: 1 in the cell of an object's middle, less around it."""
    y, x = _middles(rows, columns, targets.device)
    left, top, right, bottom, number = (part[..., None, None] for part in targets.unbind(-1))
    middle_x = _cell((left + right) / 2, columns)
    middle_y = _cell((top + bottom) / 2, rows)
    # At least a third of a cell, so that neighbours of small objects are no middles.
    wide = ((right - left) * _SPREAD).clamp(min=1 / (3 * columns))
    high = ((bottom - top) * _SPREAD).clamp(min=1 / (3 * rows))
    bells: Tensor = torch.exp(-(((x - middle_x) / wide) ** 2 + ((y - middle_y) / high) ** 2) / 2)
    wanted: Tensor = bells * (number != NO_OBJECT)
    return wanted


def _cell(place: Tensor, count: int) -> Tensor:
    """Return the middle of the cell in which a place lies."""
    return ((place * count).floor().clamp(0, count - 1) + 0.5) / count


def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Penalty-reduced focal loss (Law and Deng 2018), by the number of objects."""
    chances = logits.sigmoid()
    middles = (wanted > 1 - 1e-4).float()
    right = F.logsigmoid(logits) * (1 - chances) ** 2 * middles
    wrong = F.logsigmoid(-logits) * chances**2 * (1 - wanted) ** 4 * (1 - middles)
    return -(right + wrong).sum() / middles.sum().clamp(min=1)


def build(config: CenterNetConfig, shape: ImageShape) -> CenterNet:
    """The network of a section for images of ``shape``."""
    return CenterNet(shape.channels, config.channels, shape.outputs, config.halvings)
