"""The kind of processes that share a run: as ``train.strategy`` says, or by estimated memory."""

from __future__ import annotations

from dataclasses import replace

import psutil
import torch

from engine.config.train import TrainConfig
from engine.hardware.device import Compute
from engine.runs.events import Log
from engine.training.distributed.data_parallel import DataParallel
from engine.training.distributed.process_group import ProcessGroup
from engine.training.material import Material
from engine.training.memory.estimate import available_bytes, case_of
from engine.training.training_session import TrainingSession


def sharing(train: TrainConfig, rank: int, size: int) -> ProcessGroup:
    """Return this process among those of its strategy, of which ``auto`` is not decided yet."""
    if train.strategy == "fsdp":
        # 0.7 s, which other runs do without
        from engine.training.distributed.fsdp import FullySharded

        return FullySharded(rank, size, train.cpu_offload)
    if train.strategy == "tensor":
        from engine.training.distributed.tensor_parallel import TensorParallel

        return TensorParallel(rank, size)
    return DataParallel(rank, size)


def settle_strategy(training: TrainingSession, material: Material) -> TrainingSession:
    """Decide on the strategy where it is automatic, and save it: the run keeps it from then on.

    The main process estimates the memory; all others follow it.
    """
    session, group, task = training.session, training.group, training.task
    train = task.config.train
    if train.strategy != "auto" or group.size == 1:
        return training
    choice: dict[str, str] = {}
    if group.leads:
        case = case_of(task, material.raw, material.fitted, training.compute)
        free = available_bytes(training.compute.device) + _held(training.compute, train.devices)
        strategy, reason = case.strategy(train, free)
        choice = {"strategy": strategy, "reason": reason}
    choice = group.broadcast(choice)
    session.settle([f"train.strategy={choice['strategy']}"], write=group.leads)
    task.config = session.config
    if group.leads:
        message = f"train.strategy auto takes {choice['strategy']}. {choice['reason']}"
        session.events.write(Log(level="info", message=message))
    return replace(training, group=sharing(session.config.train, group.rank, group.size))


def _held(compute: Compute, processes: int) -> int:
    """Return the bytes that the processes of this machine hold already, about the same each."""
    if compute.device.type == "cuda":
        return int(torch.cuda.memory_reserved(compute.device))
    return processes * int(psutil.Process().memory_info().rss)
