"""The export of a sharded network, tensor by tensor: no process holds the whole of it.

The main process lets the libraries write their files with a single number in the place of each
weight, which says what they call it, and then makes room in the file and fills it. Only one weight
at a time is gathered.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from engine.artifacts.build import build_network, save_network
from engine.artifacts.model_card import Metrics
from engine.artifacts.model_folder import load_exported, write_exported
from engine.data.raw import TRAIN
from engine.models.build import base_of
from engine.models.weights.placed_weights import named_weights, put
from engine.models.weights.weightless import StoredWeight, weights_in_file
from engine.runs.events import Log
from engine.runs.session import RunSession
from engine.training.checkpoints.state import load_trained_weights, parameter_count, seed_everything
from engine.training.checkpoints.weight_files import files_of, write_files
from engine.training.distributed.sharded import entire
from engine.training.export_check import check_export
from engine.training.material import Material
from engine.training.trainer import Trainer

_CHECKED_SHARE = 0.1
"""Share of this process's memory that the check of the export may add: two whole networks."""


def export_sharded(
    session: RunSession, trainer: Trainer, material: Material, metrics: Metrics
) -> None:
    """Write the exported model from the main process, while the others :func:`take_part`.

    Raises ``OSError``.
    """
    write = _write_adapter if _adapter_alone(trainer) else _write_network
    write_exported(
        session.run.model,
        trainer.setup.task,
        material.fitted,
        partial(write, session, trainer, material),
        metrics,
    )
    held = psutil.Process().memory_info().rss
    if _CHECKED_SHARE * held >= 2 * 4 * parameter_count(trainer.state.network):
        _, _, network = load_exported(session.run.model, torch.device("cpu"))
        check_export(trainer.setup, network, material.sources[TRAIN], session.run.model)


def take_part(trainer: Trainer) -> None:
    """Gather the weights that the main process writes."""
    if _adapter_alone(trainer):
        trainer.state.whole_weights()
        return
    weights = trainer.state.network.state_dict()
    names = trainer.group.broadcast({})["names"]
    for name in names:
        entire(weights[name])
    if not names:
        trainer.state.whole_weights()


def _adapter_alone(trainer: Trainer) -> bool:
    """Return whether only the adapter is exported, which is small."""
    config = trainer.setup.task.config
    return config.adapter.active and bool(base_of(config.model))


def _write_adapter(session: RunSession, trainer: Trainer, material: Material, folder: Path) -> None:
    weights = trainer.state.whole_weights()
    network = _outline(trainer, material)
    for name, value in weights.items():
        put(network, name, value)
    save_network(trainer.setup.task, network, material.fitted, folder, session.run.initial_adapter)


def _write_network(session: RunSession, trainer: Trainer, material: Material, folder: Path) -> None:
    task, group = trainer.setup.task, trainer.group
    weights = trainer.state.network.state_dict()
    file = None
    if not task.config.adapter.active:
        outline = _outline(trainer, material)
        save_network(task, outline, material.fitted, folder, session.run.initial_adapter)
        file = _file_with(folder, weights)
    if file is None:
        session.events.write(Log(level="info", message=_GATHERED))
        group.broadcast({"names": []})
        network = _rebuilt(trainer, material)
        save_network(task, network, material.fitted, folder, session.run.initial_adapter)
        return
    stored = {
        name: _of_shape(weight, weights[name]) for name, weight in weights_in_file(file).items()
    }
    files = files_of(stored, file)
    group.broadcast({"names": [name for part in files.values() for name in part]})
    if file not in files:
        file.unlink()
    write_files(files, lambda name: entire(weights[name]))


_GATHERED = (
    "The exported model was gathered in the memory of the main process, as its weights are stored "
    "in another form than they are trained in."
)


def _of_shape(placeholder: StoredWeight, weight: Tensor) -> StoredWeight:
    """Return the entry of a weight, from that of a single number of its type."""
    size = placeholder.size * math.prod(weight.shape)
    return StoredWeight(placeholder.dtype, tuple(weight.shape), size)


def _file_with(folder: Path, weights: dict[str, Tensor]) -> Path | None:
    """Return the only file of weights in a folder; ``None`` if it has others than ``weights``."""
    files = list(folder.glob("*.safetensors"))
    if len(files) != 1:
        return None
    stored = weights_in_file(files[0])
    plain = all(name in weights and one.shape == (1,) for name, one in stored.items())
    return files[0] if plain else None


def _outline(trainer: Trainer, material: Material) -> nn.Module:
    """Return the network with a single number for each weight."""
    setup = trainer.setup
    with torch.device("meta"):
        network = build_network(setup.task, material.fitted, setup.compute)
    placeholders: dict[int, Tensor] = {}
    for name, value in named_weights(network):
        if id(value) not in placeholders:  # tied weights stay tied
            placeholders[id(value)] = torch.zeros(1, dtype=value.dtype)
        put(network, name, placeholders[id(value)])
    return network


def _rebuilt(trainer: Trainer, material: Material) -> nn.Module:
    """Return the network with the trained weights, whole and on the CPU."""
    setup = trainer.setup
    weights = trainer.state.whole_weights()
    seed_everything(setup.config.seed)
    with torch.device("cpu"):
        network = build_network(setup.task, material.fitted, setup.compute)
    load_trained_weights(network, weights)
    return network
