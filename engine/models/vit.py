"""The image classifiers of transformers: one that was trained before, or a small ViT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from engine.fields import option
from engine.models.image import ImageModelConfig, Preprocessing
from engine.models.pretrained import PATH_HELP, PretrainedModelConfig

if TYPE_CHECKING:
    from torch import nn

SUGGESTED = (
    "google/vit-base-patch16-224",
    "google/vit-base-patch16-224-in21k",
    "microsoft/resnet-50",
    "facebook/deit-small-patch16-224",
    "facebook/convnext-tiny-224",
    "microsoft/swin-tiny-patch4-window7-224",
)


class ImageTransformerConfig(ImageModelConfig, PretrainedModelConfig):
    """Where the weights come from; without a place, the size of a ViT from scratch."""

    kind: Literal["image_transformer"] = "image_transformer"
    title = "transformer on images"

    path: str = option("", PATH_HELP, suggestions=SUGGESTED)
    num_hidden_layers: int = option(4, "Layers (from scratch)", ge=1, le=200)
    patch_size: int = option(4, "Side of a patch (from scratch)", ge=1, le=64, unit="px")

    def preprocessing(self) -> Preprocessing | None:
        """What the model's own image processor does."""
        if self.from_scratch:
            return None
        from engine.networks.image_transformer import preprocessing_of

        return preprocessing_of(self)

    def build(self, shape: Any) -> nn.Module:
        """Takes an :class:`~engine.models.shapes.ImageShape`."""
        from engine.networks.image_transformer import build_image_transformer

        return build_image_transformer(self, shape)
