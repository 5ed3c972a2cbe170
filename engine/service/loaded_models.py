"""Finished models that stay loaded: adapters on the same base share one network.

The base is read once. Every further adapter on it adds its own few weights, and another one is
chosen in no time; each gives the outputs that it would give alone.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.artifacts.build import ADAPTER, holds_adapter, load_network
from engine.artifacts.model_folder import load_exported
from engine.config.models.pretrained import WeightsConfig
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.errors import RunError
from engine.tasks.create import create_task
from engine.tasks.task import Task

_NETWORKS = 2
"""Number of most recently used networks that are kept."""
_ADAPTERS = 16
"""Number of adapters that are kept on each."""
Place = tuple[str, int]
"""A folder, and when it was written: what was written anew is loaded anew."""


@dataclass
class _Network:
    """A network with the adapters that are on it by now: by their places, peft's names."""

    module: nn.Module
    names: dict[Place, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Model:
    """A finished model, and the key under which its network is kept."""

    task: Task[Any]
    fitted: Fitted
    key: Hashable


class LoadedModels:
    """The models that were asked last."""

    def __init__(self) -> None:
        self._networks: dict[Hashable, _Network] = {}
        self._models: dict[Place, _Model] = {}

    def get(self, folder: Path, device: torch.device) -> tuple[Task[Any], Fitted, nn.Module]:
        """The model in an exported folder, in evaluation mode, until the next one is asked for.

        Raises :class:`RunError` when something is missing or damaged.
        """
        place = (str(folder), _written(folder))
        model = self._models.get(place)
        network = self._networks.pop(model.key, None) if model else None
        if model is None or network is None or (network.names and place not in network.names):
            return self._load(folder, place, device)
        self._networks[model.key] = network  # used last
        if network.names:
            _choose(network, place)
        return model.task, model.fitted, network.module

    def base(self, folder: Path, device: torch.device) -> tuple[Task[Any], Fitted, nn.Module]:
        """The model from which the training of an exported folder's model began.

        An adapter's base is the same network, whose adapters the caller switches off. Raises
        :class:`RunError` where there is none.
        """
        task, fitted, network = self.get(folder, device)
        if holds_adapter(folder):
            return task, fitted, network
        config = pretrained_experiment(folder)
        if config is None:
            raise RunError("This model was trained from scratch, so there is no base model.")
        key = ("base", folder, _written(folder))
        kept = self._networks.pop(key, None)
        before = create_task(config)
        if kept is None:
            with device:
                kept = _Network(before.build_network(fitted).eval())
        self._keep(key, kept)
        return before, fitted, kept.module

    def _load(
        self, folder: Path, place: Place, device: torch.device
    ) -> tuple[Task[Any], Fitted, nn.Module]:
        keys: list[Hashable] = [place]

        def load(task: Task[Any], fitted: Fitted, folder: Path) -> nn.Module:
            if not holds_adapter(folder):
                return load_network(task, fitted, folder)
            keys[0] = _base(task, fitted, folder, device)
            # What fails half-way is not kept.
            network = self._networks.pop(keys[0], None) or _Network(nn.Identity())
            _add(network, task, fitted, folder, place)
            self._keep(keys[0], network)
            return network.module

        task, fitted, module = load_exported(folder, device, load)
        if keys[0] == place:
            self._keep(place, _Network(module))
        self._models[place] = _Model(task, fitted, keys[0])
        return task, fitted, module

    def _keep(self, key: Hashable, network: _Network) -> None:
        self._networks[key] = network
        for old in list(self._networks)[:-_NETWORKS]:
            del self._networks[old]
        self._models = {
            p: model for p, model in self._models.items() if model.key in self._networks
        }


def pretrained_experiment(folder: Path) -> RunConfig | None:
    """Return the experiment of an exported model; None where it began from scratch."""
    config = RunConfig.parse(tomllib.loads((folder / "config.toml").read_text()))
    pretrained = isinstance(config.model, WeightsConfig) and not config.model.from_scratch
    return config if pretrained else None


def _written(folder: Path) -> int:
    try:
        return (folder / "manifest.json").stat().st_mtime_ns
    except OSError as error:
        raise RunError(f"{folder} holds no complete model.", "Let its run finish first.") from error


def _base(task: Task[Any], fitted: Fitted, folder: Path, device: torch.device) -> Hashable:
    """Return a key that is equal for two adapters whose base network can be shared.

    The network is built without weights, so that its layers show what the task makes of the base.
    """
    record = json.loads((folder / ADAPTER).read_text())
    base = Path(str(record.get("base_model_name_or_path")))
    with torch.device("meta"):
        network = task.build_network(fitted)
    alone = (
        record.get("bias") != "none"
        or record.get("trainable_token_indices")
        or record.get("target_parameters")
    )
    return (
        str(device),
        task.config.task.kind,
        json.dumps(task.config.model.model_dump(mode="json"), sort_keys=True),
        type(network).__name__,
        tuple((name, tuple(value.shape)) for name, value in network.state_dict().items()),
        tuple(sorted(record.get("modules_to_save") or ())),
        tuple(path.stat().st_mtime_ns for path in sorted(base.glob("*.safetensors"))),
        # peft lets one adapter only have biases, tokens or experts of its own.
        str(folder) if alone else "",
    )


def _add(network: _Network, task: Task[Any], fitted: Fitted, folder: Path, place: Place) -> None:
    """Put an adapter on the network and choose it; the first one brings the network with it."""
    if not network.names:
        network.module = load_network(task, fitted, folder)
        network.names[place] = "default"
        return
    from engine.adapters.lora import check_weights, peft_model

    check_weights(folder)
    module = peft_model(network.module)
    name = f"adapter{max(_number(name) for name in network.names.values()) + 1}"
    device = next(module.parameters()).device
    module.load_adapter(str(folder), name, torch_device=str(device))
    network.names[place] = name
    _choose(network, place)
    for old in list(network.names)[:-_ADAPTERS]:
        module.delete_adapter(network.names.pop(old))


def _number(name: str) -> int:
    return int(name.removeprefix("adapter") or 0) if name != "default" else 0


def _choose(network: _Network, place: Place) -> None:
    """Activate one of the adapters, and mark it as most recently used."""
    from engine.adapters.lora import peft_model

    network.names[place] = network.names.pop(place)
    peft_model(network.module).set_adapter(network.names[place], inference_mode=True)
