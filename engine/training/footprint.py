"""Follow the memory of an update without doing it: on tensors that have shapes, but no content.

Torch's fake tensors go through the same operators, layer by layer, as real ones would; every
storage that comes and goes is counted. So what is told is what the loop itself will hold, whatever
the network: saved activations, gradients, and what is needed on the way.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map_only

from engine.batches.source import Batch
from engine.hardware.device import Compute

Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True)
class Template:
    """A small real batch, from which one of any size is imagined."""

    batch: Batch
    count: int
    """Its samples: the first dimension of every tensor in it."""

    def of(self, count: int, device: torch.device) -> Batch:
        """A batch of ``count`` samples like these, without content."""

        def stretched(tensor: Tensor) -> Tensor:
            shape = tensor.shape
            if shape[:1] == (self.count,):
                shape = torch.Size((count, *shape[1:]))
            return torch.empty(shape, dtype=tensor.dtype, device=device)

        inputs, targets = tree_map_only(Tensor, stretched, (self.batch.inputs, self.batch.targets))
        return Batch(inputs, targets, self.batch.weight * count / self.count)


class Footprint:
    """What updates of one network hold beside its weights and the optimizer's state."""

    def __init__(self, network: nn.Module, loss: Loss, compute: Compute) -> None:
        """``network`` was built on the meta device; it cannot be used for anything else after."""
        self._network = network.train()
        self._loss = loss
        self._compute = compute
        self._fakes = FakeTensorMode(allow_non_fake_inputs=True)
        with self._fakes:
            _imagine(network, compute.device)

    def peak(self, template: Template, count: int, rounds: int) -> int:
        """Most bytes while ``rounds`` batches of ``count`` samples make one update.

        Raises :class:`UnknownFootprint` for a network whose shapes depend on what it computes.
        """
        self._network.zero_grad(set_to_none=True)
        with self._fakes:
            batch = template.of(count, self._compute.device)
            counted = _Storages([*self._network.parameters(), *self._network.buffers()])
            counted.add((batch.inputs, batch.targets))
            try:
                with counted:
                    for _ in range(rounds):
                        self._update(batch)
            except _UNKNOWN as error:
                raise UnknownFootprint(str(error)) from error
        return counted.peak

    def _update(self, batch: Batch) -> None:
        with self._compute.autocast():
            loss = self._loss(self._network, batch)
        torch.autograd.backward(loss)


class UnknownFootprint(Exception):
    """The memory cannot be told without computing."""


_LSTM_KEPT, _LSTM_SCRATCH = 20, 30
"""Bytes of oneDNN's workspace for each value of an LSTM's states that are written on the way there,
and on the way back besides. Measured at widths from 128 to 1,024: 20 to 21, and 29 to 35."""
_UNKNOWN = (DataDependentOutputException, DynamicOutputShapeException, NotImplementedError)


def _imagine(network: nn.Module, device: torch.device) -> None:
    """Put a tensor without content in the place of every weight; tied ones stay tied."""
    made: dict[int, Tensor] = {}
    for module in list(network.modules()):
        weights = [
            *module.named_parameters(recurse=False, remove_duplicate=False),
            *module.named_buffers(recurse=False, remove_duplicate=False),
        ]
        for name, weight in weights:
            if id(weight) not in made:
                made[id(weight)] = _imagined(weight, device)
            setattr(module, name, made[id(weight)])


def _imagined(weight: Tensor, device: torch.device) -> Tensor:
    empty = torch.empty_like(weight, device=device)
    return nn.Parameter(empty, weight.requires_grad) if isinstance(weight, nn.Parameter) else empty


class _Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages that live, and how many bytes they had at most."""

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = weakref.WeakSet(tensor.untyped_storage() for tensor in known)
        self._live = 0
        self.peak = 0

    def add(self, tensors: Any) -> None:
        """Count the storages of ``tensors`` that are not known yet."""
        for tensor in tree_iter(tensors):
            if not isinstance(tensor, Tensor):
                continue
            storage = tensor.untyped_storage()
            if storage not in self._seen:
                self._seen.add(storage)
                size = storage.nbytes()
                self._live += size
                self.peak = max(self.peak, self._live)
                weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self._live -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.mkldnn_rnn_layer.default:
            result = _with_workspace(result)
        elif func is torch.ops.aten.mkldnn_rnn_layer_backward.default:
            self.add(_scratch(args))
        self.add(result)
        return result


def _with_workspace(result: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What an LSTM on a CPU keeps for the way back, which its fake leaves out."""
    states, *last, workspace = result
    if workspace.numel():
        return result
    return states, *last, workspace.new_empty(_LSTM_KEPT * states.numel())


def _scratch(arguments: tuple[Any, ...]) -> Tensor:
    """What the way back writes for a moment; the workspace is the last tensor of its arguments."""
    *_, workspace = (value for value in arguments if isinstance(value, Tensor))
    return workspace.new_empty(workspace.numel() * _LSTM_SCRATCH // _LSTM_KEPT)
