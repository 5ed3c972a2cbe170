"""The repeated blocks of a network, which are sharded one by one."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def blocks(network: nn.Module) -> list[nn.Module]:
    """Return the repeated blocks of a network: parts of its outermost lists with own weights."""
    return [part for part in _listed(network) if _apart(part, network)]


def _listed(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, nn.ModuleList | nn.Sequential) and not isinstance(
            child, nn.ModuleList | nn.ModuleDict
        ):
            yield child
        else:
            yield from _listed(child)


def _apart(part: nn.Module, network: nn.Module) -> bool:
    """Return whether it has weights, none of them shared with other parts."""
    own = {name for name, _ in part.named_parameters(remove_duplicate=False)}
    weights = {id(weight) for weight in part.parameters()}
    everywhere = [weight for _, weight in network.named_parameters(remove_duplicate=False)]
    return bool(own) and sum(id(weight) in weights for weight in everywhere) == len(own)
