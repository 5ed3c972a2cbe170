"""Networks of torchvision, fitted to the images at hand."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import nn
from torchvision import models

from engine.config.models.image import Preprocessing
from engine.config.models.torchvision import TorchvisionConfig
from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.models.images.torchvision_weights import downloaded, load_fitting
from engine.models.images.transfer import OTHER_SIZE_OR_NETWORK, Transfer, check_size, find_head
from engine.models.shapes import ImageShape

_SMALL = 64
"""Images up to this side lose too much in a stem that was made for ImageNet."""


def build_torchvision(config: TorchvisionConfig, shape: ImageShape) -> nn.Module:
    """The network on torch's current default device; raises :class:`TrainingError`."""
    small = config.small_stem == "yes" or (
        config.small_stem == "auto" and not config.pretrained and shape.size <= _SMALL
    )
    place = torch.get_default_device()
    # New weights come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        network = _made(config, shape)
        if config.pretrained and place.type != "meta":
            _load(network, config)
        _adapt_stem(network, shape.channels, small)
        check_size(network, shape, f"model.name: {config.name}", OTHER_SIZE_OR_NETWORK)
    made = Transfer(network, config.trainable, config.backbone_lr_scale)
    return made.to(place)


def preprocessing_of(config: TorchvisionConfig) -> Preprocessing | None:
    """Size, mean and deviation that the weights of ImageNet ask for; ``None`` from scratch.

    Raises :class:`TrainingError` for an unknown name.
    """
    if not config.pretrained:
        return None
    wanted = _weights(config).transforms()
    return Preprocessing(wanted.crop_size[0], tuple(wanted.mean), tuple(wanted.std))


def name_of_weights(config: TorchvisionConfig) -> str:
    """The weights' name as ``torchvision.models.get_weight`` takes it.

    Empty where the network is not as in torchvision. Raises :class:`TrainingError`.
    """
    return str(_weights(config)) if config.pretrained and config.small_stem != "yes" else ""


def _builder(name: str) -> Any:
    # Only classifiers: those of the subpackages detect, segment or watch films.
    known = models.list_models(module=models)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        suggestion = f"Did you mean {near[0]}?" if near else f"There is {', '.join(known[:8])} …"
        raise TrainingError(f"model.name: torchvision has no {plain(name, 60)!r}.", suggestion)
    return models.get_model_builder(name)


def _weights(config: TorchvisionConfig) -> Any:
    _builder(config.name)
    return models.get_model_weights(config.name).DEFAULT


def _made(config: TorchvisionConfig, shape: ImageShape) -> nn.Module:
    builder = _builder(config.name)
    options: dict[str, Any] = {"num_classes": shape.outputs}
    if config.dropout is not None:
        options["dropout"] = config.dropout
    if config.name in ("googlenet", "inception_v3"):
        # Without the additional heads that they had for their first training.
        options |= {"aux_logits": False, "init_weights": True}
        options["transform_input"] = config.pretrained
    if config.name.startswith("vit"):
        options["image_size"] = shape.size
    try:
        return _called(builder, options)
    except (TypeError, ValueError, AssertionError) as error:
        what = f"model.name: {config.name} cannot be made for images of {shape.size} px"
        raise TrainingError(f"{what}: {plain(error)}.", "Change task.image_size.") from error


def _called(builder: Any, options: dict[str, Any]) -> nn.Module:
    network: nn.Module
    try:
        network = builder(weights=None, **options)
    except NotImplementedError:  # RegNet computes its widths with tensors, which need values
        with torch.device("cpu"):
            network = builder(weights=None, **options).to("meta")
    return network


def _load(network: nn.Module, config: TorchvisionConfig) -> None:
    """Put in those weights of ImageNet that fit. Raises :class:`TrainingError`."""
    weights = _weights(config)
    head, _ = find_head(network)
    missing = load_fitting(network, downloaded(weights, config.name))
    others = [name for name in missing if not name.startswith(f"{head}.")]
    if others:
        raise TrainingError(
            f"The weights of {config.name} do not fit images of this size: {others[0]} differs.",
            f"Set task.image_size to {weights.transforms().crop_size[0]}.",
        )


def _adapt_stem(network: nn.Module, channels: int, small: bool) -> None:
    """Make the first layer take ``channels``, and with ``small`` keep the resolution."""
    name, first = next(
        (name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d)
    )
    if first.in_channels != channels:
        first = _replaced(network, name, first, in_channels=channels)
    # A convolution whose windows do not overlap cuts an image into patches, and stays.
    if small and first.kernel_size > first.stride:
        kernel = (3, 3)
        first = _replaced(network, name, first, kernel_size=kernel, stride=1, padding=1)
        _remove_first_pooling(network)


def _replaced(network: nn.Module, name: str, old: nn.Conv2d, **changes: Any) -> nn.Conv2d:
    """Put a like convolution in the place of ``old``; its weights are kept if they fit."""
    options: dict[str, Any] = {
        "in_channels": old.in_channels,
        "out_channels": old.out_channels,
        "kernel_size": old.kernel_size,
        "stride": old.stride,
        "padding": old.padding,
        "bias": old.bias is not None,
    } | changes
    new = nn.Conv2d(**options)
    if new.weight.shape == old.weight.shape:
        new.load_state_dict(old.state_dict())
    else:
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    network.set_submodule(name, new)
    return new


def _remove_first_pooling(network: nn.Module) -> None:
    """Replace the pooling of the stem, where there is one, by nothing."""
    for name, module in network.named_modules():
        if isinstance(module, nn.MaxPool2d):
            if name in ("maxpool", "features.pool0"):
                network.set_submodule(name, nn.Identity())
            return
