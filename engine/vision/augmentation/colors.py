"""Operations on the colours of float images ``[batch, channels, height, width]`` from 0 to 1.

The definitions are those of PIL, as ``torchvision.transforms.v2.functional`` has them; factors are
``[batch, 1, 1, 1]``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LUMA = (0.299, 0.587, 0.114)
_LEVELS = 256


def grey(images: Tensor) -> Tensor:
    """Return the brightness, with one channel."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    return (images * images.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def brightened(images: Tensor, factor: Tensor) -> Tensor:
    """Return images whose values are multiplied."""
    return (images * factor).clamp(0, 1)


def contrasted(images: Tensor, factor: Tensor) -> Tensor:
    """Return images whose distance from their mean brightness is multiplied."""
    return _blended(images, grey(images).mean((1, 2, 3), keepdim=True), factor)


def saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Return images whose distance from their grey version is multiplied; grey ones as they are."""
    return _blended(images, grey(images), factor) if images.shape[1] == 3 else images


def sharpened(images: Tensor, factor: Tensor) -> Tensor:
    """Return images whose distance from their smooth version is multiplied, except at borders."""
    channels, height, width = images.shape[1:]
    if min(height, width) <= 2:
        return images
    kernel = images.new_ones(3, 3)
    kernel[1, 1] = 5.0
    weights = (kernel / 13).expand(channels, 1, 3, 3)
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(images, weights, groups=channels)
    return _blended(images, smooth, factor)


def posterized(images: Tensor, bits: Tensor) -> Tensor:
    """Return images with fewer levels of each colour."""
    levels = 2.0**bits
    return torch.minimum((images * levels).floor(), levels - 1) / levels


def solarized(images: Tensor, threshold: Tensor) -> Tensor:
    """Return images with the values from a threshold on inverted."""
    return torch.where(images >= threshold, 1 - images, images)


def auto_contrasted(images: Tensor) -> Tensor:
    """Return images whose channels reach from black to white, except constant ones."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (images - low) / spread.clamp(min=1e-12), images).clamp(0, 1)


def equalized(images: Tensor) -> Tensor:
    """Return images of 256 levels whose channels have all levels about equally often."""
    flat = (images * (_LEVELS - 1)).round().long().flatten(2)
    counts = torch.zeros(*flat.shape[:2], _LEVELS, dtype=torch.long, device=flat.device)
    counts.scatter_add_(2, flat, torch.ones_like(flat))
    # As in PIL: pixels of the highest level that occurs do not count for the step.
    last = counts.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - last) // (_LEVELS - 1)
    before = counts.cumsum(2) - counts
    table = ((before + step // 2) // step.clamp(min=1)).clamp(max=_LEVELS - 1)
    found = table.gather(2, flat).float() / (_LEVELS - 1)
    return torch.where(step > 0, found, images.flatten(2)).view_as(images)


def _blended(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return (other + (images - other) * factor).clamp(0, 1)
