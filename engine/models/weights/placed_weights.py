"""The weights of a network by name, and their replacement."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


def named_weights(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield all parameters and buffers, tied ones by each of their names."""
    yield from list(network.named_parameters(remove_duplicate=False))
    yield from list(network.named_buffers(remove_duplicate=False))


def put(network: nn.Module, name: str, value: Tensor) -> None:
    """Put ``value`` in the place of a parameter, which stays one, or of a buffer."""
    within, _, own = name.rpartition(".")
    module = network.get_submodule(within)
    before = getattr(module, own)
    if isinstance(before, nn.Parameter) and not isinstance(value, nn.Parameter):
        value = nn.Parameter(value, before.requires_grad)
    setattr(module, own, value)
