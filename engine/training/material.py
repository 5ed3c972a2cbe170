"""The data of a run, ready to train on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine.batches.source import Source
from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.files import atomic
from engine.hardware.device import Compute
from engine.pipelines.numbered_rows import load_numbered
from engine.reports.note import Note
from engine.runs.events import FORGETTING, Data, Log, Report
from engine.tasks.abilities import MeasuresForgetting
from engine.tasks.task import Task
from engine.text.row_notes import of_split
from engine.training.memory.estimate import batch_that_fits
from engine.training.training_session import TrainingSession


@dataclass
class Material:
    """A task's data, ready to train on."""

    raw: RawData
    fitted: Any
    sources: dict[str, Source] = field(default_factory=dict)


def prepare(
    task: Task[Any],
    compute: Compute,
    report: Report,
    fit: Callable[[RawData], Fitted] | None = None,
) -> Material:
    """Load, fit and encode the data; reports it and the rows left out.

    ``fit`` is called instead of the task's own.
    """
    raw, numbers = load_numbered(task.pipeline)
    fitted = (fit or task.pipeline.learn)(raw)
    material = Material(raw, fitted)
    notes: list[Note] = []
    for split, table in raw.splits.items():
        if table.num_rows:
            source = task.encode(
                table, fitted, compute.device, of_split(split, report, numbers.get(split), notes)
            )
            source.threads = task.config.compute.loader_threads
            source.batch_tokens = task.config.train.batch_tokens
            source.pinned = task.config.compute.pinned_memory
            material.sources[split] = source
    if isinstance(task, MeasuresForgetting):
        other = task.forgetting(fitted, compute.device, report)
        if other is not None:
            material.sources[FORGETTING] = other
    summary = task.pipeline.summary(raw, fitted)
    report(Data(summary=summary.with_notes(*notes).record()))
    return material


def fit_once(training: TrainingSession, raw: RawData) -> Fitted:
    """Return the state fitted at the start of the run, the same in all processes and on resume.

    Fitting once more may give a different result with other versions of the libraries.
    """
    run, task, group = training.session.run, training.task, training.group
    fitted: Fitted | None = None
    if group.leads:
        with contextlib.suppress(FileNotFoundError, ValueError):
            fitted = task.pipeline.fitted_type.model_validate_json(run.fitted.read_bytes())
        if fitted is None:
            fitted = task.pipeline.learn(raw)
            atomic.write_text(run.fitted, fitted.model_dump_json())
    received = group.broadcast({"fitted": fitted and fitted.model_dump_json()})
    return fitted or task.pipeline.fitted_type.model_validate_json(received["fitted"])


def settle_fields(training: TrainingSession, material: Material) -> None:
    """Save the values of fields that the data decided: from then on they are the run's own."""
    changes = training.task.pipeline.settled(material.fitted)
    if changes:
        training.session.settle(changes, write=training.group.leads)
        training.task.config = training.session.config
        if training.group.leads:
            message = f"By the data: {', '.join(changes)}."
            training.session.events.write(Log(level="info", message=message))


def settle_batch_size(training: TrainingSession, material: Material) -> None:
    """Find the largest batch size that fits, if configured, and save it.

    From then on the run's configuration has that number: it is the same on any machine.
    """
    session, task, group = training.session, training.task, training.group
    compute, train = training.compute, task.config.train
    size = train.batch_rows
    if train.auto_batch_size and group.leads:
        fitting = batch_that_fits(task, material.raw, material.fitted, compute)
        # Processes on one CPU share its memory; each GPU has its own.
        size = fitting * (group.size if compute.device.type == "cuda" else 1) or size
    size = group.broadcast({"batch_size": size})["batch_size"]
    if not train.auto_batch_size:
        return
    changes = [f"train.batch_size={size}", "train.auto_batch_size=false"]
    session.settle(changes, write=group.leads)
    task.config = session.config
    if group.leads:
        session.events.write(Log(level="info", message=f"The batch size is {size:,}."))
