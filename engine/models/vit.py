"""The image classifiers of transformers: one that was trained before, or a small ViT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.fields import option
from engine.locations import anchored
from engine.models.image import ImageModelConfig, Preprocessing

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


class ImageTransformerConfig(ImageModelConfig):
    """Where the weights come from; without a place, the size of a ViT from scratch."""

    kind: Literal["image_transformer"] = "image_transformer"
    title = "transformer on images"

    path: str = option(
        "",
        "Name on the Hugging Face hub, a folder, or a finished run; empty begins from scratch",
        suggestions=SUGGESTED,
    )
    revision: str = option("main", "Branch, tag or commit on the hub", advanced=True)
    patch_size: int = option(4, "Side of a patch (from scratch)", ge=1, le=64, unit="px")
    hidden_size: int = option(128, "Width of the network (from scratch)", ge=8, le=16_384)
    num_hidden_layers: int = option(4, "Layers (from scratch)", ge=1, le=200)
    num_attention_heads: int = option(
        4, "Attention heads of each layer (from scratch)", ge=1, le=256
    )
    dropout: float = option(0.1, "Dropout (from scratch)", ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_fit(self) -> ImageTransformerConfig:
        if self.hidden_size % self.num_attention_heads:
            raise PydanticCustomError(
                "mismatch",
                "{heads} heads do not divide the width {width}",
                {
                    "field": "num_attention_heads",
                    "heads": self.num_attention_heads,
                    "width": self.hidden_size,
                },
            )
        return self

    def anchored(self) -> ImageTransformerConfig:
        """The same with a whole path, where it is a folder and not a name on the hub."""
        if not self.path or not Path(self.path).expanduser().is_dir():
            return self
        return self.model_copy(update={"path": anchored(self.path)})

    @property
    def from_scratch(self) -> bool:
        """Whether there are no weights to begin with."""
        return not self.path

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

    def exported(self, folder: Path) -> ImageTransformerConfig:
        """The network as it lies in an exported folder."""
        return self.model_copy(update={"path": str(folder), "revision": "main"})
