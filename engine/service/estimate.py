"""The estimate of a configuration, answered in the helper process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.files.paths import runs_folder
from engine.hardware import device
from engine.models.weights.to_download import bytes_to_download
from engine.reports.estimate import Estimate
from engine.runs.speed import speed_of_like_runs
from engine.service.data_cache import held_bytes, loaded
from engine.tasks.create import create_task
from engine.training.memory import estimate as memory_estimate
from engine.training.optimization.cpu_precision import takes_bfloat16
from engine.training.started import started

_FOUND = {"image_size": "size", "season": "season"}
"""Fields of tasks, and where the fitted data has what they come to."""


def answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``estimate``; raises ``ConfigError``, ``DataError`` and ``TrainingError``."""
    return estimate(RunConfig.parse(values)).record()


def estimate(config: RunConfig) -> Estimate:
    """Sizes, steps and memory of a run; reads its data, builds its network without weights."""
    if takes_bfloat16(config):
        config = config.override(["compute.precision=bfloat16"])
    # Nothing is trained, and other questions to this process must not inherit it.
    compute = device.choose(config.compute.model_copy(update={"deterministic": False}))
    task = create_task(config)
    raw, fitted = loaded(task.pipeline)
    changes = task.pipeline.settled(fitted)
    outcomes = (*changes, *_found(config, fitted))
    if changes:
        config = config.override(changes)
        task = create_task(config)
    case = memory_estimate.case_of(task, raw, fitted, compute, held_bytes())
    material, sizes, train = case.material, case.sizes, config.train
    available = memory_estimate.available_bytes(compute.device)
    memory, largest, notes = case.memory(train, available)
    if train.auto_batch_size and largest:
        size = case.comfortable(train, available)
        train = train.model_copy(update={"batch_size": size})
        memory, largest, notes = case.memory(train, available)
        notes = (f"batches of {size:,}", *notes)
        settled = [f"train.batch_size={size}", "train.auto_batch_size=false"]
        outcomes = (*outcomes, settled[0])
        config = config.override(settled)
    folder = _existing(runs_folder())
    per_epoch = -(-material.batches(train) // train.gradient_accumulation_steps)
    steps = per_epoch * train.epoch_count
    if train.max_steps is not None:
        steps = min(steps, train.max_steps)
    disk, free = sizes.disk(train), shutil.disk_usage(folder).free
    if disk > free:
        notes = (*notes, f"Checkpoints may fill the disk with {folder}.")
    return Estimate(
        parameters=sizes.parameters,
        trainable=sizes.trainable,
        steps=steps,
        steps_per_epoch=per_epoch,
        samples=material.samples,
        device=str(compute.device),
        precision=compute.precision,
        memory=memory,
        available=available,
        largest_batch=largest,
        adapter=sizes.adapter,
        disk=disk,
        disk_free=free,
        download=bytes_to_download(config.model),
        notes=notes,
        settled=outcomes,
        evaluations=-(-steps // (train.eval_steps or per_epoch)),
        speed=speed_of_like_runs(config, started(compute, 0), per_epoch, runs_folder()),
    )


def _found(config: RunConfig, fitted: Fitted) -> Iterator[str]:
    """Yield ``field=value`` for the fields of a task that are 0, as the data made them."""
    for field, name in _FOUND.items():
        value = getattr(fitted, name, None)
        if value and getattr(config.task, field, None) == 0:
            yield f"task.{field}={value}"


def _existing(folder: Path) -> Path:
    return next(path for path in [folder, *folder.parents] if path.exists())
