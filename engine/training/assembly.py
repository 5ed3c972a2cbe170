"""The assembly of a trainer: network, optimizer, state, and connections to the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from engine.artifacts.build import build_network, keep_initial
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.errors import TrainingError
from engine.files import atomic
from engine.processes.collector import collector_paused
from engine.runs.earlier_base import earlier_base
from engine.runs.events import FORGETTING, Model
from engine.runs.progress_marks import ProgressMarks
from engine.training.checkpoint_writer import Saver
from engine.training.checkpoints.state import TrainingState, parameter_count, seed_everything
from engine.training.distributed import shardable
from engine.training.last_phases import expected
from engine.training.material import Material
from engine.training.model_errors import model_errors
from engine.training.newest_checkpoint import load_state, newest_checkpoint
from engine.training.optimization.compiling import compile_network
from engine.training.optimization.non_finite import batch_statistics
from engine.training.optimization.optimizer import build_optimizer, trainable_groups
from engine.training.start_values import settle_start
from engine.training.started import started
from engine.training.trainer import Trainer
from engine.training.trainer_setup import Outlets, Setup
from engine.training.training_session import TrainingSession
from engine.training.validation import deciding_metric

_OWN_STATISTICS = (
    "This network has batch norms, and in each process they see its share of a batch only: the "
    "losses differ a little from those of one process."
)

_OWN_ROWS = (
    "This loss compares the rows of a batch, and each process compares those of its share only: "
    "with more processes, a larger train.batch_size has as many negatives."
)


def assemble(
    training: TrainingSession, material: Material, saved: dict[str, Any]
) -> tuple[Trainer, Saver]:
    """Build network, optimizer and trainer, new or from ``saved``, and the checkpoint writer."""
    session, task, group = training.session, training.task, training.group
    network = _network(training, material)
    if task.config.compute.kernels == "auto":
        _use_kernels(training, network)
    if getattr(task.section, "packing", "off") != "off":
        from engine.training.packing import pack_batches  # transformers, without which others run

        pack_batches(training, material, network, resumed=bool(saved))
    config = task.config
    with model_errors():
        settle_start(training, material, network)
    state = _state(training, network)
    if saved:
        load_state(state, saved)
    group.align(network)
    if group.rows.replicas > 1 and batch_statistics(network):
        session.warn(_OWN_STATISTICS)
    if group.rows.replicas > 1 and task.compares_rows:
        session.warn(_OWN_ROWS)
    saver = Saver(session.run, state, session.events, config.train.save_total_limit, group)
    outlets = _outlets(training, saver)
    setup = Setup(
        task,
        material.fitted,
        state,
        training.compute,
        outlets,
        group,
        _marks(training),
        session.begun,
    )
    held_out = (material.sources.get(split) for split in (VALIDATION, TEST, FORGETTING))
    trainer = Trainer(setup, material.sources[TRAIN], *held_out)
    last = expected(task, material, network)
    session.events.write(
        Model(
            name=config.model.kind,
            parameters=parameter_count(network),
            trainable=sum(part.numel() for part in network.parameters() if part.requires_grad),
            steps=trainer.schedule.steps,
            epochs=trainer.schedule.epochs,
            metric=deciding_metric(training.task).name,
            exporting_seconds=last.exporting,
            baselines_seconds=last.baselines,
        )
    )
    if config.compute.compile:
        compile_network(network)
    return trainer, saver


def _network(training: TrainingSession, material: Material) -> nn.Module:
    """Build the network as it is before the first update, sharded if configured."""
    task, compute, group = training.task, training.compute, training.group
    seed_everything(task.config.train.seed)
    build = partial(build_network, task, material.fitted, compute)
    with collector_paused():  # libraries import the network's class only now
        if not group.sharded:
            with compute.device:
                network = build()
        else:
            from engine.training.outlined import outline_of  # torch's compiler, a second

            if (made := outline_of(training, build)) is not None:
                return group.shard(made.network, compute.device, made.weights())
            # It may be too large for any single device.
            seed_everything(task.config.train.seed)
            with torch.device("cpu"):
                network = build()
    if group.leads:
        keep_initial(training.session.run, task, network)
    return group.shard(network, compute.device)


def _use_kernels(training: TrainingSession, network: nn.Module) -> None:
    """Use fused kernels, and report why there are none."""
    from engine.models.language.kernels import use_kernels  # transformers, without which others run

    if training.group.sharded:
        obstacle = "the network is sharded"
    else:
        obstacle = use_kernels(network, training.compute)
    if obstacle:
        training.session.warn(f"compute.kernels: no fused kernels are used; {obstacle}.")


def _state(training: TrainingSession, network: nn.Module) -> TrainingState:
    """Return the state before the first update, with the optimizer."""
    task, compute, group = training.task, training.compute, training.group
    config = task.config
    groups = trainable_groups(network)
    if not config.adapter.active:
        groups = _groups_of(network) or groups
    if not any(part["params"] for part in groups):
        raise TrainingError("Nothing in this model is trained.", "Unfreeze a part of it.")
    kernel = config.compute.optimizer_kernel
    if group.sharded and kernel == "auto":
        kernel = shardable.kernel(config.train)
    optimizer = build_optimizer(groups, config.train, compute.device, kernel)
    return group.state(network, optimizer, compute)


def _groups_of(network: nn.Module) -> list[dict[str, Any]] | None:
    """Return the groups of parameters that learn at rates of their own, where a network has such.

    Each has ``params`` and ``lr_scale``.
    """
    groups: Callable[[], list[dict[str, Any]]] | None = getattr(network, "parameter_groups", None)
    return None if groups is None else groups()


def _outlets(training: TrainingSession, saver: Saver) -> Outlets:
    """Connect the trainer to the run's directory; the main process alone reads requests."""
    run, group = training.session.run, training.group

    def go_back() -> dict[str, Any]:
        saver.wait()
        group.wait()
        newest, before, _ = newest_checkpoint(run, group)
        if newest is not None:
            training.session.events.write(started(training.compute, newest.step))
        return before

    return Outlets(
        training.session.events.write,
        lambda: run.requests.take() if group.leads else iter(()),
        saver.save,
        training.session.termination.asked,
        go_back,
        partial(atomic.write_json, run.base.path) if _wants_base(training) else None,
        partial(earlier_base, run),
        saver.take_part,
    )


def _marks(training: TrainingSession) -> ProgressMarks:
    """Return the marks of this process: of several, each has a file beside its events."""
    run, group = training.session.run, training.group
    path = run.path / "marks" if group.size == 1 else run.ranks / f"{group.rank}.marks"
    return ProgressMarks(path, training.task.config.train.stall_minutes)


def _wants_base(training: TrainingSession) -> bool:
    """Return whether the network before the first update is to be evaluated, and was not yet."""
    session = training.session
    return session.config.evaluates_base and session.run.base.read() is None
