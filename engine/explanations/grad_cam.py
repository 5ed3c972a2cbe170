"""Grad-CAM: the places of an image that speak for a class.

After Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (2017): the channels of a late layer, each weighted by the mean gradient of the
class's logit, are added up, and what speaks against the class is cut off. In transformers the
tokens of patches are the places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_LATEST = 48
"""Layers that are tried, from the last one on."""
_SHARES = (nn.Dropout, nn.Softmax)
"""Layers whose square outputs may be attention: how much each token looks at each other one."""
_MOST_PREFIXES = 8
"""Tokens before those of the patches at most: of the class, and registers."""


@dataclass(frozen=True)
class Heat:
    """The weight of each place of an image for a class."""

    layer: str
    """The layer whose output is weighed."""
    weights: NDArray[np.float32]
    """``[rows, columns]`` from 0 to 1; all are 0 where nothing speaks for the class."""


def grad_cam(network: nn.Module, images: Tensor, target: int) -> Heat | None:
    """Return the places of the only one of ``images`` ``[1, channels, height, width]``.

    ``target`` is the number of a class. Returns ``None`` for a network without a layer of places.
    """
    with torch.inference_mode(False), torch.enable_grad(), _recorded(network) as layers:
        # Weights may be frozen, so the gradient starts from the image.
        logits: Tensor = network(images.clone().requires_grad_())
        found = layers[-_LATEST:]
        if not found:
            return None
        gradients = torch.autograd.grad(
            logits[0, target], [output for _, output in found], allow_unused=True
        )
    heat = None
    for (name, output), gradient in zip(reversed(found), reversed(gradients), strict=True):
        if gradient is None:
            continue
        values, slopes = _in_places(output.detach()), _in_places(gradient.detach())
        # After its last attention, a transformer that reads the token of the class alone no longer
        # looks at the patches.
        if float(slopes.abs().max()) > 0:
            return Heat(name, _weighed(values, slopes))
        heat = heat or Heat(name, _weighed(values, slopes))
    return heat


@contextmanager
def _recorded(network: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Yield the outputs of the layers with places, by their names, in the order of the pass."""
    layers: list[tuple[str, Tensor]] = []

    def record(name: str, module: nn.Module, output: object) -> None:
        if isinstance(output, Tensor) and output.requires_grad and _has_places(module, output):
            layers.append((name, output))

    handles = [
        module.register_forward_hook(
            lambda module, _, output, name=name: record(name, module, output)
        )
        for name, module in network.named_modules()
        if name
    ]
    try:
        yield layers
    finally:
        for handle in handles:
            handle.remove()


def _has_places(module: nn.Module, output: Tensor) -> bool:
    """Return whether an output has several places: a square of them, or normalized tokens."""
    if output.ndim == 4:
        if isinstance(module, _SHARES):
            return False
        _, first, second, third = output.shape
        return (second == third > 1) or (first == second > 1)
    is_norm = "norm" in type(module).__name__.lower()
    return output.ndim == 3 and is_norm and _prefixes(output.shape[1]) is not None


def _prefixes(tokens: int) -> int | None:
    """Return the number of tokens before a square of patches."""
    counts = range(min(_MOST_PREFIXES, tokens - 3))
    return next((n for n in counts if math.isqrt(tokens - n) ** 2 == tokens - n), None)


def _in_places(values: Tensor) -> Tensor:
    """Return the first of a batch as ``[places, places, channels]``."""
    if values.ndim == 3:
        tokens = values[0, _prefixes(values.shape[1]) or 0 :]
        side = math.isqrt(len(tokens))
        return tokens.reshape(side, side, -1).float()
    _, _, second, third = values.shape
    first = values[0].float()
    return first.permute(1, 2, 0) if second == third else first


def _weighed(values: Tensor, slopes: Tensor) -> NDArray[np.float32]:
    weights = (values * slopes.mean((0, 1))).sum(2).relu()
    largest = float(weights.max())
    shares = weights / largest if largest > 0 else weights
    return np.asarray(shares.cpu().numpy(), np.float32)
