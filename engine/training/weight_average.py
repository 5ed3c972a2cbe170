"""The exponential moving average (EMA) of the weights, which is evaluated and exported for them.

The decay is smaller at the start, as in TensorFlow's ``ExponentialMovingAverage``: after ``step``
updates it is at most ``(1 + step) / (10 + step)``, so that the first weights are soon forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from engine.torch_private import foreach_copy_, foreach_lerp_
from engine.training.checkpoints.state import TrainingState, trained_weights


def begin_average(state: TrainingState, decay: float) -> None:
    """Average from the present weights on, unless the state was loaded with an average."""
    if decay and state.average is None:
        numbers = _floating(state.network)
        state.average = {name: value.detach().clone() for name, value in numbers.items()}


def update_average(state: TrainingState, decay: float) -> None:
    """Take in the weights after an update, if they are averaged."""
    if state.average is not None:
        step = state.position.step
        own = list(_floating(state.network).values())
        foreach_lerp_(list(state.average.values()), own, 1 - min(decay, (1 + step) / (10 + step)))


@contextmanager
def averaged(state: TrainingState) -> Iterator[None]:
    """Put the average in the place of the weights, if there is one."""
    if state.average is None:
        yield
        return
    own = list(_floating(state.network).values())
    kept = [value.clone() for value in own]
    foreach_copy_(own, list(state.average.values()))
    try:
        yield
    finally:
        foreach_copy_(own, kept)


def _floating(network: nn.Module) -> dict[str, Tensor]:
    """Return trained weights and statistics of batch norms; no counters."""
    weights = trained_weights(network)
    return {name: value for name, value in weights.items() if value.is_floating_point()}
