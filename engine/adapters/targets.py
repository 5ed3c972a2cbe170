"""Target modules of adapters: the layers of a network, and those that a configuration names."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.adapters.layers import Layer, adaptable, linear_layers
from engine.config.adapter import ALL_LINEAR, ATTENTION, PEFT_DEFAULT, AdapterConfig
from engine.errors import TrainingError
from engine.reports.layer_groups import TargetGroup

_DEFAULTS: dict[str, Any] = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
_IN_ATTENTION = re.compile(r"att|\b(q|k|v|o)(_proj|_lin)?\b|self", re.IGNORECASE)


def target_groups(network: nn.Module) -> list[TargetGroup]:
    """Return the layers that can get an adapter, grouped by name, in the order of the network.

    Works on the meta device: only shapes are used.
    """
    layers = adaptable(network)
    grouped: dict[str, dict[str, Layer]] = {}
    for name, group in _groups_of(layers).items():
        grouped.setdefault(group, {})[name] = layers[name]
    defaults = set(_peft_defaults(layers, network))
    linear = linear_layers(network).keys()
    in_attention = {name for name in layers if _in_attention(name)}
    presets = {ALL_LINEAR: linear, ATTENTION: in_attention, PEFT_DEFAULT: defaults}
    return [_group(name, members, presets) for name, members in grouped.items()]


def resolve(network: nn.Module, config: AdapterConfig) -> list[str]:
    """Return the full names of the layers that ``config`` targets.

    Raises :class:`TrainingError` for a name that matches nothing, with the nearest names.
    """
    layers = adaptable(network)
    if not layers:
        raise TrainingError(
            "adapter.method: this model has no linear or convolution layer for an adapter.",
            "Choose adapter.method none.",
        )
    if config.target_pattern:
        found = [name for name in layers if re.fullmatch(config.target_pattern, name)]
        if not found:
            raise TrainingError(
                "adapter.target_pattern matches no whole layer name.",
                f"Names look like {', '.join(list(layers)[:3])}.",
            )
        return found
    chosen: list[str] = []
    for target in config.target_modules:
        matched = _matching(target, layers, network)
        if not matched:
            raise TrainingError(*_nothing_matches(target, layers, network))
        chosen += [name for name in matched if name not in chosen]
    return chosen


def _matching(target: str, layers: dict[str, Layer], network: nn.Module) -> list[str]:
    if target == ALL_LINEAR:
        return list(linear_layers(network))
    if target == ATTENTION:
        return [name for name in layers if _in_attention(name)]
    if target == PEFT_DEFAULT:
        return _peft_defaults(layers, network)
    found = [name for name in layers if name == target or name.endswith("." + target)]
    if "." in target:
        return found
    # Experts are named with the word: a dense layer beside them can have the same last part.
    return [name for name in found if isinstance(layers[name], nn.Module)]


def _nothing_matches(target: str, layers: dict[str, Layer], network: nn.Module) -> tuple[str, str]:
    known = list(dict.fromkeys(_group_of(name) for name in layers))
    if target in (ATTENTION, PEFT_DEFAULT):
        message = f"adapter.target_modules: this model has no layers for {target}."
        return message, f"Choose {ALL_LINEAR}, or some of {', '.join(known[:8])}."
    if any(name.rpartition(".")[2] == target for name, _ in network.named_modules()):
        message = (
            f"adapter.target_modules: {target[:60]} of this model is the head, has no effect in "
            "this task, or computes more than a layer of its kind: an adapter does not fit it."
        )
        return message, f"Choose some of {', '.join(known[:8])}."
    near = difflib.get_close_matches(target, known, n=3, cutoff=0.3) or known[:5]
    message = f"adapter.target_modules: no layer of this model is called {target[:60]!r}."
    return message, f"The nearest are {', '.join(near)}."


def _group_of(name: str) -> str:
    """Return the last part of a name, with the one before it for a number and for experts."""
    before, _, last = name.rpartition(".")
    if before.endswith("experts") or last == "weight":
        return f"{before.rpartition('.')[2]}.{last}"
    return f"{before.rpartition('.')[2]}.{last}" if last.isdigit() and before else last


def _groups_of(layers: Iterable[str]) -> dict[str, str]:
    """Return the group of each layer, by full names.

    Layers that differ in the part before the last one are different groups, unless it is a number.
    """
    places: dict[str, set[str]] = {}
    for name in layers:
        places.setdefault(_group_of(name), set()).add(_place(name))
    return {
        name: f"{_place(name)}.{group}"
        if len(places[group]) > 1 and "." not in group and _place(name)
        else group
        for name in layers
        for group in [_group_of(name)]
    }


def _place(name: str) -> str:
    """Return the part of a name before the last one; empty for a number and for none."""
    place = name.rpartition(".")[0].rpartition(".")[2]
    return "" if place.isdigit() else place


def _group(name: str, members: dict[str, Layer], presets: Mapping[str, Set[str]]) -> TargetGroup:
    counts = {preset: len(members.keys() & chosen) for preset, chosen in presets.items()}
    return TargetGroup(
        name=name,
        count=len(members),
        shapes=tuple(dict.fromkeys(_shape(module) for module in members.values())),
        parameters_per_rank=sum(_per_rank(module) for module in members.values()),
        outputs=sum(_sides(module)[1] for module in members.values()),
        preset=tuple(preset for preset, count in counts.items() if count == len(members)),
        parts={preset: count for preset, count in counts.items() if 0 < count < len(members)},
    )


def _in_attention(name: str) -> bool:
    """Return whether a layer belongs to attention, by its name or the modules around it."""
    return _IN_ATTENTION.search(name.replace("_attn", ".attn")) is not None


def _sides(module: Layer) -> tuple[int, int, Sequence[int]]:
    """Return inputs, outputs and kernel; for a grouped convolution the inputs of one group."""
    if isinstance(module, nn.Parameter):
        return module.shape[2], module.shape[1], ()
    if isinstance(module, Conv1D):
        return module.weight.shape[0], module.weight.shape[1], ()
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features, ()
    if isinstance(module, nn.Embedding):
        return module.num_embeddings, module.embedding_dim, ()
    assert isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    return module.in_channels, module.out_channels, module.kernel_size


def _shape(module: Layer) -> str:
    inputs, outputs, kernel = _sides(module)
    if isinstance(module, nn.Parameter):
        return f"{len(module)} × {inputs}→{outputs}"
    return f"{inputs}→{outputs}" + (" " + "×".join(map(str, kernel)) if kernel else "")


def _per_rank(module: Layer) -> int:
    """Return parameters for each unit of rank: a column of inputs × kernel, a row of outputs.

    Each expert has its own.
    """
    inputs, outputs, kernel = _sides(module)
    if isinstance(module, nn.Parameter):
        return len(module) * (inputs + outputs)
    size = 1
    for side in kernel:
        size *= side
    return inputs // int(getattr(module, "groups", 1)) * size + outputs


def _peft_defaults(layers: dict[str, Layer], network: nn.Module) -> list[str]:
    """Return the full names of the layers that peft adapts in this type of model by default.

    For a type that it does not know they are those that it adapts in most others.
    """
    config: Any = getattr(network, "config", None)
    known = _DEFAULTS.get(getattr(config, "model_type", ""))
    if isinstance(known, str):  # a pattern
        return [name for name in layers if re.fullmatch(known, name)]
    ends = known or _usual(layers)
    return [name for name in layers if name.rpartition(".")[2] in ends]


def _usual(layers: dict[str, Layer]) -> Sequence[str]:
    """Return the commonest of peft's choices that is found whole in the attention of a model."""
    attention = {name.rpartition(".")[2] for name in layers if _in_attention(name)}
    choices = Counter(tuple(ends) for ends in _DEFAULTS.values() if not isinstance(ends, str))
    return next((ends for ends, _ in choices.most_common() if attention.issuperset(ends)), ())
