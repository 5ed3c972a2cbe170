"""The file of an image processor, as transformers reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from engine.config.models.image import Preprocessing
from engine.files import atomic

PROCESSOR_FILE = "preprocessor_config.json"
_CROPS = "CLIPImageProcessor"
_BILINEAR = 2
"""Number of the resampling filter in PIL."""


def write_processor(
    preprocessing: Preprocessing,
    folder: Path,
    processor: str = "ViTImageProcessor",
    resize: Literal["crop", "stretch"] = "stretch",
) -> None:
    """Write the file that transformers reads beside the weights. Raises ``OSError``.

    ``processor`` is the class of transformers that prepares images and reads outputs; it stretches
    images. One that takes their middle is of another class.
    """
    side = {"height": preprocessing.size, "width": preprocessing.size}
    sizes: dict[str, Any] = {"image_processor_type": processor, "size": side}
    if resize == "crop":
        sizes = {
            "image_processor_type": _CROPS,
            "size": {"shortest_edge": preprocessing.size},
            "do_center_crop": True,
            "crop_size": side,
        }
    atomic.write_json(
        folder / PROCESSOR_FILE,
        sizes
        | {
            "do_convert_rgb": len(preprocessing.mean) > 1,
            "do_resize": True,
            "resample": _BILINEAR,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(preprocessing.mean),
            "image_std": list(preprocessing.std),
        },
    )
