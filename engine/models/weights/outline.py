"""Networks by their shapes alone, with a way to compute or read their weights one by one.

A network that is to be sharded may be too large for the memory of any one process. Its outline is
on torch's device ``meta``; of each weight a process takes its shard when the whole of it passes by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from engine.files.sanitize import plain
from engine.models.weights.placed_weights import named_weights, put
from engine.models.weights.recorded_build import NotRecorded, Recording
from engine.models.weights.weightless import StoredWeight, local_weights
from engine.torch_private import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    convertible_fakes,
    without_modes,
)

_recording: ContextVar[Recording | None] = ContextVar("recording", default=None)


@dataclass(frozen=True)
class Outline:
    """A network on the device ``meta`` and the source of its weights."""

    network: nn.Module
    weights: Callable[[], Iterator[tuple[str, Tensor]]]
    """Yields each weight and buffer by its name, whole and on the CPU."""


def outlines() -> bool:
    """Return whether only the outline of a network is built now."""
    return _recording.get() is not None


def outline(build: Callable[[], nn.Module]) -> Outline:
    """Return the outline of the network that ``build`` makes, with the same bits.

    Raises :class:`~engine.models.weights.recorded_build.NotRecorded` where that cannot be.
    """
    recording = Recording()
    token = _recording.set(recording)
    try:
        with FakeTensorMode(), recording, convertible_fakes(), torch.device("cpu"):
            network = build()
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise NotRecorded(f"a value decides how it is built ({error})") from error
    finally:
        _recording.reset(token)
    _check_attributes(network)
    fakes = dict(named_weights(network))
    made: dict[int, Tensor] = {}
    for name, fake in fakes.items():
        if id(fake) not in made:  # tied weights stay tied
            empty = torch.empty_strided(fake.shape, fake.stride(), dtype=fake.dtype, device="meta")
            made[id(fake)] = (
                nn.Parameter(empty, fake.requires_grad) if isinstance(fake, nn.Parameter) else empty
            )
        put(network, name, made[id(fake)])
    return Outline(network, partial(recording.weights, fakes))


def _check_attributes(network: nn.Module) -> None:
    """Refuse a network that keeps tensors which are neither parameters nor buffers."""
    for name, module in network.named_modules():
        for own, value in vars(module).items():
            if isinstance(value, FakeTensor):
                raise NotRecorded(f"{name}.{own} is not a buffer")


def outline_of_stored(network: Any, place: str, revision: str) -> Any:
    """Return ``network``, on the device meta, for weights that are read from files when needed.

    Raises :class:`~engine.models.weights.recorded_build.NotRecorded` where no file on this machine
    has them, as those of a model on the hub before it is downloaded.
    """
    recording = _recording.get()
    assert recording is not None
    if network.new_weights:
        raise NotRecorded(f"{network.new_weights[0]} is new")
    stored = local_weights(place, revision)
    if not stored:
        raise NotRecorded(f"{plain(place)} is not on this machine yet")
    buffers = _computed_buffers(network, set(stored))
    made: dict[int, Tensor] = {}
    lacking: dict[int, str] = {}
    with recording.paused():
        for name, value in list(named_weights(network)):
            fake = made.get(id(value))
            if fake is None:
                fake = made[id(value)] = _fake(value)
                lacking[id(value)] = name
            read = _reader(name, value, buffers, stored)
            if read is not None:
                recording.store(fake, read)
                lacking.pop(id(value), None)
            put(network, name, fake)
    for name in lacking.values():
        raise NotRecorded(f"{name} is in no file of {plain(place)} as the network has it")
    return network


def _reader(
    name: str,
    value: Tensor,
    buffers: Mapping[str, Tensor],
    stored: Mapping[str, tuple[Path, StoredWeight]],
) -> Callable[[], Tensor] | None:
    """Return what reads a weight; ``None`` where no file has it by this name and shape."""
    if name in buffers:
        return partial(_itself, buffers[name].to(value.dtype))
    if name not in stored or stored[name][1].shape != tuple(value.shape):
        return None
    return partial(_read, stored[name][0], name, value.dtype)


def _fake(value: Tensor) -> Tensor:
    empty = torch.empty(value.shape, dtype=value.dtype, device="cpu")
    return nn.Parameter(empty, value.requires_grad) if isinstance(value, nn.Parameter) else empty


def _itself(value: Tensor) -> Tensor:
    return value


def _read(path: Path, name: str, dtype: torch.dtype) -> Tensor:
    with safe_open(path, "pt") as file:
        value: Tensor = file.get_tensor(name)
    return value.to(dtype)


def _computed_buffers(network: Any, stored: set[str]) -> dict[str, Tensor]:
    """Return the buffers that are in no file, such as frequencies of positions."""
    missing = {name for name, _ in network.named_buffers()} - stored
    if not missing:
        return {}
    recording = Recording()
    with without_modes(), FakeTensorMode(), recording, torch.device("cpu"):
        twin = type(network)(network.config)
    fakes = {name: value for name, value in twin.named_buffers() if name in missing}
    with without_modes():
        return {name: value.clone() for name, value in recording.only_for(fakes).weights(fakes)}
