"""Memory of an update, computed without executing it: on tensors with shapes but no content.

Torch's fake tensors go through the same operators, layer by layer, as real ones would; every
storage that is allocated and freed is counted. So the result is what the training loop itself will
hold, for any network: saved activations, gradients and temporary tensors.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.hardware.device import Compute
from engine.torch_private import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    TorchDispatchMode,
    tree_iter,
    tree_map_only,
)

Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True)
class Template:
    """A small real batch, from which fake ones of any size are made."""

    batch: Batch
    count: int
    """Number of its samples: the first dimension of every tensor in it."""

    def of(self, count: int, device: torch.device) -> Batch:
        """Return a fake batch of ``count`` such samples."""

        def stretched(tensor: Tensor) -> Tensor:
            shape = tensor.shape
            if shape[:1] == (self.count,):
                shape = torch.Size((count, *shape[1:]))
            return torch.empty(shape, dtype=tensor.dtype, device=device)

        inputs, targets = tree_map_only(Tensor, stretched, (self.batch.inputs, self.batch.targets))
        return Batch(inputs, targets, self.batch.weight * count / self.count)


class Footprint:
    """The memory of one network's updates beside its weights and the optimizer's state."""

    def __init__(self, network: nn.Module, loss: Loss, compute: Compute) -> None:
        """Use ``network``, built on the meta device; it is unusable for anything else after."""
        self.gradients = sum(p.nbytes for p in network.parameters() if p.requires_grad)
        """Bytes of all gradients, which are a part of each update's."""
        self._network = network.train()
        self._loss = loss
        self._compute = compute
        self._fakes = FakeTensorMode(allow_non_fake_inputs=True)
        with self._fakes:
            _imagine(network, compute.device)

    def peak(self, template: Template, count: int, rounds: int) -> int:
        """Return the peak bytes of an update of ``rounds`` batches of ``count`` samples.

        Raises :class:`UnknownFootprint` for a network whose shapes depend on computed values.
        """
        self._network.zero_grad(set_to_none=True)
        return self._counted(template, count, [self._update] * rounds)

    def forward_peak(self, template: Template, count: int) -> int:
        """Return the peak bytes of the loss of ``count`` samples without gradients.

        Raises :class:`UnknownFootprint` as :meth:`peak` does.
        """
        with torch.no_grad():
            return self._counted(template, count, [self._forward])

    def _counted(
        self, template: Template, count: int, passes: Sequence[Callable[[Batch], object]]
    ) -> int:
        with self._fakes:
            batch = template.of(count, self._compute.device)
            counted = _Storages([*self._network.parameters(), *self._network.buffers()])
            counted.add((batch.inputs, batch.targets))
            try:
                with counted:
                    for one in passes:
                        one(batch)
            except _UNKNOWN as error:
                raise UnknownFootprint(str(error)) from error
        return counted.peak

    def _forward(self, batch: Batch) -> Tensor:
        with self._compute.autocast():
            return self._loss(self._network, batch)

    def _update(self, batch: Batch) -> None:
        torch.autograd.backward(self._forward(batch))


class UnknownFootprint(Exception):
    """The memory cannot be estimated without computing."""


_LSTM_KEPT, _LSTM_SCRATCH = 20, 30
"""Bytes of oneDNN's workspace for each value of an LSTM's states: from the forward pass, and
temporary in the backward pass. Measured at widths from 128 to 1,024: 20 to 21, and 29 to 35."""
_UNKNOWN = (DataDependentOutputException, DynamicOutputShapeException, NotImplementedError)


def _imagine(network: nn.Module, device: torch.device) -> None:
    """Replace every weight by a fake tensor; tied weights stay tied."""
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
    """Counts the live storages and their peak bytes."""

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = weakref.WeakSet(tensor.untyped_storage() for tensor in known)
        self._live = 0
        self.peak = 0

    def add(self, tensors: Any) -> None:
        """Count the storages of ``tensors`` that are not yet known."""
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
    """Return the result with the workspace that a CPU's LSTM saves and its fake leaves out."""
    states, *last, workspace = result
    if workspace.numel():
        return result
    return states, *last, workspace.new_empty(_LSTM_KEPT * states.numel())


def _scratch(arguments: tuple[Any, ...]) -> Tensor:
    """Return the backward pass's temporary memory, from its last argument, the workspace."""
    *_, workspace = (value for value in arguments if isinstance(value, Tensor))
    return workspace.new_empty(workspace.numel() * _LSTM_SCRATCH // _LSTM_KEPT)
