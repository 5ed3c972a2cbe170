"""The final event of a run that is ended outside of the training loop, which writes its own."""

from __future__ import annotations

from engine.runs.directory import RunDirectory
from engine.runs.events import CheckpointSaved, Interrupted, Progress


def interrupted(run: RunDirectory) -> Interrupted:
    """Return the event, with the update that the run resumes from and the seconds until then."""
    step, seconds = 0, 0.0
    for event in run.events.newest(CheckpointSaved, Progress):
        match event:
            case CheckpointSaved() if not step:
                step = event.step
            case Progress() if step and event.step <= step:
                seconds = event.seconds
                break
    return Interrupted(step=step, seconds=seconds)
