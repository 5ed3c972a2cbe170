"""Asynchronous checkpoints: the state is copied at once and written by a thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psutil
import torch

from engine.runs.directory import RunDirectory
from engine.runs.events import CheckpointSaved, EventLog
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.state import TrainingState, trained_weights
from engine.training.distributed.process_group import SingleProcess
from engine.training.optimization.non_finite import not_finite

SCHEDULE = "schedule"
"""The reason of checkpoints that training does not wait for."""
_SHARE = 0.25
"""Share of the free memory: a larger state is written uncopied, while the training waits."""


class Saver:
    """Writes checkpoints of one state, none twice, one at a time.

    As a context manager, it has written everything on exit.
    """

    def __init__(
        self,
        run: RunDirectory,
        state: TrainingState,
        events: EventLog,
        keep: int,
        group: SingleProcess | None = None,
    ) -> None:
        self._run = run
        self._group = group or SingleProcess()
        self._state = state
        self._events = events
        self._keep = keep
        self._last: dict[str, Any] = {}
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Saver:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown()  # finishes pending writes, whatever happened here
        if kind is None:
            self.wait()

    def expected_size(self) -> int:
        """Return the bytes of a checkpoint: weights, best ones, average, and optimizer's state.

        If the optimizer has made no update yet, AdamW's state is assumed.
        """
        weights = _size(trained_weights(self._state.network))
        average = _size(self._state.average or {})
        return 2 * weights + average + (_size(self._state.optimizer.state_dict()) or 2 * weights)

    def save(self, reason: str) -> None:
        """Write the current state; re-raises the error of the previous write.

        Called by the main process. Raises :class:`TrainingError`.
        """
        position = vars(self._state.position) | {"seconds": 0.0}
        if position == self._last:
            if reason != SCHEDULE:
                self.wait()
            return
        self._last = position
        self._group.call("save")
        self.take_part(reason)

    def take_part(self, reason: str = SCHEDULE) -> None:
        """Write the current state, of a sharded network this process's part."""
        step = self._state.position.step
        if not self._state.finite():
            raise not_finite(step)
        self.wait()
        state = self._state.state_dict()
        if reason != SCHEDULE or _size(state) > _SHARE * psutil.virtual_memory().available:
            self._write(step, state, reason)
        else:
            self._writing = self._thread.submit(self._write, step, _copied(state), reason)

    def wait(self) -> None:
        """Wait until the pending checkpoint is on disk; raises :class:`TrainingError`."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _write(self, step: int, state: dict[str, Any], reason: str) -> None:
        folder = self._run.checkpoints
        state, write_shards = self._state.split(state)
        if not self._group.leads:
            assert write_shards is not None
            write_shards(checkpoint.writing_folder(folder, step))
            return
        written = checkpoint.save(folder, step, state, self._keep, write_shards)
        self._events.write(
            CheckpointSaved(step=step, name=written.path.name, size=written.size, reason=reason)
        )


def _copied(value: Any) -> Any:
    """Return a copy on the CPU, whose tensors nothing else writes to."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value


def _size(value: Any) -> int:
    """Return the bytes of all tensors in a state."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(_size, parts)) if isinstance(value, dict | list | tuple) else 0
