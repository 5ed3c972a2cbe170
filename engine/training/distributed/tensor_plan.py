"""The plan by which the layers of a transformer are split between processes, and its execution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from transformers.distributed import tensor_parallel

from engine.errors import TrainingError
from engine.models.language.attention import transformer_in

_LIBRARY: Any = tensor_parallel
"""It has the names of the styles, which later versions define elsewhere."""
Plan = dict[str, str]
"""The style in which each split layer is split, by its name in the network."""
_PARTIAL = "replicated_with_grad_allreduce"
"""Layers that are whole in each process but compute its heads only: their gradients are partial."""
_STYLES = {"colwise", "colwise_gather_output", "colwise_rep", "rowwise", "rowwise_rep",
           "rowwise_split_input", "embedding_rowwise", "embedding_colwise", _PARTIAL}  # fmt: skip
"""Other styles, of experts above all, are refused: no test holds their losses and checkpoints."""
_ADVICE = "Choose train.strategy=fsdp, which shards any network."


def plan_of(network: nn.Module, processes: int) -> Plan:
    """Return the plan of a network; raises :class:`TrainingError` where it cannot be split so."""
    model = transformer_in(network)
    rules = dict(getattr(model, "tp_plan", None) or {})
    if not rules:
        kind = (
            "this network" if model is None else f"networks of the kind {model.config.model_type}"
        )
        raise TrainingError(
            f"train.strategy tensor: transformers has no plan to split {kind}.", _ADVICE
        )
    plan = {
        name: style for name, _ in model.named_modules() if (style := rules.get(_wildcard(name)))
    }
    strange = sorted({*plan.values()} - _STYLES) + sorted(_of_weights(model, rules))
    if strange:
        raise TrainingError(
            f"train.strategy tensor: the plan of {model.config.model_type} networks splits layers "
            f"in a way that is not supported here ({strange[0]}).",
            _ADVICE,
        )
    if "colwise" in plan.values():
        _check_heads(model, processes)
    plan = _without_half_of_a_tie(model, plan)
    within = next(name for name, module in network.named_modules() if module is model)
    return {f"{within}.{name}".lstrip("."): style for name, style in plan.items()}


def _wildcard(name: str) -> str:
    """Return the name of a layer as rules have it, with a wildcard for its number."""
    found: str = _LIBRARY.replace_layer_number_by_wildcard(name)
    return found


def _tied(network: nn.Module) -> list[list[str]]:
    """Return the names of weights that share their memory."""
    names: dict[int, list[str]] = {}
    for name, weight in network.named_parameters(remove_duplicate=False):
        names.setdefault(id(weight), []).append(name)
    return [found for found in names.values() if len(found) > 1]


def _without_half_of_a_tie(network: nn.Module, plan: Plan) -> Plan:
    """Return the plan without layers whose tied weights would be split in different ways."""
    left_out: set[str] = set()
    for names in _tied(network):
        layers = {name.rpartition(".")[0] for name in names}
        if len({_dimension(plan.get(layer)) for layer in layers}) > 1:
            left_out |= layers
    return {name: style for name, style in plan.items() if name not in left_out}


def _dimension(style: str | None) -> int | None:
    """Return the dimension in which a layer's weight is split."""
    if style is None or style == _PARTIAL:
        return None
    return 1 if style.startswith("rowwise") or style == "embedding_colwise" else 0


def _of_weights(model: Any, rules: Plan) -> Iterator[str]:
    """Yield the styles of rules for single weights, such as those of all experts together."""
    for name, _ in model.named_parameters():
        if style := rules.get(_wildcard(name)):
            yield style


def _check_heads(model: Any, processes: int) -> None:
    """Check that each process has the same number of heads."""
    config = model.config.get_text_config()
    for field, what in (("num_attention_heads", "attention"), ("num_key_value_heads", "key-value")):
        heads = getattr(config, field, None)
        if isinstance(heads, int) and heads % processes:
            raise TrainingError(
                f"train.strategy tensor: {heads} {what} heads of this network cannot be split "
                f"between {processes} processes.",
                f"Set train.devices to a divisor of {heads}, or choose train.strategy=fsdp.",
            )


def split(network: nn.Module, plan: Plan, mesh: DeviceMesh) -> list[str]:
    """Split the layers of ``network`` over ``mesh``, each process keeping its part.

    Returns the names of the parameters whose gradients are partial sums. transformers would sum
    them after each backward pass, and so several times where gradients accumulate.
    """
    partial: list[str] = []
    tied = {network.get_parameter(names[0]) for names in _tied(network)}
    done: dict[nn.Parameter, nn.Parameter] = {}
    for name, style in plan.items():
        module = network.get_submodule(name)
        if style == _PARTIAL:
            partial += [f"{name}.{own}" for own, _ in module.named_parameters(recurse=False)]
            continue
        kind = _LIBRARY.ALL_PARALLEL_STYLES[style]
        for own, weight in list(module.named_parameters(recurse=False)):
            kind.shard_param(module, own, mesh)
            if weight in tied:
                setattr(module, own, done.setdefault(weight, getattr(module, own)))
        kind.install_forward(module, mesh)
    return partial
