"""The network of a run that shards it, by its outline: built whole in no process."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from engine.models.weights.outline import Outline, outline
from engine.models.weights.recorded_build import NotRecorded
from engine.runs.events import Log
from engine.training.training_session import TrainingSession


def outline_of(training: TrainingSession, build: Callable[[], nn.Module]) -> Outline | None:
    """Return the outline of a network to be sharded; ``None`` where it must be built whole."""
    reason = ""
    if training.task.config.adapter.init_lora_weights == "pissa":
        reason = "the adapter's beginning is kept"
    elif training.task.config.adapter.quantized:
        reason = "its weights are quantised"
    else:
        try:
            return outline(build)
        except NotRecorded as error:
            reason = str(error)
    if training.group.leads:
        message = f"Each process builds the whole network before it is sharded: {reason}."
        training.session.events.write(Log(level="info", message=message))
    return None
