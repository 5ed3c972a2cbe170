"""Networks of timm within transformers' wrapper: their heads, and what their images are like."""

from __future__ import annotations

from typing import Any

from torch import nn

from engine.config.models.image import Preprocessing


def drop_class_count(architecture: Any) -> None:
    """Drop the number of classes that timm notes among the arguments of a network.

    transformers gives it as an argument of its own, and fails over two of them.
    """
    arguments = getattr(architecture, "model_args", None)
    if isinstance(arguments, dict):
        architecture.model_args = {k: v for k, v in arguments.items() if k != "num_classes"}


def head_weights(network: nn.Module) -> set[str]:
    """Return the weights of the classifiers that timm names, which lie within its networks."""
    inside = getattr(network, "timm_model", None)
    named = getattr(inside, "default_cfg", {}).get("classifier") or ()
    heads = (named,) if isinstance(named, str) else tuple(named)
    return {
        name
        for name in network.state_dict()
        if name.startswith(tuple(f"timm_model.{head}." for head in heads))
    }


def preprocessing_in(architecture: Any) -> Preprocessing | None:
    """Return what the configuration of a network states about its images; ``None`` for nothing.

    timm keeps it there, and not in the file of an image processor.
    """
    notes = getattr(architecture, "pretrained_cfg", None)
    if not isinstance(notes, dict) or not {"input_size", "mean", "std"} <= notes.keys():
        return None
    return Preprocessing(int(notes["input_size"][-1]), tuple(notes["mean"]), tuple(notes["std"]))
