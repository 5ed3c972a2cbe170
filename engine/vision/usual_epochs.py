"""Epochs of a training on images that go by their number, where none are set."""

from __future__ import annotations

from engine.config.run_config import RunConfig
from engine.config.train import USUAL_EPOCHS
from engine.config.usual import epochs_for

_UPDATES = 600
"""Updates that a training has about, within the bounds of its epochs."""
_MOST_EPOCHS = 40


def usual_epochs(config: RunConfig, rows: int) -> list[str]:
    """Return ``train.epochs=N`` for ``rows`` training images; nothing where it is set.

    Ten epochs of two hundred images are forty updates, which teach a network little.
    """
    train = config.train
    if train.epochs is not None or not rows:
        return []
    an_update = train.batch_rows * train.gradient_accumulation_steps
    epochs = epochs_for(_UPDATES, rows, an_update, USUAL_EPOCHS, _MOST_EPOCHS)
    return [f"train.epochs={epochs}"]
