"""The file of an image processor, as transformers reads it."""

from __future__ import annotations

from pathlib import Path

from engine.config.models.image import Preprocessing
from engine.files import atomic

PROCESSOR_FILE = "preprocessor_config.json"


def write_processor(
    preprocessing: Preprocessing, folder: Path, processor: str = "ViTImageProcessor"
) -> None:
    """Write the file that transformers reads beside the weights. Raises ``OSError``.

    ``processor`` is the class of transformers that prepares images and reads outputs.
    """
    atomic.write_json(
        folder / PROCESSOR_FILE,
        {
            "image_processor_type": processor,
            "do_resize": True,
            "size": {"height": preprocessing.size, "width": preprocessing.size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(preprocessing.mean),
            "image_std": list(preprocessing.std),
        },
    )
