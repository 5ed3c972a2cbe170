"""The detectors of torchvision and transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.models.image import ImageModelConfig
from engine.config.models.pretrained import PATH_HELP, WeightsConfig

TORCHVISION = (
    "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2", "fcos_resnet50_fpn", "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2", "ssd300_vgg16",
)  # fmt: skip
TRANSFORMERS = (
    "PekingU/rtdetr_r18vd",
    "PekingU/rtdetr_v2_r18vd",
    "ustc-community/dfine-small-coco",
    "facebook/detr-resnet-50",
    "hustvl/yolos-tiny",
)


class TorchvisionDetectionConfig(ImageModelConfig):
    """A network by its name in torchvision, new or with the weights of COCO."""

    kind: Literal["torchvision_detection"] = "torchvision_detection"
    title = "torchvision: SSDlite, Faster R-CNN, FCOS, RetinaNet"
    implementation = "engine.models.images.torchvision_detection:build"
    preprocessing = "engine.models.images.torchvision_detection:preprocessing_of"
    base_name = "engine.models.images.torchvision_detection:name_of_weights"

    name: str = option(
        "ssdlite320_mobilenet_v3_large", "Name of a detector in torchvision",
        suggestions=TORCHVISION, max_length=80,
    )  # fmt: skip
    pretrained: bool = option(False, "Start from weights pre-trained on COCO")

    def exported(self, folder: Path) -> TorchvisionDetectionConfig:
        """Without a download: all weights lie in the folder."""
        del folder
        return self.model_copy(update={"pretrained": False})


class DetectionTransformerConfig(ImageModelConfig, WeightsConfig):
    """The pre-trained weights, or the size of an RT-DETR from scratch."""

    kind: Literal["detection_transformer"] = "detection_transformer"
    title = "transformers: RT-DETR, D-FINE, DETR"
    implementation = "engine.models.images.detection_transformer:build"
    preprocessing = "engine.models.images.transformer:preprocessing_of"
    wrapper = "engine.models.images.detection_transformer:DetectionTransformer"

    path: str = option("", PATH_HELP, suggestions=TRANSFORMERS)
    hidden_size: int = option(64, "Hidden size (from scratch)", weights="new", ge=8, le=2048)
    num_hidden_layers: int = option(2, "Decoder layers (from scratch)", weights="new", ge=1, le=50)
    num_attention_heads: int = option(
        4, "Attention heads per layer (from scratch)", weights="new", ge=1, le=64
    )
    num_queries: int = option(
        50,
        "Number of queries: objects that can be found in an image (from scratch)",
        weights="new",
        ge=1,
        le=2000,
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> DetectionTransformerConfig:
        # Half of the width of a position is a sine and a cosine for each axis.
        if self.hidden_size % (4 * self.num_attention_heads) and self.from_scratch:
            raise PydanticCustomError(
                "mismatch",
                "the width {width} is not a multiple of 4 × {heads} heads",
                {
                    "field": "hidden_size",
                    "heads": self.num_attention_heads,
                    "width": self.hidden_size,
                },
            )
        return self
