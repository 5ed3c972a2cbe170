"""A whole run, from configuration to report, in the process that trains."""

from __future__ import annotations

from functools import partial

import torch
from torch.distributed import Store  # type: ignore[attr-defined]

from engine.files.disk_space import too_little_room
from engine.hardware import device
from engine.hardware.allocator import (
    keep_freed_memory,
    return_freed_arrays,
    return_freed_memory,
)
from engine.hardware.determinism import determinism_errors
from engine.hardware.device import Compute
from engine.hardware.driver import why_unused
from engine.hardware.resources import watch_resources
from engine.processes.signals import Terminated
from engine.runs.events import Event, Finished, Interrupted, Log
from engine.runs.session import RunSession
from engine.tasks.create import create_task
from engine.training.assembly import assemble
from engine.training.checkpoint_writer import Saver
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.state import Ending, Position
from engine.training.conclusion import conclude
from engine.training.distributed import shardable
from engine.training.distributed.process_group import SingleProcess, join
from engine.training.material import fit_once, prepare, settle_batch_size, settle_fields
from engine.training.newest_checkpoint import newest_checkpoint
from engine.training.optimization.compiling import compiler_errors
from engine.training.optimization.cpu_precision import settle_precision
from engine.training.sharing import settle_strategy, sharing
from engine.training.started import started
from engine.training.training_session import TrainingSession


def train_in(session: RunSession) -> Event:
    """Train a run, from its newest checkpoint if there is one.

    Returns the event that ends the run, for :func:`~engine.launch.attempt.attempt` to write.
    """
    settle_precision(session, leads=True)
    return _train(session, device.choose(session.config.compute), SingleProcess())


def train_beside(session: RunSession, rank: int, size: int, local: int, store: Store) -> Event:
    """Train like :func:`train_in`, as process ``rank`` of ``size``, number ``local`` on its node.

    Only the main process writes into the run's directory; the session's events are this process's
    own. Raises :class:`~engine.training.checkpoints.peers.PeerLost`.
    """
    settle_precision(session, leads=rank == 0)
    config = session.config
    compute = device.choose(config.compute, local, config.train.devices)
    join(rank, size, store, compute.device)
    return _train(session, compute, sharing(config.train, rank, size))


def _train(session: RunSession, compute: Compute, group: SingleProcess) -> Event:
    events, termination = session.events, session.termination
    if group.sharded:
        shardable.check(session.config, compute)
    return_freed_arrays()
    resumed, saved, damaged = newest_checkpoint(session.run, group)
    position = Position(**saved["position"]) if saved else Position()
    events.write(started(compute, resumed.step if resumed else 0))
    _settle_learning_rate(session, group)
    _warn_of_cpu(session, compute)
    for bad in damaged:
        session.warn(f"The checkpoint {bad.path.name} is damaged; the one before it is used.")
    try:
        with watch_resources(events.write), compiler_errors(), determinism_errors():
            training = TrainingSession(session, create_task(session.config), compute, group)
            fit = partial(fit_once, training)
            material = prepare(training.task, compute, events.write, fit)
            return_freed_memory()
            settle_fields(training, material)
            settle_batch_size(training, material)
            if not saved:
                training = settle_strategy(training, material)
                group = training.group
            if compute.device.type == "cpu" and not group.gathers:
                # Not before: the data, prepared once, would leave all that it needed meanwhile.
                keep_freed_memory()
            trainer, saver = assemble(training, material, saved)
            position = trainer.state.position
            _warn_of_full_disk(session, saver)
            with termination.deferred(), saver:
                ending = trainer.run()
                trainer.save_last(ending)
            if ending is Ending.INTERRUPTED or group.decision(termination.asked()):
                raise Terminated
            if group.leads or group.sharded:
                last = conclude(session, trainer, material, ending)
            else:
                last = Finished(step=position.step, seconds=position.seconds, reason=ending.value)
            # Until then, any of them may be needed for another attempt.
            group.wait()
            return last
    except Terminated:
        return Interrupted(step=position.step, seconds=position.seconds)


def _settle_learning_rate(session: RunSession, group: SingleProcess) -> None:
    """Save the learning rate where it is automatic: from then on the run has that number."""
    if session.config.train.learning_rate is None:
        rate = session.config.usual_rate
        session.settle([f"train.learning_rate={rate!r}"], write=group.leads)
        if group.leads:
            session.events.write(Log(level="info", message=f"The learning rate is {rate:g}."))


def _warn_of_cpu(session: RunSession, compute: Compute) -> None:
    """Report a GPU that torch cannot use, where the device was left to this program."""
    by_default = session.config.compute.device == "auto" and compute.device.type == "cpu"
    if by_default and (reason := why_unused(torch.version.cuda)):
        session.warn(f"{reason} This run trains on the CPU.")


def _warn_of_full_disk(session: RunSession, saver: Saver) -> None:
    """Report too little disk space for the checkpoints to come."""
    folder = session.run.checkpoints
    left = session.config.train.save_total_limit - len(checkpoint.found(folder))
    if warning := too_little_room(folder, saver.expected_size(), max(0, left) + 1):
        session.warn(warning)
