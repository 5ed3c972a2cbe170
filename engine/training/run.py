"""A whole run, from configuration to report, in the process that trains."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine import atomic, control
from engine.config import RunConfig
from engine.control import Request
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.errors import TrainingError
from engine.events import (
    CheckpointSaved,
    Data,
    Evaluated,
    Event,
    EventLog,
    Finished,
    Interrupted,
    Log,
    Model,
    Started,
    Stopped,
    finite_all,
)
from engine.locations import runs_folder
from engine.run_directory import RunDirectory
from engine.tasks.task import Evaluation, Task
from engine.training import checkpoint, device
from engine.training.batch import Source
from engine.training.device import Compute
from engine.training.export import export
from engine.training.optimizer import build_optimizer, trainable_groups
from engine.training.resources import watch_resources
from engine.training.state import TrainingState, load_trained_weights, seed_everything
from engine.training.trainer import Ending, Outlets, Trainer, deciding_metric


def train(config: RunConfig, run: RunDirectory | None = None) -> RunDirectory:
    """Train here and now, in this process; returns the run's directory.

    Raises :class:`~engine.errors.UserError` for what the user can mend.
    """
    run = run or RunDirectory.create(runs_folder(), config)
    events = EventLog(run.events)
    try:
        with run.locked():
            train_in(run, events)
    finally:
        events.close()
    return run


def train_in(run: RunDirectory, events: EventLog) -> None:
    """Train what a run directory asks for, from its newest checkpoint if there is one."""
    config = run.config()
    compute = device.choose(config.compute)
    resumed, saved, damaged = checkpoint.load_newest(run.checkpoints)
    events.write(_started(compute, resumed.step if resumed else 0))
    for bad in damaged:
        text = f"The checkpoint {bad.path.name} is damaged; the one before it is used."
        events.write(Log(level="warning", message=text))
    with watch_resources(events.write):
        _train(run, config, compute, saved, events)


def _train(
    run: RunDirectory, config: RunConfig, compute: Compute, saved: dict[str, Any], events: EventLog
) -> None:
    task = config.task.create(config)
    material = prepare(task, compute, events.write)
    seed_everything(config.train.seed)
    with compute.device:
        network = task.build_network(material.fitted)
    groups = task.parameter_groups(network) or trainable_groups(network)
    if not any(group["params"] for group in groups):
        raise TrainingError("Nothing in this model is trained.", "Unfreeze a part of it.")
    state = TrainingState(
        network, build_optimizer(groups, config.train, compute.device), compute.scaler()
    )
    if saved:
        _go_on(state, saved)
    saver = _Saver(run, state, events, config.train.save_total_limit)
    with _termination() as interrupted:
        outlets = Outlets(events.write, lambda: control.take(run.control), saver.save, interrupted)
        trainer = Trainer(
            task, material.fitted, state, material.sources[TRAIN],
            material.sources.get(VALIDATION), compute, outlets,
        )  # fmt: skip
        events.write(_model(config, network, trainer))
        if config.compute.compile:
            network.compile()
        ending = trainer.run()
    saver.save(ending.value)
    if ending is Ending.INTERRUPTED:
        position = state.position
        events.write(Interrupted(step=position.step, seconds=position.seconds))
        return
    _conclude(run, trainer, material, ending, events)


@dataclass
class Material:
    """A task's data, ready to train on."""

    raw: RawData
    fitted: Any
    sources: dict[str, Source] = field(default_factory=dict)


def prepare(task: Task[Any], compute: Compute, report: Any) -> Material:
    """Load, fit and encode; reports the data and what it had to leave out."""
    raw = task.load()
    fitted = task.fit(raw)
    material = Material(raw, fitted)
    for split, table in raw.splits.items():
        if table.num_rows:
            material.sources[split] = task.encode(table, fitted, compute.device, report)
    report(Data(summary=task.summarize(raw, fitted).record()))
    return material


class _Saver:
    """Writes checkpoints of one state, one a step at most."""

    def __init__(
        self, run: RunDirectory, state: TrainingState, events: EventLog, keep: int
    ) -> None:
        self._run = run
        self._state = state
        self._events = events
        self._keep = keep
        self._last = -1

    def save(self, reason: str) -> None:
        step = self._state.position.step
        if step == self._last:
            return
        written = checkpoint.save(
            self._run.checkpoints, step, self._state.state_dict(), self._keep
        )
        self._last = step
        self._events.write(
            CheckpointSaved(step=step, name=written.path.name, size=written.size, reason=reason)
        )


def _go_on(state: TrainingState, saved: dict[str, Any]) -> None:
    try:
        state.load_state_dict(saved)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"The checkpoint does not suit the configuration any more: {error}.",
            "Start a new run, or remove the folder checkpoints of this one.",
        ) from error


class _termination:
    """While it is entered, SIGTERM and SIGINT ask the trainer to end; works in any thread."""

    def __enter__(self) -> Any:
        self._asked = threading.Event()
        self._old: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._old[number] = signal.signal(number, lambda *_: self._asked.set())
        return self._asked.is_set

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)


def _conclude(
    run: RunDirectory, trainer: Trainer, material: Material, ending: Ending, events: EventLog
) -> None:
    """Take the best weights, measure them once more on what was kept back, export, report."""
    state = trainer.state
    if state.best is not None:
        load_trained_weights(state.network, state.best.weights)
    evaluations = _final_evaluations(trainer, material, events)
    try:
        export(run.model, trainer.task, material.fitted, state.network)
        decisive = evaluations.get(TEST) or evaluations.get(VALIDATION) or Evaluation({})
        atomic.write_json(run.report, _report(run, trainer, material, ending, evaluations))
    except OSError as error:
        raise TrainingError(f"Cannot write the results to {run.path}: {error.strerror}.") from error
    position = state.position
    metrics = finite_all(decisive.metrics)
    if ending is Ending.STOPPED:
        events.write(Stopped(step=position.step, seconds=position.seconds, metrics=metrics))
    else:
        events.write(
            Finished(step=position.step, seconds=position.seconds, reason=ending.value,
                     metrics=metrics)
        )  # fmt: skip


def _final_evaluations(
    trainer: Trainer, material: Material, events: EventLog
) -> dict[str, Evaluation]:
    results = {}
    state = trainer.state
    for split in (VALIDATION, TEST):
        source = material.sources.get(split)
        if source is None:
            continue
        evaluator = trainer.task.evaluator(material.fitted)
        results[split] = trainer.evaluate(source, evaluator, split, views=True)
        if split == TEST:
            events.write(
                Evaluated(step=state.best.step if state.best else state.position.step,
                          epoch=state.best.epoch if state.best else float(state.position.epoch),
                          split=split, metrics=finite_all(results[split].metrics),
                          seconds=state.position.seconds)
            )  # fmt: skip
    return results


def _report(
    run: RunDirectory,
    trainer: Trainer,
    material: Material,
    ending: Ending,
    evaluations: dict[str, Evaluation],
) -> dict[str, Any]:
    state, task = trainer.state, trainer.task
    metric = deciding_metric(task)
    decisive = TEST if TEST in evaluations else VALIDATION
    views = evaluations[decisive].views if decisive in evaluations else ()
    baseline = task.baseline(material.raw, material.fitted)
    return {
        "run": run.id,
        "task": task.config.task.kind,
        "ending": ending.value,
        "metric": metric.name,
        "best_step": state.best.step if state.best else state.position.step,
        "best_epoch": state.best.epoch if state.best else float(state.position.epoch),
        "epochs": trainer.config.epochs,
        "seconds": state.position.seconds,
        "metrics": {split: finite_all(result.metrics) for split, result in evaluations.items()},
        "baseline": None if baseline is None
        else {"name": baseline[0], "metrics": finite_all(baseline[1].metrics)},
        "views": [view.record() for view in views],
    }  # fmt: skip


def _started(compute: Compute, step: int) -> Event:
    name = str(compute.device)
    if compute.device.type == "cuda":
        name = torch.cuda.get_device_name(compute.device)
    return Started(
        device=name,
        precision=compute.precision,
        threads=compute.threads,
        versions={name: version(name) for name in ("torch", "numpy")},
        resumed_step=step,
    )


def _model(config: RunConfig, network: torch.nn.Module, trainer: Trainer) -> Event:
    return Model(
        name=config.model.kind,
        parameters=sum(p.numel() for p in network.parameters()),
        trainable=sum(p.numel() for p in network.parameters() if p.requires_grad),
        steps=trainer.steps,
        epochs=config.train.epochs,
    )
