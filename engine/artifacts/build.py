"""From a task to the network that is trained: with an adapter, where one is asked for.

peft takes seconds to import, so only runs with an adapter do it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.data.fitted import Fitted
from engine.hardware.device import Compute
from engine.models.build import base_of
from engine.models.language.attention import choose_attention
from engine.models.tables.boosted_trees import TREES, BoostedTrees, load_trees
from engine.pipelines.tables.fitted import TabularFitted
from engine.runs.directory import RunDirectory
from engine.tasks.task import Task

ADAPTER = "adapter_config.json"


def build_network(task: Task[Any], fitted: Fitted, compute: Compute) -> nn.Module:
    """The network on the default device; raises :class:`~engine.errors.TrainingError`."""
    config = task.config.adapter
    if not config.active:
        return _plain(task, fitted, compute)
    from engine.adapters import frozen, lora

    place = torch.get_default_device()
    if not config.quantized:
        network = lora.with_adapter(
            _plain(task, fitted, compute), config, base_of(task.config.model)
        )
    else:
        # The device may have no room for the network as it is before.
        with torch.device("meta" if place.type == "meta" else "cpu"):
            with _brief():
                network = _plain(task, fitted, compute)
            network = lora.with_adapter(network, config, base_of(task.config.model))
    frozen.compress_frozen(network, config.quantized, compute)
    return network.to(place)


def _plain(task: Task[Any], fitted: Fitted, compute: Compute) -> nn.Module:
    """The network without an adapter, with the attention that was asked for."""
    network = task.build_network(fitted)
    choose_attention(network, task.config.compute.attention, compute)
    return network


@contextlib.contextmanager
def _brief() -> Iterator[None]:
    """Make or read weights that will have four bits in sixteen, which large models come in."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def keep_initial(run: RunDirectory, task: Task[Any], network: nn.Module) -> None:
    """Keep what an adapter needs of its beginning to be saved at the end."""
    if task.config.adapter.active:
        from engine.adapters.lora import save_initial

        save_initial(network, task.config.adapter, run.initial_adapter)


def save_network(
    task: Task[Any], network: nn.Module, fitted: Fitted, folder: Path, initial: Path
) -> None:
    """Write the weights: the adapter alone where its base can be had again, else everything."""
    files = task.files(fitted)
    if task.config.adapter.active:
        from engine.adapters.lora import save_adapter

        if base_of(task.config.model):
            save_adapter(network, folder, initial)
            _save_decoding(network, folder)
            files.companions(folder)
            return
        network = without_adapter(network)
    files.save(network, folder)
    files.companions(folder)


def _save_decoding(network: nn.Module, folder: Path) -> None:
    """Write the decoding parameters beside an adapter, which has no other place for them."""
    # Those of the base model, which an adapted network asks for what it has not itself.
    settings: Any = getattr(network, "generation_config", None)
    if settings is not None:
        settings.save_pretrained(folder)


def load_network(task: Task[Any], fitted: Fitted, folder: Path) -> nn.Module:
    """The network that :func:`save_network` wrote, or boosted trees, on the default device."""
    if holds_trees(folder):
        return _trees(fitted, folder)
    if holds_adapter(folder):
        from engine.adapters.lora import load_adapter

        return load_adapter(task.build_network(fitted), folder)
    return task.files(fitted).load(partial(task.build_network, fitted), folder)


def _trees(fitted: Fitted, folder: Path) -> BoostedTrees:
    """Return the trees of a folder. Raises ``ValueError`` where they do not suit its columns."""
    trees = load_trees(folder / TREES)
    columns, outputs = 0, len(getattr(fitted, "classes", ())) or 1
    if isinstance(fitted, TabularFitted):
        columns = len(fitted.features.numeric) + len(fitted.features.categorical)
    if trees.columns.item() != columns or len(trees.start) != outputs:
        raise ValueError(f"{TREES} is for other columns or classes than fitted.json")
    return trees


def without_adapter(network: nn.Module) -> nn.Module:
    """Return a copy of the network with its adapter merged into its weights."""
    from engine.adapters.lora import merged

    return merged(network)


def holds_trees(folder: Path) -> bool:
    """Whether an exported folder has boosted trees in place of a network."""
    return (folder / TREES).is_file()


def holds_adapter(folder: Path) -> bool:
    """Whether an exported folder has an adapter only, which needs its base."""
    return (folder / ADAPTER).is_file()
