"""The training state of a run in one object: saved, loaded and resumed from.

Two runs with equal states continue equally, to the last bit on one machine's CPU.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.runs.events import TIME_LIMIT
from engine.torch_private import with_versions
from engine.training.checkpoints.checkpoint import WriteShards


class Ending(Enum):
    """The reason why training ended."""

    COMPLETED = "completed"
    EARLY = "early stopping"
    TIME = TIME_LIMIT
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass
class Best:
    """The best weights so far, on the CPU."""

    value: float
    step: int
    epoch: float
    weights: dict[str, Tensor]
    metrics: dict[str, float] = field(default_factory=dict)
    """Those on the validation split; none in checkpoints of earlier versions."""


@dataclass
class Position:
    """The position in the run. All counts start at 0."""

    step: int = 0
    """Updates made."""
    epoch: int = 0
    """Epochs completed."""
    batch: int = 0
    """Batches of the current epoch already used."""
    seconds: float = 0.0
    """Seconds of training so far, over all workers."""
    stale: int = 0
    """Evaluations since the last improvement."""
    evaluated_step: int = -1
    """The update of the last evaluation."""
    lr_scale: float = 1.0
    """Factor on the learning rate from requests and roll-backs."""
    epochs: int | None = None
    """Total number of epochs, if the user changed it during training."""
    last_step: int | None = None
    """The update after which the run ends for want of time, as planned last."""
    bent_at: int = 0
    """The update at which it was changed …"""
    bent_to: float = 0.0
    """… and the step of the original schedule that it continued from."""
    pieces: int = 1
    """Number of micro-batches of each batch that does not fit in memory as a whole."""
    evaluation_pieces: int = 1
    """The same for evaluations, where these need more memory than updates do."""
    bad_updates: int = 0
    """Updates skipped in a row, since their numbers were not finite."""
    rollbacks: int = 0
    """Number of roll-backs to a checkpoint because of that."""
    loss_sum: float = 0.0
    """Sum of the loss since the last evaluation, times its weight."""
    loss_weight: float = 0.0


@dataclass
class TrainingState:
    """Network, optimizer, position and best weights; random states are read when it is saved."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler | None = None
    position: Position = field(default_factory=Position)
    best: Best | None = None
    average: dict[str, Tensor] | None = None
    """Moving average of the weights, where ``train.ema_decay`` asks for it."""
    ending: Ending | None = None
    """Why no further update is made; ``None`` in the middle of training. It is not saved."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values only, for ``torch.load(weights_only=True)``."""
        return {
            "network": trained_weights(self.network),
            "optimizer": self.optimizer.state_dict(),
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "position": vars(self.position).copy(),
            "best": None if self.best is None else vars(self.best).copy(),
            "average": self.average,
            "random": random_states(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Load a saved state."""
        self.load_weights(saved["network"])
        load_optimizer(self.optimizer, saved["optimizer"])
        if self.scaler is not None and saved["scaler"] is not None:
            self.scaler.load_state_dict(saved["scaler"])
        vars(self.position).update(vars(Position(**saved["position"])))
        self.best = None if saved["best"] is None else Best(**saved["best"])
        average = saved.get("average")  # not in checkpoints of earlier versions
        own = self.network.state_dict()
        self.average = average and {
            name: value.to(own[name].device, copy=True) for name, value in average.items()
        }
        set_random_states(saved["random"])

    def finite(self) -> bool:
        """Return whether all trained weights are finite; waits for the device."""
        return finite_weights(trained_weights(self.network))

    def split(self, state: dict[str, Any]) -> tuple[dict[str, Any], WriteShards | None]:
        """Return the part of a state that the main process writes, and what writes all shards.

        The latter is ``None`` if there are none.
        """
        return state, None

    def weights(self) -> dict[str, Tensor]:
        """Return copies of the trained weights, on the CPU."""
        return on_cpu(trained_weights(self.network))

    def whole_weights(self) -> dict[str, Tensor]:
        """Return :meth:`weights` unsharded, in the main process; all processes call it at once."""
        return self.weights()

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Load what :meth:`weights` returned; ``RuntimeError`` if it does not fit."""
        load_trained_weights(self.network, weights)

    def take_best(self) -> None:
        """Load the best weights if there are any, else the average; nothing is averaged then."""
        if self.best is not None:
            self.load_weights(self.best.weights)
        elif self.average is not None:
            self.load_weights(trained_weights(self.network) | self.average)
        self.average = None


def trained_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return trained parameters and buffers: what a checkpoint must hold.

    Frozen parameters are those that the network is built with, and are left out.
    """
    frozen = {
        name
        for name, parameter in network.named_parameters(remove_duplicate=False)
        if not parameter.requires_grad
    }
    return {name: value for name, value in network.state_dict().items() if name not in frozen}


def load_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """Load a saved state, except what follows from the configuration.

    Earlier versions had other scales for layers whose outputs are in the units of the data.
    """
    names = ("lr_scale", "weight_decay")
    own = [
        {name: group[name] for name in names if name in group} for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(saved)
    for group, values in zip(optimizer.param_groups, own, strict=True):
        group.update(values)


def parameter_count(network: nn.Module) -> int:
    """Return the number of weights, including quantised ones, of which a byte holds several."""
    packed = sum(int(getattr(module, "packed_weights", 0)) for module in network.modules())
    return packed + sum(
        parameter.numel() for parameter in network.parameters() if parameter.is_floating_point()
    )


def finite_weights(weights: dict[str, Tensor]) -> bool:
    """Return whether all weights are finite; waits for the device."""
    numbers = [value for value in weights.values() if value.is_floating_point()]
    return not numbers or bool(torch.stack([value.isfinite().all() for value in numbers]).all())


def load_trained_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load what :func:`trained_weights` returned; ``RuntimeError`` if it does not fit."""
    missing, unexpected = network.load_state_dict(with_versions(weights, network), strict=False)
    absent = set(missing) & set(trained_weights(network))
    if absent or unexpected:
        found = {"missing": absent, "extra": unexpected}
        lacks = [f"{min(names)} is {what}" for what, names in found.items() if names]
        raise RuntimeError(f"weights do not fit: {' and '.join(lacks)}")


def on_cpu(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return copies on the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in weights.items()}


def random_states() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's random generators."""
    version, numbers, gauss = random.getstate()
    numpy_state = np.random.get_state(legacy=False)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [torch.from_numpy(numpy_state["state"]["key"].astype(np.int64)),
                  int(numpy_state["state"]["pos"]), int(numpy_state["has_gauss"]),
                  float(numpy_state["gauss"])],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }  # fmt: skip


def set_random_states(saved: dict[str, Any]) -> None:
    """Restore what :func:`random_states` returned."""
    version, numbers, gauss = saved["python"]
    random.setstate((version, tuple(numbers), gauss))
    key, pos, has_gauss, cached = saved["numpy"]
    np.random.set_state(("MT19937", key.numpy().astype(np.uint32), pos, has_gauss, cached))
    torch.set_rng_state(saved["torch"].cpu())
    if saved["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in saved["cuda"]])


def seed_everything(seed: int) -> None:
    """Seed all random generators."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
