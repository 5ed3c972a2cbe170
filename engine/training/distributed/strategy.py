"""Ways of sharing a training between processes: what each holds of it, and which one fits.

Data parallel (ddp), every process holds everything. Fully sharded (fsdp), it holds its share of
weights, gradients and optimizer state, and for a while the whole of one block and of the weights
outside of all blocks. Tensor parallel, it holds its share of the layers that are split, and
computes them for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.models.weights.blocks import blocks

Strategy = Literal["single", "ddp", "fsdp", "tensor"]
_AHEAD = 2
"""fsdp: blocks that are gathered at once, the next one while one is computed."""
_ONLY_SPLIT = {"colwise": 0, "rowwise": 1}
"""The dimension of weights that tensor parallelism splits, where no result is gathered."""


@dataclass(frozen=True)
class Split:
    """The ways in which a network can be split; bytes."""

    outside: int
    """Weights outside of all blocks, which fsdp gathers for a whole pass."""
    block: int
    """The largest block."""
    layers: int
    """Weights of the layers that tensor parallelism splits; 0 without a plan."""
    why_not_tensor: str = ""
    """Why the network cannot be split by layers."""

    @classmethod
    def of(cls, network: nn.Module, processes: int) -> Split:
        """Return the split of a network, which may be on the device meta; empty for one process."""
        if processes == 1:
            return cls(0, 0, 0)
        sizes = [sum(p.nbytes for p in part.parameters()) for part in blocks(network)]
        everything = sum(p.nbytes for p in network.parameters())
        layers, why = _layers(network, processes)
        return cls(everything - sum(sizes), max(sizes, default=0), layers, why)


def _plan(network: nn.Module, processes: int) -> dict[str, str]:
    # transformers, without which others run
    from engine.training.distributed.tensor_plan import plan_of

    return plan_of(network, processes)


def keep_part(network: nn.Module, processes: int) -> None:
    """Leave each split layer of a network on the device meta the part of one process.

    Layers whose results are gathered stay whole. Raises :class:`TrainingError` without a plan.
    """
    for name, style in _plan(network, processes).items():
        dimension = _ONLY_SPLIT.get(style)
        layer = network.get_submodule(name)
        if dimension is None or not isinstance(layer, nn.Linear):
            continue
        for own, weight in list(layer.named_parameters(recurse=False)):
            if dimension < weight.dim():  # the bias of a layer that is split by rows is whole
                part = weight.detach().narrow(dimension, 0, weight.shape[dimension] // processes)
                setattr(layer, own, nn.Parameter(part.clone(), weight.requires_grad))


def _layers(network: nn.Module, processes: int) -> tuple[int, str]:
    try:
        plan = _plan(network, processes)
    except TrainingError as error:
        return 0, str(error)
    names = [name.rpartition(".")[0] for name, _ in network.named_parameters()]
    parts = zip(names, network.parameters(), strict=True)
    return sum(weight.nbytes for name, weight in parts if name in plan), ""


@dataclass(frozen=True)
class Held:
    """The part of a training that one process holds: shares of the whole, and bytes beside them."""

    weights: float = 1.0
    gradients: float = 1.0
    optimizer: float = 1.0
    gathered: int = 0
    """Bytes that are whole for a while."""
    rows: float = 1.0
    """Share of a batch that it computes."""
    messages: int = 0
    """Bytes in which it sends gradients to the others."""
    split: bool = False
    """Whether it computes its part of the split layers only."""


def held(strategy: Strategy, processes: int, split: Split, weights: int, offload: bool) -> Held:
    """Return what each of several processes holds on its device; ``weights`` are all, in bytes."""
    if strategy == "ddp":
        return Held(rows=1 / processes)
    if strategy == "fsdp":
        # The gradient of a block is whole, too, until it is reduced.
        gathered = split.outside + (_AHEAD + 1) * split.block
        share = 0.0 if offload else 1 / processes
        return Held(share, share, share, gathered, 1 / processes)
    if strategy == "tensor":
        share = 1 - (1 - 1 / processes) * split.layers / max(1, weights)
        return Held(share, share, share, split=True)
    return Held()


def automatic(
    train: TrainConfig,
    split: Split,
    refused: Callable[[Strategy], str],
    total: Callable[[Strategy], int],
    room: int,
) -> tuple[Strategy, str]:
    """Return the strategy for ``train.strategy=auto`` and the reason, as a sentence.

    ``refused`` tells why a strategy cannot be used, ``total`` the bytes that it takes in each
    process, of ``room``.
    """
    if train.processes == 1:
        return "single", "There is only one process."
    needed = total("ddp")
    if needed <= room:
        return "ddp", f"The whole network fits each process ({_gb(needed)} of {_gb(room)})."
    too_large = f"The whole network does not fit a process ({_gb(needed)} of {_gb(room)})"
    if obstacle := refused("fsdp"):
        return "ddp", f"{too_large}, but {obstacle} sharded."
    chosen: Strategy = "fsdp"
    how, least = "sharded", total("fsdp")
    if least > room and not split.why_not_tensor and not refused("tensor"):
        layers = total("tensor")
        if layers < least:
            chosen, how, least = "tensor", "split by layers", layers
    either = ", which does not fit either" if least > room else ""
    return chosen, f"{too_large}; {how} it takes {_gb(least)}{either}."


def _gb(size: int) -> str:
    return f"{size / 1e9:.2g} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
