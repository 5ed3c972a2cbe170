"""The exported model: weights, what was fitted on the data, and the configuration; no code.

model/config.toml           the experiment
model/fitted.json           class names, means, codes
model/network.safetensors   the weights, unless the task saves them in another form
model/README.md             model card: description, metrics, how to load it elsewhere
model/manifest.json         SHA-256 of the others
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomlkit
import torch
from safetensors import SafetensorError
from torch import nn

from engine.artifacts.build import holds_adapter, load_network, save_network
from engine.artifacts.model_card import Metrics, write_card
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.errors import RunError
from engine.files import atomic
from engine.files.digest import sha256
from engine.tasks.create import create_task
from engine.tasks.task import Task

MANIFEST = "manifest.json"
Load = Callable[[Task[Any], Fitted, Path], nn.Module]


def export(
    folder: Path,
    task: Task[Any],
    fitted: Fitted,
    network: nn.Module,
    initial: Path,
    metrics: Metrics = MappingProxyType({}),
) -> None:
    """Write ``folder`` anew, complete or not at all. Raises ``OSError``.

    ``initial`` is where an adapter's beginning was kept, if it was; ``metrics`` by split and name
    are for the page that goes with the model.
    """
    write_exported(
        folder,
        task,
        fitted,
        lambda place: save_network(task, network, fitted, place, initial),
        metrics,
    )


def write_exported(
    folder: Path,
    task: Task[Any],
    fitted: Fitted,
    save: Callable[[Path], None],
    metrics: Metrics = MappingProxyType({}),
) -> None:
    """Export like :func:`export`, with the weights that ``save`` writes."""
    writing = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(writing, ignore_errors=True)
    writing.mkdir(mode=0o700)
    save(writing)
    write_card(writing, task.config, fitted, metrics, described=True)
    atomic.write_text(writing / "fitted.json", fitted.model_dump_json(indent=2) + "\n")
    atomic.write_text(writing / "config.toml", tomlkit.dumps(task.config.values()))
    write_manifest(writing)
    shutil.rmtree(folder, ignore_errors=True)
    writing.rename(folder)


def write_manifest(folder: Path) -> None:
    """Note what the files are. Raises ``OSError``."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    digests = {path.name: sha256(path) for path in files if path.name != MANIFEST}
    atomic.write_json(folder / MANIFEST, digests)


def load_exported(
    folder: Path, device: torch.device, load: Load = load_network
) -> tuple[Task[Any], Fitted, nn.Module]:
    """The task, what it had learned of the data, and the network in evaluation mode.

    ``load`` makes the network, on the default device. Raises :class:`RunError` when something is
    missing or damaged.
    """
    with _complete(folder):
        task, fitted = _described(folder)
        with device:
            network = load(task, fitted, folder)
    return task, fitted, network.to(device).eval()


def read_exported(folder: Path) -> tuple[Task[Any], Fitted]:
    """The same without the network."""
    with _complete(folder):
        return _described(folder)


def _described(folder: Path) -> tuple[Task[Any], Fitted]:
    _check(folder)
    config = RunConfig.parse(tomllib.loads((folder / "config.toml").read_text()))
    if not holds_adapter(folder):
        config = config.model_copy(update={"model": config.model.exported(folder)})
    task = create_task(config)
    written = (folder / "fitted.json").read_bytes()
    return task, task.pipeline.fitted_type.model_validate_json(written)


@contextlib.contextmanager
def _complete(folder: Path) -> Iterator[None]:
    """Turn what is raised over a folder that lacks something into a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise RunError(f"{folder} holds no complete model: {error.filename} is missing.") from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise RunError(f"The model in {folder} cannot be loaded: {error}.") from error


def _check(folder: Path) -> None:
    digests = json.loads((folder / MANIFEST).read_text())
    if not isinstance(digests, dict):
        raise ValueError(f"{MANIFEST} is not an object")
    for name, digest in digests.items():
        if sha256(folder / Path(name).name) != digest:
            raise RunError(f"{folder / name} has changed since it was written.", "Export it again.")
