"""The checkpoint that all processes of a run resume from."""

from __future__ import annotations

import time
from typing import Any

from engine.errors import TrainingError
from engine.runs.directory import RunDirectory
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.state import TrainingState
from engine.training.distributed.process_group import SingleProcess

_SIGHT_SECONDS = 90.0
"""Time-out for a file on a shared file system to become visible on another node."""


def newest_checkpoint(
    run: RunDirectory, group: SingleProcess
) -> tuple[checkpoint.Checkpoint | None, dict[str, Any], list[checkpoint.Checkpoint]]:
    """Return the checkpoint to resume from, its state, and the damaged ones that were skipped.

    It is the same in all processes. On another node its files may become visible later.
    """
    give_up = time.monotonic() + _SIGHT_SECONDS
    step = None
    while True:
        newest, saved, damaged = checkpoint.load_newest(run.checkpoints, sharded=group.sharded)
        own = newest.step if newest else 0
        step = group.broadcast({"step": own})["step"] if step is None else step
        if own == step:
            return newest, saved, damaged
        if time.monotonic() > give_up:
            raise TrainingError(
                f"{run.checkpoints} shows update {own:,} here and {step:,} on the main node.",
                "All machines must share the folder of the runs.",
            )
        time.sleep(1.0)


def load_state(state: TrainingState, saved: dict[str, Any]) -> None:
    """Load a checkpoint's state; raises :class:`TrainingError` where it does not fit."""
    try:
        state.load_state_dict(saved)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"The checkpoint does not suit the configuration any more: {error}.",
            "Start a new run, or remove the folder checkpoints of this one.",
        ) from error
