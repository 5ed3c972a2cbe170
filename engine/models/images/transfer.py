"""A classifier with a backbone that may be frozen in part, and learn more slowly than the head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.models.shapes import ImageShape
from engine.torch_private import BatchNorm

_CONTAINERS = ("features", "encoder", "layers", "layer", "stages", "blocks", "classifier")
"""Names of modules that hold the stages of a network rather than being one."""
_STAGE_SHARE = 0.2
"""The last stage is as many blocks from the end as hold this share of the backbone's weights."""

OTHER_SIZE = "Change task.image_size."
OTHER_SIZE_OR_NETWORK = "Change task.image_size, or choose another network."
"""Remedies where a network does not take the images' size."""

Trainable = Literal["all", "last_stage", "head"]


class Transfer(nn.Module):
    """Input ``[batch, channels, height, width]``, output logits ``[batch, outputs]``.

    An adapter is put on ``network`` inside, by whose names others know the layers.
    """

    def __init__(
        self,
        network: nn.Module,
        trainable: Trainable = "all",
        backbone_lr_scale: float = 1.0,
        head: str = "",
    ) -> None:
        """``network`` is any classifier whose last linear layer or 1×1 convolution is its head.

        A ``head`` of several layers is given by its name.
        """
        super().__init__()
        self.network = network
        head = head or find_head(network)[0]
        self.head_name = f"network.{head}"
        """The full name of the layer that is new for the task."""
        inside: Any = network
        inside.head_name = head
        self._scale = backbone_lr_scale
        self._frozen = _freeze(network, head, trainable)
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the classes."""
        result: Any = self.network(images)
        logits: Tensor = result if isinstance(result, Tensor) else result.logits
        return logits

    def train(self, mode: bool = True) -> Transfer:
        """Set the mode of all but frozen parts, whose batch norms keep their statistics."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def keep_statistics(self) -> None:
        """Let batch norms stay as in use, unless an adapter saves them whole."""
        self._frozen += [
            module
            for name, module in self.network.named_modules()
            if isinstance(module, BatchNorm) and ".modules_to_save." not in name
        ]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Head and backbone with the scales of their learning rates."""
        head: list[nn.Parameter] = []
        backbone: list[nn.Parameter] = []
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                (head if _within(name, self.head_name) else backbone).append(parameter)
        groups = [
            {"params": head, "lr_scale": 1.0},
            {"params": backbone, "lr_scale": self._scale},
        ]
        return [group for group in groups if group["params"]]


def find_head(network: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Name and module of the last linear layer, or the last convolution where none is linear."""
    modules = list(network.named_modules())
    kinds: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv2d)
    for kind in kinds:
        found = [(name, module) for name, module in modules if isinstance(module, kind)]
        # A linear layer deep inside a block of a convolutional network is no head.
        if found and (kind is nn.Conv2d or _is_last(found[-1][1], modules)):
            name, module = found[-1]
            assert isinstance(module, nn.Linear | nn.Conv2d)
            return name, module
    raise ValueError("the network has no layer that classifies")


def dense_head(network: nn.Module) -> str:
    """Return the name of the part that gives each pixel its class; none of auxiliary losses."""
    names = [name for name, _ in network.named_children()]
    heads = [name for name in names if ("head" in name or "classifier" in name)]
    main = [name for name in heads if "aux" not in name]
    last = find_head(network)[0]
    head = main[-1] if main else last.partition(".")[0]
    # Adapters are saved by the ends of names, which a part of the same name would have too.
    alone = not any(name.endswith(f".{head}") for name, _ in network.named_modules())
    return head if alone else last


def _is_last(module: nn.Module, modules: list[tuple[str, nn.Module]]) -> bool:
    """Whether no other module with weights comes after it."""
    weighted = [m for _, m in modules if next(m.parameters(recurse=False), None) is not None]
    return weighted[-1] is module


def _freeze(network: nn.Module, head: str, trainable: Trainable) -> list[nn.Module]:
    """Freeze what does not learn; returns the modules that are wholly frozen."""
    if trainable == "all":
        return []
    learning = {head}
    if trainable == "last_stage":
        learning |= set(last_stage(network, head))
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(any(_within(name, part) for part in learning))
    return [
        module
        for module in network.modules()
        if not any(parameter.requires_grad for parameter in module.parameters())
    ]


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def last_stage(network: nn.Module, head: str) -> list[str]:
    """Names of the blocks that make up the last stage of the backbone."""
    blocks = [(name, size) for name, size in _blocks(network) if name != head and size]
    total = sum(size for _, size in blocks)
    chosen: list[str] = []
    held = 0
    for name, size in reversed(blocks):
        if held >= _STAGE_SHARE * total:
            break
        chosen.append(name)
        held += size
    return chosen


def _blocks(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Blocks in order, with their numbers of weights; containers are entered."""
    for name, child in module.named_children():
        dotted = f"{prefix}{name}"
        if name in _CONTAINERS or _wraps(child):
            yield from _blocks(child, f"{dotted}.")
        else:
            yield dotted, sum(parameter.numel() for parameter in child.parameters())


def _wraps(module: nn.Module) -> bool:
    """Whether a module holds a whole network: transformers has one inside each classifier."""
    return any(name in _CONTAINERS for name, _ in module.named_children())


def check_size(network: nn.Module, shape: ImageShape, name: str, remedy: str) -> None:
    """Let empty images through; raises :class:`TrainingError` for a size that is refused.

    The message calls the network ``name``. It notes the ``image_shape`` that it takes.
    """
    inside: Any = network.network if isinstance(network, Transfer) else network
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(2, shape.channels, shape.size, shape.size))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise TrainingError(
            f"{name} cannot take images of {shape.size} px with {shape.channels} channels: "
            f"{plain(error)}.",
            remedy,
        ) from error
    network.train()
    inside.image_shape = (shape.channels, shape.size, shape.size)
