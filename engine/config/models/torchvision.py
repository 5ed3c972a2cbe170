"""The image classifiers of torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from engine.config.fields import option
from engine.config.models.image import ImageModelConfig

SUGGESTED = (
    "resnet18", "resnet34", "resnet50", "mobilenet_v3_small", "mobilenet_v3_large",
    "efficientnet_b0", "convnext_tiny", "densenet121", "vit_b_16",
)  # fmt: skip


class TorchvisionConfig(ImageModelConfig):
    """A network by its name in torchvision, new or with the weights of ImageNet."""

    kind: Literal["torchvision"] = "torchvision"
    title = "ResNet, ConvNeXt, EfficientNet, ViT …"
    implementation = "engine.models.images.torchvision:build_torchvision"
    preprocessing = "engine.models.images.torchvision:preprocessing_of"
    base_name = "engine.models.images.torchvision:name_of_weights"

    name: str = option(
        "resnet18", "Name of a classifier in torchvision", suggestions=SUGGESTED, max_length=80
    )
    pretrained: bool = option(False, "Start from weights pre-trained on ImageNet")
    small_stem: Literal["auto", "yes", "no"] = option(
        "auto",
        "Stem without downsampling; auto uses it for new networks on images up to 64 px",
    )
    dropout: float | None = option(
        None, "Dropout before the last layer, where the network has one", ge=0, lt=1, advanced=True
    )

    def exported(self, folder: Path) -> TorchvisionConfig:
        """Without a download: all weights lie in the folder."""
        del folder
        stem = "no" if self.pretrained and self.small_stem == "auto" else self.small_stem
        return self.model_copy(update={"pretrained": False, "small_stem": stem})
