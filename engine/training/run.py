"""A whole run, from configuration to report, in the process that trains."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import torch

from engine.artifacts.build import build_network, keep_initial
from engine.artifacts.model_folder import export
from engine.batches.source import Source
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.errors import TrainingError
from engine.files import atomic
from engine.files.disk_space import too_little_room
from engine.hardware import device
from engine.hardware.allocator import keep_freed_memory
from engine.hardware.determinism import told_of_determinism
from engine.hardware.device import Compute
from engine.hardware.driver import why_unused
from engine.hardware.resources import watch_resources
from engine.metrics.evaluator import Evaluation
from engine.processes.signals import Terminated, Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import (
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
from engine.tasks.create import create_task
from engine.tasks.task import Task
from engine.training import checkpoint, fsdp
from engine.training.checkpoint_writer import Saver
from engine.training.compiling import compile_network, told_of_compiler
from engine.training.fsdp import Sharded, ShardedState
from engine.training.memory_estimate import batch_that_fits
from engine.training.non_finite import batch_statistics
from engine.training.optimizer import build_optimizer, trainable_groups
from engine.training.process_group import Alone, Group
from engine.training.state import (
    Position,
    TrainingState,
    load_trained_weights,
    parameter_count,
    seed_everything,
)
from engine.training.trainer import Ending, Outlets, Trainer, deciding_metric

_OWN_STATISTICS = (
    "This network has batch norms, and in each process they see its share of a batch only: the "
    "losses differ a little from those of one process."
)
_SIGHT_SECONDS = 90.0
"""Time-out for a file on a shared file system to become visible on another node."""


def train_in(run: RunDirectory, events: EventLog, termination: Termination) -> Event:
    """Train the run of a directory, from its newest checkpoint if there is one.

    Returns the event that ends the run, for :func:`~engine.launch.attempt.attempt` to write.
    """
    return _train(run, events, termination, device.choose(run.config.read().compute), Alone())


def train_beside(
    run: RunDirectory,
    events: EventLog,
    termination: Termination,
    rank: int,
    size: int,
    meeting: str,
) -> Event:
    """Train like :func:`train_in`, as process ``rank`` of ``size`` with ``meeting`` as rendezvous.

    Only the main process writes into the run's directory; ``events`` are this process's own. Raises
    :class:`~engine.training.process_group.PeerLost`.
    """
    config = run.config.read()
    here = config.train.devices
    compute = device.choose(config.compute, rank % here, here)
    kind = Sharded if config.train.strategy == "fsdp" else Group
    return _train(run, events, termination, compute, kind(rank, size, meeting, compute.device))


def _train(
    run: RunDirectory, events: EventLog, termination: Termination, compute: Compute, group: Alone
) -> Event:
    config = run.config.read()
    if group.sharded:
        fsdp.check(config, compute)
    if compute.device.type == "cpu":
        keep_freed_memory()
    resumed, saved, damaged = _newest(run, group)
    position = Position(**saved["position"]) if saved else Position()
    events.write(_started(compute, resumed.step if resumed else 0))
    by_default = config.compute.device == "auto" and compute.device.type == "cpu"
    if by_default and (reason := why_unused(torch.version.cuda)):
        events.write(Log(level="warning", message=f"{reason} This run trains on the CPU."))
    for bad in damaged:
        text = f"The checkpoint {bad.path.name} is damaged; the one before it is used."
        events.write(Log(level="warning", message=text))
    try:
        with watch_resources(events.write), told_of_compiler(), told_of_determinism():
            task = create_task(config)
            material = prepare(
                task, compute, events.write, lambda raw: _fit_once(run, task, raw, group)
            )
            _settle_batch_size(run, task, material, compute, events, group)
            trainer, saver = _trainer(
                run, task, material, compute, events, saved, termination.asked, group
            )
            position = trainer.state.position
            keep = config.train.save_total_limit - len(checkpoint.found(run.checkpoints))
            if warning := too_little_room(run.checkpoints, saver.expected_size(), max(0, keep) + 1):
                events.write(Log(level="warning", message=warning))
            with termination.deferred(), saver:
                ending = trainer.run()
                trainer.save_last(ending)
            if not (group.leads or group.sharded):
                return Finished(step=position.step, seconds=position.seconds, reason=ending.value)
            if group.decided(ending is Ending.INTERRUPTED or termination.asked()):
                raise Terminated
            return _conclude(run, trainer, material, ending, events)
    except Terminated:
        return Interrupted(step=position.step, seconds=position.seconds)


def _newest(
    run: RunDirectory, group: Alone
) -> tuple[checkpoint.Checkpoint | None, dict[str, Any], list[checkpoint.Checkpoint]]:
    """Return the checkpoint to resume from, the same in all processes.

    On another node its files may become visible later.
    """
    give_up = time.monotonic() + _SIGHT_SECONDS
    step = None
    while True:
        newest, saved, damaged = checkpoint.load_newest(run.checkpoints, mapped=group.sharded)
        own = newest.step if newest else 0
        step = group.told({"step": own})["step"] if step is None else step
        if own == step:
            return newest, saved, damaged
        if time.monotonic() > give_up:
            raise TrainingError(
                f"{run.checkpoints} shows update {own:,} here and {step:,} on the first machine.",
                "All machines must share the folder of the runs.",
            )
        time.sleep(1.0)


def _trainer(
    run: RunDirectory,
    task: Task[Any],
    material: Material,
    compute: Compute,
    events: EventLog,
    saved: dict[str, Any],
    interrupted: Callable[[], bool],
    group: Alone,
) -> tuple[Trainer, Saver]:
    """Build network, optimizer and trainer, new or from ``saved``, and the checkpoint writer."""
    config = task.config
    seed_everything(config.train.seed)
    # A network to be sharded may be too large for any single device.
    with torch.device("cpu") if group.sharded else compute.device:
        network = build_network(task, material.fitted, compute)
    if group.leads:
        keep_initial(run, task, network)
    if isinstance(group, Sharded):
        network = group.shard(network, compute.device)
    groups = trainable_groups(network)
    if not config.adapter.active:
        groups = task.parameter_groups(network) or groups
    if not any(group["params"] for group in groups):
        raise TrainingError("Nothing in this model is trained.", "Unfreeze a part of it.")
    kernel = config.compute.optimizer_kernel
    if group.sharded and kernel == "auto":
        kernel = fsdp.kernel(config.train)
    optimizer = build_optimizer(groups, config.train, compute.device, kernel)
    state = (
        ShardedState(network, optimizer, group=group)
        if isinstance(group, Sharded)
        else TrainingState(network, optimizer, compute.scaler())
    )
    if saved:
        _go_on(state, saved)
    group.align(network)
    if group.size > 1 and batch_statistics(network):
        events.write(Log(level="warning", message=_OWN_STATISTICS))
    saver = Saver(run, state, events, config.train.save_total_limit)

    def go_back() -> dict[str, Any]:
        saver.wait()
        group.wait()
        newest, before, _ = _newest(run, group)
        if newest is not None:
            events.write(_started(compute, newest.step))
        return before

    outlets = Outlets(
        events.write,
        lambda: run.requests.take() if group.leads else iter(()),
        saver.save,
        interrupted,
        go_back,
    )
    trainer = Trainer(
        task, material.fitted, state, material.sources[TRAIN],
        material.sources.get(VALIDATION), compute, outlets, group,
    )  # fmt: skip
    events.write(_model(config, network, trainer))
    if config.compute.compile:
        compile_network(network)
    return trainer, saver


@dataclass
class Material:
    """A task's data, ready to train on."""

    raw: RawData
    fitted: Any
    sources: dict[str, Source] = field(default_factory=dict)


def prepare(
    task: Task[Any],
    compute: Compute,
    report: Any,
    fit: Callable[[RawData], Fitted] | None = None,
) -> Material:
    """Load, fit and encode the data; reports it and the rows left out.

    ``fit`` is called instead of the task's own.
    """
    raw = task.load()
    fitted = (fit or task.fit)(raw)
    material = Material(raw, fitted)
    for split, table in raw.splits.items():
        if table.num_rows:
            source = task.encode(table, fitted, compute.device, report)
            source.threads = task.config.compute.loader_threads
            source.pinned = task.config.compute.pinned_memory
            material.sources[split] = source
    report(Data(summary=task.summarize(raw, fitted).record()))
    return material


def _fit_once(run: RunDirectory, task: Task[Any], raw: RawData, group: Alone) -> Fitted:
    """Return the state fitted at the start of the run, the same in all processes and on resume.

    Fitting once more may give a different result: training a tokenizer is not deterministic.
    """
    fitted: Fitted | None = None
    if group.leads:
        with contextlib.suppress(FileNotFoundError, ValueError):
            fitted = task.fitted_type.model_validate_json(run.fitted.read_bytes())
        if fitted is None:
            fitted = task.fit(raw)
            atomic.write_text(run.fitted, fitted.model_dump_json())
    told = group.told({"fitted": fitted and fitted.model_dump_json()})
    return fitted or task.fitted_type.model_validate_json(told["fitted"])


def _settle_batch_size(
    run: RunDirectory,
    task: Task[Any],
    material: Material,
    compute: Compute,
    events: EventLog,
    group: Alone,
) -> None:
    """Find the largest batch size that fits, if configured, and save it.

    From then on the run's configuration has that number: it is the same on any machine.
    """
    train = task.config.train
    size = train.batch_size
    if train.auto_batch_size and group.leads:
        fitting = batch_that_fits(task, material.raw, material.fitted, compute)
        # Processes on one CPU share its memory; each GPU has its own.
        size = fitting * (group.size if compute.device.type == "cuda" else 1) or size
    size = group.told({"batch_size": size})["batch_size"]
    if not train.auto_batch_size:
        return
    changes = [f"train.batch_size={size}", "train.auto_batch_size=false"]
    task.config = task.config.override(changes)
    if group.leads:
        run.config.write(task.config)
        events.write(Log(level="info", message=f"Batches have {size:,} samples."))


def _go_on(state: TrainingState, saved: dict[str, Any]) -> None:
    try:
        state.load_state_dict(saved)
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"The checkpoint does not suit the configuration any more: {error}.",
            "Start a new run, or remove the folder checkpoints of this one.",
        ) from error


def _conclude(
    run: RunDirectory, trainer: Trainer, material: Material, ending: Ending, events: EventLog
) -> Event:
    """Load the best weights, evaluate them on the held-out splits, export, report."""
    state = trainer.state
    state.take_best()
    evaluations = _final_evaluations(trainer, material, events)
    position = state.position
    network = _whole_network(trainer, material)
    if not trainer.group.leads:
        return Finished(step=position.step, seconds=position.seconds, reason=ending.value)
    try:
        metrics = {split: finite_all(result.metrics) for split, result in evaluations.items()}
        export(run.model, trainer.task, material.fitted, network, run.initial_adapter, metrics)
        decisive = evaluations.get(TEST) or evaluations.get(VALIDATION) or Evaluation({})
        atomic.write_json(run.report.path, _report(run, trainer, material, ending, evaluations))
    except OSError as error:
        raise TrainingError(f"Cannot write the results to {run.path}: {error.strerror}.") from error
    final = finite_all(decisive.metrics)
    if ending is Ending.STOPPED:
        return Stopped(step=position.step, seconds=position.seconds, metrics=final)
    return Finished(
        step=position.step, seconds=position.seconds, reason=ending.value, metrics=final
    )


def _whole_network(trainer: Trainer, material: Material) -> torch.nn.Module:
    """Return the network to export: a sharded one is rebuilt on the CPU."""
    state, task = trainer.state, trainer.task
    if not trainer.group.sharded:
        return state.network
    weights = state.weights()
    if not trainer.group.leads:
        return state.network
    seed_everything(task.config.train.seed)
    with torch.device("cpu"):
        network = build_network(task, material.fitted, trainer.compute)
    load_trained_weights(network, weights)
    return network


def _final_evaluations(
    trainer: Trainer, material: Material, events: EventLog
) -> dict[str, Evaluation]:
    results = {}
    state = trainer.state
    for split in (VALIDATION, TEST):
        source = material.sources.get(split)
        if source is None:
            continue
        results[split] = trainer.evaluate(source, split, views=True)
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
        "epochs": trainer.pace.epochs,
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
        parameters=parameter_count(network),
        trainable=sum(p.numel() for p in network.parameters() if p.requires_grad),
        steps=trainer.steps,
        epochs=trainer.pace.epochs,
    )
