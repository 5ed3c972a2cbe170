"""Detectors of transformers, from the hub, a folder, a finished run, or a new RT-DETR."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from engine.config.models.detection import DetectionTransformerConfig
from engine.files.sanitize import plain
from engine.models.images.detector import Detections, Detector, likeliest, objects_of
from engine.models.images.transfer import OTHER_SIZE, Transfer, check_size
from engine.models.images.transformer import label_outputs, load_labelled
from engine.models.shapes import ImageShape

_AUTO: Any = transformers.AutoModelForObjectDetection
_STRIDES = (8, 16, 32)
_PER_CLASS = re.compile(r"class|score")
"""In the names of layers that have an output, or a row, for each class."""


class DetectionTransformer(Transfer, Detector):
    """A network of transformers, which computes its loss itself after matching boxes."""

    def __init__(self, network: Any, size: int, config: DetectionTransformerConfig) -> None:
        del size
        heads = [
            name
            for name, module in network.named_modules()
            if isinstance(module, nn.Linear | nn.Embedding) and _PER_CLASS.search(name)
        ]
        network.new_layers = sorted({*getattr(network, "new_layers", ()), *heads})
        super().__init__(network, config.trainable, config.backbone_lr_scale, heads[0])

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Any:
        """Logits of classes and boxes of each query, or the loss, or both."""
        if targets is None:
            outputs = self.network(pixel_values=images)
            return {"logits": outputs.logits, "pred_boxes": outputs.pred_boxes}
        labels = [
            {"boxes": _middles(boxes), "class_labels": classes}
            for boxes, classes in objects_of(targets)
        ]
        outputs = self.network(pixel_values=images, labels=labels)
        if self.training:
            return outputs.loss
        return outputs.loss, {"logits": outputs.logits, "pred_boxes": outputs.pred_boxes}

    def detections(self, outputs: Any) -> list[Detections]:
        """The likeliest pairs of a query and a class.

        Networks with an output for "no object" share probabilities among the classes.
        """
        logits, classes = outputs["logits"].float(), self._classes
        alone = logits.shape[-1] == classes
        chances = logits.sigmoid() if alone else logits.softmax(-1)[..., :classes]
        boxes = _corners(outputs["pred_boxes"].float())
        return [likeliest(own, scores) for own, scores in zip(boxes, chances, strict=True)]

    @property
    def _classes(self) -> int:
        network: Any = self.network
        return int(network.config.num_labels)

    def save_pretrained(self, folder: Path) -> None:
        """Weights and configuration as transformers reads them. Raises ``OSError``."""
        network: Any = self.network
        network.save_pretrained(folder)


def _middles(boxes: Tensor) -> Tensor:
    """From left, top, right, bottom to the middle, width and height."""
    first, second = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(first + second) / 2, second - first], -1)


def _corners(boxes: Tensor) -> Tensor:
    """From the middle, width and height to left, top, right, bottom."""
    middle, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def build(config: DetectionTransformerConfig, shape: ImageShape) -> nn.Module:
    """The network in float32 on torch's current default device; raises :class:`TrainingError`."""
    place = torch.get_default_device()
    # New weights come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        network = _from_scratch(config, shape) if config.from_scratch else _trained(config, shape)
        made = DetectionTransformer(network, shape.size, config)
        if place.type != "meta":  # queries are chosen by their values, which it lacks
            check_size(made, shape, f"The network {plain(config.path or 'RT-DETR')}", OTHER_SIZE)
    return made.to(place)


def _from_scratch(config: DetectionTransformerConfig, shape: ImageShape) -> Any:
    width = config.hidden_size
    stages = [width // 2, width, 2 * width, 4 * width]
    cells = sum((shape.size // stride) ** 2 for stride in _STRIDES)
    # An option by its public name, which the signature of the class does not show.
    seen: dict[str, Any] = {"out_features": ["stage2", "stage3", "stage4"]}
    backbone = transformers.RTDetrResNetConfig(
        num_channels=shape.channels, embedding_size=width // 2, hidden_sizes=stages,
        depths=[1, 1, 1, 1], layer_type="basic", **seen,
    )  # fmt: skip
    architecture = transformers.RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=stages[1:], encoder_hidden_dim=width,
        decoder_in_channels=[width] * 3, d_model=width, encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width, encoder_attention_heads=config.num_attention_heads,
        decoder_attention_heads=config.num_attention_heads,
        decoder_layers=config.num_hidden_layers, num_queries=min(config.num_queries, cells),
        freeze_backbone_batch_norms=False,
    )  # fmt: skip
    label_outputs(architecture, shape)
    return _AUTO.from_config(architecture, dtype=torch.float32)


def _trained(config: DetectionTransformerConfig, shape: ImageShape) -> Any:
    known = transformers.MODEL_FOR_OBJECT_DETECTION_MAPPING
    why = "do not detect objects", "Choose another model, such as PekingU/rtdetr_r18vd."
    return load_labelled(config, shape, _AUTO, known, *why)
