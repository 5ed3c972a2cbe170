"""The image classifiers of transformers: one that was trained before, or a small ViT."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.image import ImageModelConfig
from engine.config.models.pretrained import PATH_HELP, PretrainedModelConfig

SUGGESTED = (
    "google/vit-base-patch16-224",
    "google/vit-base-patch16-224-in21k",
    "microsoft/resnet-50",
    "facebook/deit-small-patch16-224",
    "facebook/convnext-tiny-224",
    "microsoft/swin-tiny-patch4-window7-224",
)


class ImageTransformerConfig(ImageModelConfig, PretrainedModelConfig):
    """The pre-trained weights, or the size of a ViT from scratch."""

    kind: Literal["image_transformer"] = "image_transformer"
    title = "transformer on images"
    implementation = "engine.models.images.transformer:build_image_transformer"
    wrapper = "engine.models.images.transformer:ImageTransformer"
    preprocessing = "engine.models.images.transformer:preprocessing_of"

    path: str = option("", PATH_HELP, suggestions=SUGGESTED)
    num_hidden_layers: int = option(
        4, "Number of layers (from scratch)", weights="new", ge=1, le=200
    )
    patch_size: int = option(4, "Patch size (from scratch)", weights="new", ge=1, le=64, unit="px")
