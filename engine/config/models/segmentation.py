"""The networks of torchvision and transformers that give each pixel a class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from engine.config.fields import option
from engine.config.models.image import ImageModelConfig
from engine.config.models.pretrained import PATH_HELP, WeightsConfig

TORCHVISION = (
    "lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50",
    "deeplabv3_resnet101", "fcn_resnet50", "fcn_resnet101",
)  # fmt: skip
TRANSFORMERS = (
    "nvidia/mit-b0",
    "nvidia/mit-b2",
    "nvidia/segformer-b0-finetuned-ade-512-512",
    "nvidia/segformer-b2-finetuned-ade-512-512",
    "openmmlab/upernet-convnext-tiny",
)


class TorchvisionSegmentationConfig(ImageModelConfig):
    """A network by its name in torchvision, new or with the weights of COCO."""

    kind: Literal["torchvision_segmentation"] = "torchvision_segmentation"
    title = "torchvision: DeepLab, LR-ASPP, FCN"
    implementation = "engine.models.images.torchvision_segmentation:build"
    preprocessing = "engine.models.images.torchvision_segmentation:preprocessing_of"
    base_name = "engine.models.images.torchvision_segmentation:name_of_weights"

    name: str = option(
        "lraspp_mobilenet_v3_large", "Name of a segmentation network in torchvision",
        suggestions=TORCHVISION, max_length=80,
    )  # fmt: skip
    pretrained: bool = option(False, "Start from weights pre-trained on COCO")

    def exported(self, folder: Path) -> TorchvisionSegmentationConfig:
        """Without a download: all weights lie in the folder."""
        del folder
        return self.model_copy(update={"pretrained": False})


class SegmentationTransformerConfig(ImageModelConfig, WeightsConfig):
    """The pre-trained weights, or the size of a SegFormer from scratch."""

    kind: Literal["segmentation_transformer"] = "segmentation_transformer"
    title = "transformers: SegFormer and others"
    implementation = "engine.models.images.segmentation_transformer:build"
    preprocessing = "engine.models.images.transformer:preprocessing_of"
    wrapper = "engine.models.images.segmentation_transformer:SegmentationTransformer"

    path: str = option("", PATH_HELP, suggestions=TRANSFORMERS)
    hidden_size: int = option(
        32, "Hidden size of the first of four stages (from scratch)", weights="new", ge=8, le=1024
    )
    num_hidden_layers: int = option(
        2, "Layers of each stage (from scratch)", weights="new", ge=1, le=50
    )
    dropout: float = option(0.1, "Dropout (from scratch)", weights="new", ge=0, lt=1)
    gradient_checkpointing: bool = option(
        False,
        "Gradient checkpointing: recompute activations in the backward pass to save memory",
        advanced=True,
    )
