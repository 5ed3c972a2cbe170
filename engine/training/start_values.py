"""Values that a task needs of the network before the first update, measured once in a run."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from engine.files import atomic
from engine.tasks.abilities import MeasuresStart
from engine.training.material import Material
from engine.training.training_session import TrainingSession


def settle_start(training: TrainingSession, material: Material, network: nn.Module) -> None:
    """Let the task measure what it needs, or take in what it measured at the start of the run.

    Every process measures all of it: a sharded network needs them all in each forward pass.
    """
    task, group, compute = training.task, training.group, training.compute
    if not isinstance(task, MeasuresStart):
        return
    path = training.session.run.start_values
    kept = _kept(path) if group.leads else {}
    received = group.broadcast({"values": {name: value.tolist() for name, value in kept.items()}})
    known = {name: torch.tensor(value) for name, value in received["values"].items()}

    def settle() -> dict[str, Tensor]:
        with torch.no_grad(), compute.autocast():
            return task.settle_start(
                network, material.sources, known, training.session.events.write
            )

    network.eval()
    found = group.within(network, settle)
    network.train()
    if group.leads and any(value is not known.get(name) for name, value in found.items()):
        atomic.write_bytes(path, save(dict(found)))


def _kept(path: Path) -> dict[str, Tensor]:
    """Return the values in a file; none where it is missing or damaged."""
    try:
        return load(path.read_bytes())
    except (FileNotFoundError, SafetensorError):
        return {}
