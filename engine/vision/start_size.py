"""The check that a network takes the smaller images of progressive resizing."""

from __future__ import annotations

import torch
from torch import nn

from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.vision.fitted import PixelFitted

_FIELD = "task.augmentation.start_size"


def check_start_size(network: nn.Module, size: int, fitted: PixelFitted) -> None:
    """Let empty images of the first epoch through; raises :class:`TrainingError`."""
    if not size:
        return
    if size > fitted.size:
        raise TrainingError(
            f"{_FIELD}: {size} px is larger than the images, {fitted.size} px.",
            "Choose a smaller size, or 0.",
        )
    training = network.training
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(2, fitted.channels, size, size, device=device))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise TrainingError(
            f"{_FIELD}: this network cannot take images of {size} px: {plain(error)}.",
            "Choose another size, or 0 to train on full images alone.",
        ) from error
    finally:
        network.train(training)
