"""Segmentation networks of torchvision, fitted to the classes at hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from engine.config.models.image import Preprocessing
from engine.config.models.segmentation import TorchvisionSegmentationConfig
from engine.models.images.torchvision_weights import (
    IMAGENET,
    check_name,
    load_all_but_head,
    weights_named,
)
from engine.models.images.transfer import OTHER_SIZE_OR_NETWORK, Transfer, check_size, dense_head
from engine.models.shapes import ImageShape

_SIDE = 512
"""Side of images in the training of torchvision's weights, up to a multiple of 32."""


class TorchvisionSegmentation(Transfer):
    """Input ``[batch, 3, side, side]``, output logits ``[batch, classes, side, side]``."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes of each pixel."""
        logits: Tensor = self.network(images)["out"]
        return logits


def build(config: TorchvisionSegmentationConfig, shape: ImageShape) -> nn.Module:
    """The network on torch's current default device; raises :class:`TrainingError`."""
    place = torch.get_default_device()
    # New weights come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        name = check_name(config.name, models.segmentation)
        builder: Any = models.get_model_builder(name)
        network = builder(weights=None, weights_backbone=None, num_classes=shape.outputs)
        if config.pretrained and place.type != "meta":
            load_all_but_head(network, name)
        made = TorchvisionSegmentation(
            network, config.trainable, config.backbone_lr_scale, dense_head(network)
        )
        check_size(made, shape, f"model.name: {name}", OTHER_SIZE_OR_NETWORK)
    return made.to(place)


def preprocessing_of(config: TorchvisionSegmentationConfig) -> Preprocessing | None:
    """Size, mean and deviation that the weights ask for; ``None`` from scratch.

    Raises :class:`TrainingError` for an unknown name.
    """
    check_name(config.name, models.segmentation)
    return Preprocessing(_SIDE, *IMAGENET) if config.pretrained else None


def name_of_weights(config: TorchvisionSegmentationConfig) -> str:
    """The weights' name as ``torchvision.models.get_weight`` takes it; empty from scratch."""
    if not config.pretrained:
        return ""
    return str(weights_named(check_name(config.name, models.segmentation)))
