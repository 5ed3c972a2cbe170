"""Detectors of torchvision, fitted to the classes at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from engine.config.models.detection import TorchvisionDetectionConfig
from engine.config.models.image import Preprocessing
from engine.errors import TrainingError
from engine.models.images.detector import MOST, Detections, Detector, objects_of
from engine.models.images.torchvision_weights import (
    IMAGENET,
    check_name,
    load_all_but_head,
    weights_named,
)
from engine.models.images.transfer import OTHER_SIZE_OR_NETWORK, Transfer, check_size
from engine.models.shapes import ImageShape

_SIDES = {"ssd300_vgg16": 300, "ssdlite320_mobilenet_v3_large": 320}
"""Networks that take images of one size only, to which they enlarge others themselves."""
_BACKGROUND = ("fasterrcnn", "ssd")
"""Families whose class 0 is the background, by the begin of their names."""
_OTHERS = ("maskrcnn", "keypointrcnn")
_HEADS = ("roi_heads", "head")
_DETECTION = "torchvision.models.detection"
"""The package of the parts that sample proposals and compute losses."""
_PRETRAINED_SIDE = 640
"""Default side for weights that were trained on photographs of about 800 pixels."""


class TorchvisionDetector(Transfer, Detector):
    """Boxes of torchvision are in pixels of the images."""

    def __init__(self, network: nn.Module, config: TorchvisionDetectionConfig) -> None:
        names = [name for name, _ in network.named_children()]
        head = next(name for name in _HEADS if name in names)
        super().__init__(network, config.trainable, config.backbone_lr_scale, head)
        self._first = int(config.name.startswith(_BACKGROUND))
        self._side = 1

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Any:
        """Boxes, labels and scores of each image as torchvision has them, or the loss, or both."""
        self._side = images.shape[-1]
        if targets is None:
            return self.network(list(images))
        if self.training:
            return self._loss(images, targets)
        with _losses_returned(self.network, images.device):
            loss = self._loss(images, targets)
        return loss, self.network(list(images))

    def _loss(self, images: Tensor, targets: Tensor) -> Tensor:
        losses: Mapping[str, Tensor] = self.network(list(images), self._records(targets))
        return torch.stack(list(losses.values())).sum()

    def _records(self, targets: Tensor) -> list[dict[str, Tensor]]:
        return [
            {"boxes": boxes * self._side, "labels": classes + self._first}
            for boxes, classes in objects_of(targets)
        ]

    def detections(self, outputs: Any) -> list[Detections]:
        """The objects left after non-maximum suppression."""
        found: Sequence[Mapping[str, Tensor]] = outputs
        return [
            Detections(
                (own["boxes"] / self._side).clamp(0, 1)[:MOST],
                own["scores"][:MOST],
                (own["labels"] - self._first)[:MOST],
            )
            for own in found
        ]


@contextmanager
def _losses_returned(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Let a network in evaluation return its losses, which torchvision computes in training alone.

    Norms and dropout stay as they are evaluated; proposals are sampled with a seed of their own.
    """
    parts = [part for part in network.modules() if type(part).__module__.startswith(_DETECTION)]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        for part in parts:
            part.training = True
        try:
            yield
        finally:
            for part in parts:
                part.training = False


def build(config: TorchvisionDetectionConfig, shape: ImageShape) -> nn.Module:
    """The network on torch's current default device; raises :class:`TrainingError`."""
    place = torch.get_default_device()
    # New weights come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        name = _checked(config)
        # Images come normalised, in the size in which they are to be seen.
        options: dict[str, Any] = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
        if name not in _SIDES:
            options |= {"min_size": shape.size, "max_size": shape.size}
        builder: Any = models.get_model_builder(name)
        network = builder(
            weights=None,
            weights_backbone=None,
            num_classes=shape.outputs + int(name.startswith(_BACKGROUND)),
            **options,
        )
        if config.pretrained and place.type != "meta":
            load_all_but_head(network, name)
        made = TorchvisionDetector(network, config)
        if place.type != "meta":  # boxes are chosen by their values, which it lacks
            check_size(made, shape, f"model.name: {name}", OTHER_SIZE_OR_NETWORK)
    return made.to(place)


def _checked(config: TorchvisionDetectionConfig) -> str:
    name = check_name(config.name, models.detection)
    if name.startswith(_OTHERS):
        raise TrainingError(
            f"model.name: {name} needs masks or key points to learn from, not boxes alone.",
            "Choose fasterrcnn_resnet50_fpn.",
        )
    return name


def preprocessing_of(config: TorchvisionDetectionConfig) -> Preprocessing | None:
    """Size, mean and deviation that the weights ask for; ``None`` from scratch.

    Raises :class:`TrainingError` for an unknown name.
    """
    name = _checked(config)
    side = -(-_SIDES.get(name, _PRETRAINED_SIDE) // 32) * 32
    return Preprocessing(side, *IMAGENET) if config.pretrained else None


def name_of_weights(config: TorchvisionDetectionConfig) -> str:
    """The weights' name as ``torchvision.models.get_weight`` takes it; empty from scratch."""
    return str(weights_named(_checked(config))) if config.pretrained else ""
