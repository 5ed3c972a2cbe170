"""The preprocessing that pre-trained image models ask for. Loads no torch by itself."""

from __future__ import annotations

from engine.config.models.base import ModelConfig
from engine.config.models.image import Preprocessing
from engine.config.registry import resolve


def preprocessing_of(config: ModelConfig) -> Preprocessing | None:
    """Return the preprocessing of a pre-trained image model; ``None`` from scratch.

    Raises :class:`~engine.errors.TrainingError` for weights that cannot be read.
    """
    if not config.preprocessing:
        return None
    wanted: Preprocessing | None = resolve(config.preprocessing)(config)
    return wanted
