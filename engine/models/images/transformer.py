"""Image classifiers of transformers, from the hub, a folder, a finished run, or a new ViT."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from engine.config.models.image import Preprocessing
from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.models.pretrained import WeightsConfig
from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.models.images.transfer import OTHER_SIZE, Transfer, check_size
from engine.models.language.transformer import compute_twice
from engine.models.shapes import ImageShape
from engine.models.weights.pretrained import (
    found_file,
    load_pretrained,
    pretrained_config,
    readable,
    weights_of,
)
from engine.models.weights.timm import drop_class_count, preprocessing_in
from engine.vision.files.processor_file import PROCESSOR_FILE

_AUTO: Any = transformers.AutoModelForImageClassification
_HALF = (0.5, 0.5, 0.5)


class ImageTransformer(Transfer):
    """A network of transformers; its positions are interpolated where images have another size."""

    def __init__(self, network: Any, size: int, config: ImageTransformerConfig) -> None:
        super().__init__(network, config.trainable, config.backbone_lr_scale)
        accepts = inspect.signature(network.forward).parameters
        differs = getattr(network.config, "image_size", size) not in (size, [size, size])
        interpolates = "interpolate_pos_encoding" in accepts and differs
        self._options = {"interpolate_pos_encoding": True} if interpolates else {}
        self._in_patches = "spatial_shapes" in accepts

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes."""
        inputs: dict[str, Any] = {"pixel_values": images} | self._options
        if self._in_patches:
            network: Any = self.network
            inputs = patches_of(images, network.config.vision_config.patch_size)
        outputs = self.network(**inputs)
        # PP-LCNet has them by another name.
        logits: Tensor = outputs.logits if "logits" in outputs else outputs.last_hidden_state
        return logits

    def save_pretrained(self, folder: Path) -> None:
        """Weights and configuration as transformers reads them. Raises ``OSError``."""
        network: Any = self.network
        network.save_pretrained(folder)


def patches_of(images: Tensor, side: int) -> dict[str, Tensor]:
    """Return the inputs of networks that take images in patches, as SigLIP 2 does.

    Patches are ``[batch, number, side · side · channels]``; raises ``ValueError`` where they do
    not divide the images.
    """
    batch, channels, height, width = images.shape
    rows, columns = height // side, width // side
    if (rows * side, columns * side) != (height, width):
        raise ValueError(f"patches of {side} px do not divide images of {height} px")
    cells = images.reshape(batch, channels, rows, side, columns, side).permute(0, 2, 4, 3, 5, 1)
    return {
        "pixel_values": cells.reshape(batch, rows * columns, side * side * channels),
        "pixel_attention_mask": images.new_ones(batch, rows * columns, dtype=torch.int64),
        "spatial_shapes": torch.tensor([[rows, columns]], device=images.device).expand(batch, 2),
    }


def build_image_transformer(config: ImageTransformerConfig, shape: ImageShape) -> nn.Module:
    """The network in float32 on torch's current default device; raises :class:`TrainingError`."""
    place = torch.get_default_device()
    # New weights come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        network = _from_scratch(config, shape) if config.from_scratch else _trained(config, shape)
        made = ImageTransformer(network, shape.size, config)
        check_size(made, shape, f"The network {plain(config.path or 'ViT')}", OTHER_SIZE)
    if config.gradient_checkpointing:
        compute_twice(network)
    return made.to(place)


def preprocessing_of(config: WeightsConfig) -> Preprocessing | None:
    """Size, mean and deviation that the model's image processor notes; ``None`` from scratch.

    Raises :class:`TrainingError` for a model that cannot be loaded.
    """
    if config.from_scratch:
        return None
    architecture = pretrained_config(config)
    with readable(config):
        weights = weights_of(config)
        noted = None
        if weights.adapter:
            noted = found_file(weights.adapter, PROCESSOR_FILE, weights.adapter_revision)
        noted = noted or found_file(weights.place, PROCESSOR_FILE, weights.revision)
    if not noted and (found := preprocessing_in(architecture)):
        return found
    notes = json.loads(Path(noted).read_text()) if noted else {}
    size = _side(notes.get("crop_size")) or _side(notes.get("size"))
    return Preprocessing(
        size or _side(getattr(architecture, "image_size", None)) or 224,
        tuple(notes.get("image_mean") or _HALF),
        tuple(notes.get("image_std") or _HALF),
    )


def _side(size: Any) -> int | None:
    """The side in any of the ways in which image processors note it."""
    if isinstance(size, dict):
        return next((int(size[name]) for name in ("height", "shortest_edge") if name in size), None)
    if isinstance(size, list | tuple):
        return int(size[0])
    return int(size) if size else None


def _from_scratch(config: ImageTransformerConfig, shape: ImageShape) -> Any:
    if shape.size % config.patch_size:
        raise TrainingError(
            f"model.patch_size: patches of {config.patch_size} px do not divide images of "
            f"{shape.size} px.",
            "Change model.patch_size or task.image_size.",
        )
    architecture = transformers.ViTConfig(
        image_size=shape.size,
        num_channels=shape.channels,
        patch_size=config.patch_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        intermediate_size=4 * config.hidden_size,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
    )
    label_outputs(architecture, shape)
    return _AUTO.from_config(architecture, dtype=torch.float32)


def _trained(config: ImageTransformerConfig, shape: ImageShape) -> Any:
    known = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING
    why = "do not classify images", "Choose another model."
    return load_labelled(config, shape, _AUTO, known, *why)


def load_labelled(
    config: WeightsConfig, shape: ImageShape, auto: Any, known: Any, lacks: str, remedy: str
) -> Any:
    """Return the pre-trained network of a section with the classes at hand, by a class of
    transformers.

    ``known`` are the configurations of networks for the task; another one ``lacks`` something.
    Raises :class:`TrainingError`.
    """
    architecture = pretrained_config(config)
    if type(architecture) not in known:
        networks = f"{plain(architecture.model_type)} networks such as {plain(config.path)}"
        raise TrainingError(f"model.path: {networks} {lacks}.", remedy)
    drop_class_count(architecture)
    label_outputs(architecture, shape)
    return load_pretrained(config, auto, architecture, torch.float32)


def label_outputs(architecture: Any, shape: ImageShape) -> None:
    """Note the names of the classes in the configuration of a network of transformers."""
    labels = shape.labels or tuple(map(str, range(shape.outputs)))
    architecture.num_labels = len(labels)  # PVT has a number of its own
    architecture.id2label = dict(enumerate(labels))
    architecture.label2id = {label: index for index, label in enumerate(labels)}
    if shape.regression:
        architecture.problem_type = "regression"  # the loss that transformers computes
