"""The check of a model as facts and as a table of its layers."""

from __future__ import annotations

from collections.abc import Sequence

from engine.reports.layer_groups import TargetGroup
from engine.reports.model_check import ModelCheck, TextInput
from tui.format.numbers import amount, size

_SHOWN = 4


def facts(check: ModelCheck, rank: int) -> dict[str, str]:
    """Names and values; what a model has not is left out. Adapters are counted at ``rank``."""
    known = {
        "network": f"{check.network} ({check.architecture}), {amount(check.parameters)} parameters",
        "weights": _weights(check),
        "new": _listed(check.new),
        "not used": _listed(check.unused),
        **(_text(check.text) if check.text else {}),
        "images": f"{check.image_size} px" if check.image_size else "",
        **{name: _cost(check, name, rank) for name in check.presets},
        "exports": ", ".join(form for form, why in check.exports.items() if not why),
        **{f"not as {form}": why for form, why in check.exports.items() if why},
    }
    return {name: value for name, value in known.items() if value}


def layers_table(groups: Sequence[TargetGroup], rank: int) -> tuple[list[str], list[list[str]]]:
    """Headings and rows: the groups of layers that can get an adapter."""
    rows = [
        [
            group.name, f"{group.count:,}", ", ".join(group.shapes[:_SHOWN]),
            amount(rank * group.parameters_per_rank), ", ".join(group.preset),
        ]
        for group in groups
    ]  # fmt: skip
    return ["layers", "count", "shape", f"adds at rank {rank}", "chosen by"], rows


def _weights(check: ModelCheck) -> str:
    if not check.stored:
        return ""
    stored = ", ".join(f"{size(count)} as {kind}" for kind, count in check.stored.items())
    return f"{check.found:,} found ({stored})"


def _text(text: TextInput) -> dict[str, str]:
    added = f", {text.added:,} of them get new rows" if text.added else ""
    return {
        "longest input": f"{text.longest:,} tokens" if text.longest else "no limit",
        "vocabulary": f"{text.vocabulary:,} tokens{added}",
        "special tokens": ", ".join(f"{role} {token}" for role, token in text.special.items()),
        "chat template": "yes" if text.chat_template else "none",
    }


def _cost(check: ModelCheck, preset: str, rank: int) -> str:
    cost = check.presets[preset]
    if not cost["count"]:
        return "no layer for an adapter"
    added = amount(rank * cost["parameters_per_rank"])
    return f"adapter on {cost['count']:,} layers: {added} parameters at rank {rank}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
