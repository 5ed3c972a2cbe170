"""Sizes of weights, gradients, optimizer and checkpoints, from the network alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from engine.config.run_config import RunConfig
from engine.config.train import TrainConfig
from engine.models.build import base_of
from engine.training.checkpoints.state import parameter_count, trained_weights
from engine.training.distributed.strategy import Split
from engine.training.optimization.optimizer import state_bytes


@dataclass(frozen=True)
class NetworkSizes:
    """Sizes that follow from the network alone; in bytes unless the name says otherwise."""

    parameters: int
    """Number of parameters."""
    trainable: int
    """Number of trainable parameters."""
    weights: int
    """Weights in their stored format: frozen ones may be quantised."""
    gradients: int
    optimizer: int
    saved: int
    """Trainable weights and buffers, as saved in checkpoints."""
    loading: int
    """Peak of loading the network, before its frozen weights are quantised."""
    adapter: int
    """The adapter as a file; 0 where the whole network is saved."""
    split: Split
    """The ways in which several processes can share the network; unknown for one."""

    def disk(self, train: TrainConfig) -> int:
        """Return the bytes of all checkpoints, one more while it is written, and the export."""
        checkpoint = 2 * self.saved + self.optimizer  # the weights, and the best ones
        export = self.adapter or self.parameters * 4
        return (train.save_total_limit + 1) * checkpoint + export


def sizes_of(network: nn.Module, config: RunConfig) -> NetworkSizes:
    """Return the sizes of a network, which may be on the device ``meta``."""
    parameters = list(network.parameters())
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    count = parameter_count(network)
    return NetworkSizes(
        parameters=count,
        trainable=sum(p.numel() for p in trainable),
        weights=bytes_of(parameters) + bytes_of(network.buffers()),
        gradients=bytes_of(trainable),
        optimizer=sum(state_bytes(parameter, config.train) for parameter in trainable),
        saved=bytes_of(trained_weights(network).values()),
        loading=count * 2 if config.adapter.quantized else 0,
        adapter=_adapter_bytes(network, config),
        split=Split.of(network, config.train.processes),
    )


def _adapter_bytes(network: nn.Module, config: RunConfig) -> int:
    if not config.adapter.active or not base_of(config.model):
        return 0
    twice = (".lora_A.", ".lora_B.") if config.adapter.init_lora_weights == "pissa" else ()
    return sum(
        parameter.nbytes * (2 if any(part in name for part in twice) else 1)
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    )


def bytes_of(tensors: Iterable[Any]) -> int:
    """Return the bytes of the tensors among some values."""
    return sum(tensor.nbytes for tensor in tensors if isinstance(tensor, Tensor))
