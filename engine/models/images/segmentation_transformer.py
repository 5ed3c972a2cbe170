"""Segmentation networks of transformers, from the hub, a folder, a run, or a new SegFormer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

from engine.config.models.segmentation import SegmentationTransformerConfig
from engine.files.sanitize import plain
from engine.models.images.transfer import OTHER_SIZE, Transfer, check_size, dense_head
from engine.models.images.transformer import label_outputs, load_labelled
from engine.models.language.transformer import compute_twice
from engine.models.shapes import ImageShape

_AUTO: Any = transformers.AutoModelForSemanticSegmentation
_STAGES = (1, 2, 5, 8)
"""Attention heads of the stages, and their widths as multiples of the first, as in MiT-B0."""


class SegmentationTransformer(Transfer):
    """A network of transformers, whose logits are enlarged to the size of the images.

    Input ``[batch, channels, side, side]``, output ``[batch, classes, side, side]``.
    """

    def __init__(self, network: Any, size: int, config: SegmentationTransformerConfig) -> None:
        del size
        head = dense_head(network)
        super().__init__(network, config.trainable, config.backbone_lr_scale, head)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes of each pixel."""
        logits: Tensor = self.network(pixel_values=images).logits
        sides = list(images.shape[-2:])
        return F.interpolate(logits, size=sides, mode="bilinear", align_corners=False)

    def save_pretrained(self, folder: Path) -> None:
        """Weights and configuration as transformers reads them. Raises ``OSError``."""
        network: Any = self.network
        network.save_pretrained(folder)


def build(config: SegmentationTransformerConfig, shape: ImageShape) -> nn.Module:
    """The network in float32 on torch's current default device; raises :class:`TrainingError`."""
    place = torch.get_default_device()
    # New weights come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        network = _from_scratch(config, shape) if config.from_scratch else _trained(config, shape)
        made = SegmentationTransformer(network, shape.size, config)
        check_size(made, shape, f"The network {plain(config.path or 'SegFormer')}", OTHER_SIZE)
    if config.gradient_checkpointing:
        compute_twice(network)
    return made.to(place)


def _from_scratch(config: SegmentationTransformerConfig, shape: ImageShape) -> Any:
    architecture = transformers.SegformerConfig(
        num_channels=shape.channels,
        depths=[config.num_hidden_layers] * len(_STAGES),
        hidden_sizes=[config.hidden_size * times for times in _STAGES],
        num_attention_heads=list(_STAGES),
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        classifier_dropout_prob=config.dropout,
        decoder_hidden_size=4 * config.hidden_size,
    )
    label_outputs(architecture, shape)
    return _AUTO.from_config(architecture, dtype=torch.float32)


def _trained(config: SegmentationTransformerConfig, shape: ImageShape) -> Any:
    known = transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING
    why = "do not segment images", "Choose another model, such as nvidia/mit-b0."
    return load_labelled(config, shape, _AUTO, known, *why)
