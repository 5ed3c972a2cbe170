"""Make one adapter of several on the same base, by peft's weighted merging.

The result is kept as a run of its own, without a training: so it is listed, tried, exported, and
begun from as every other.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peft
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from engine.adapters.layers import plain_network
from engine.artifacts.build import holds_adapter
from engine.artifacts.model_card import class_names
from engine.artifacts.model_folder import read_exported, write_exported
from engine.config.combination import BY_RANK, PRUNED, Combination
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.errors import RunError, TrainingError
from engine.files import atomic
from engine.files.paths import runs_folder
from engine.files.sanitize import first_line
from engine.runs.annotations import Annotations, write_annotations
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Finished, Log
from engine.tasks.create import create_task
from engine.tasks.task import Task

_RESULT = "combined"


@dataclass(frozen=True)
class _Adapter:
    """An adapter apart from its base."""

    run: RunDirectory
    config: Any
    low_rank: dict[str, Tensor]
    others: dict[str, Tensor]
    """Heads, biases and rows of an embedding, which are trained as they are."""
    task: Task[Any]
    fitted: Fitted


def answer(**values: Any) -> dict[str, Any]:
    """Combine the adapters of finished runs by a :class:`~engine.config.combination.Combination`.

    Returns the new run's ``run``, ``path`` and ``bytes``. Raises
    :class:`~engine.errors.UserError`; then there is no new run.
    """
    wanted = Combination(**values).checked()
    adapters = [_read(RunDirectory.open(runs_folder(), run)) for run in wanted.runs]
    _check(adapters, wanted)
    weights, rank = _combined(adapters, wanted)
    others = _mean(adapters, wanted.weights)
    first = adapters[0]
    model: Any = _saved_config(adapters, rank)
    config = _experiment(first.task.config, wanted.name, rank)
    run = RunDirectory.create(runs_folder(), config)
    task = create_task(config)

    def save(folder: Path) -> None:
        save_file(weights | others, folder / "adapter_model.safetensors", {"format": "pt"})
        model.save_pretrained(str(folder))
        task.files(first.fitted).companions(folder)

    try:
        write_exported(run.model, task, first.fitted, save)
    except OSError as error:
        run.delete()
        raise RunError(f"Cannot write {run.model}: {error.strerror or error}.") from error
    _tell(run, wanted, [adapter.run.id for adapter in adapters])
    size = (run.model / "adapter_model.safetensors").stat().st_size
    return {"run": run.id, "path": str(run.path), "bytes": size}


def _read(run: RunDirectory) -> _Adapter:
    if not holds_adapter(run.model):
        raise RunError(f"The run {run.id} has no adapter.", "Give finished runs that have one.")
    task, fitted = read_exported(run.model)
    weights = load_file(run.model / "adapter_model.safetensors")
    low_rank = {name: value for name, value in weights.items() if ".lora_" in name}
    others = {name: value for name, value in weights.items() if name not in low_rank}
    config = peft.PeftConfig.from_pretrained(str(run.model))
    return _Adapter(run, config, low_rank, others, task, fitted)


def _check(adapters: Sequence[_Adapter], wanted: Combination) -> None:
    """Refuse what has no meaning, or what peft would refuse less clearly."""
    first = adapters[0]
    for adapter in adapters:
        if adapter.config.use_dora:
            raise TrainingError(
                f"{adapter.run.id} was trained with dora, whose magnitudes cannot be added up.",
                "Merge it into its base by itself.",
            )
        for what, one, other in (
            ("base", first.config.base_model_name_or_path, adapter.config.base_model_name_or_path),
            ("task", first.task.config.task.kind, adapter.task.config.task.kind),
        ):
            if one != other:
                raise TrainingError(
                    f"{first.run.id} and {adapter.run.id} cannot be combined: the {what} of one is "
                    f"{one}, of the other {other}."
                )
    ranks = {adapter.config.r for adapter in adapters}
    if wanted.method in BY_RANK and len(ranks) > 1:
        raise TrainingError(
            f"The method {wanted.method} needs adapters of one rank, and these have "
            f"{', '.join(map(str, sorted(ranks)))}.",
            "Choose cat or svd.",
        )


def _combined(adapters: Sequence[_Adapter], wanted: Combination) -> tuple[dict[str, Tensor], int]:
    """The matrices that peft makes of those given, and their rank."""
    network: Any = _unread_base(adapters[0])
    names = [f"adapter{place}" for place in range(len(adapters))]
    model: Any = None
    for name, adapter in zip(names, adapters, strict=True):
        config = _low_rank_config(adapter, adapters)
        if model is None:
            model = peft.get_peft_model(network, config, name)
        else:
            model.add_adapter(name, config)
        peft.set_peft_model_state_dict(model, adapter.low_rank, name)
    options: dict[str, Any] = {"density": wanted.density} if wanted.method in PRUNED else {}
    if wanted.rank and wanted.method.endswith("svd"):
        options["svd_rank"] = wanted.rank
    torch.manual_seed(wanted.seed)  # for the methods that drop at random
    try:
        model.base_model.add_weighted_adapter(
            names, list(wanted.weights), _RESULT, wanted.method,
            svd_full_matrices=False, **options,
        )  # fmt: skip
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise TrainingError(f"These adapters cannot be combined: {first_line(error)}") from error
    rank: int = model.peft_config[_RESULT].r
    weights = peft.get_peft_model_state_dict(
        model, adapter_name=_RESULT, save_embedding_layers=False
    )
    return {name: _padded(name, value, rank) for name, value in weights.items()}, rank


def _unread_base(adapter: _Adapter) -> nn.Module:
    """The network below the adapters, without its weights: only where they belong matters."""
    with torch.device("meta"):
        network = plain_network(adapter.task.build_network(adapter.fitted))
    return network.to_empty(device="cpu")


def _low_rank_config(adapter: _Adapter, adapters: Sequence[_Adapter]) -> Any:
    """The adapter's configuration for its matrices alone."""
    config = copy.deepcopy(adapter.config)
    config.modules_to_save = config.trainable_token_indices = None
    config.bias, config.init_lora_weights, config.inference_mode = "none", True, False
    if len({type(each.config.target_modules) for each in adapters}) > 1:
        config.target_modules = {_layer(name) for name in adapter.low_rank}
    return config


def _layer(name: str) -> str:
    """The layer to which a matrix belongs."""
    return name.removeprefix("base_model.model.").partition(".lora_")[0]


def _padded(name: str, value: Tensor, rank: int) -> Tensor:
    """With zeros where a layer is narrower than the rank, so that all have the rank."""
    value = value.detach()
    if ".lora_A." in name:
        value = F.pad(value.transpose(0, -1), (0, rank - value.shape[0])).transpose(0, -1)
    elif ".lora_B." in name:
        value = F.pad(value.transpose(1, -1), (0, rank - value.shape[1])).transpose(1, -1)
    return value.contiguous()


def _mean(adapters: Sequence[_Adapter], weights: Sequence[float]) -> dict[str, Tensor]:
    """Return the weighted mean of what is trained in full, such as heads, where present."""
    names = dict.fromkeys(name for adapter in adapters for name in adapter.others)
    return {name: _mean_of(name, adapters, weights) for name in names}


def _mean_of(name: str, adapters: Sequence[_Adapter], weights: Sequence[float]) -> Tensor:
    pairs = [
        (adapter, weight)
        for adapter, weight in zip(adapters, weights, strict=True)
        if name in adapter.others
    ]
    first = pairs[0][0]
    for adapter, _ in pairs:
        same = adapter.others[name].shape == first.others[name].shape
        if not same or class_names(adapter.fitted) != class_names(first.fitted):
            raise TrainingError(
                f"{first.run.id} and {adapter.run.id} cannot be combined: their heads tell "
                "different classes apart."
            )
    total = sum(weight for _, weight in pairs)
    if abs(total) < 1e-6:
        raise TrainingError(
            "The weights add up to nothing, and the heads of these adapters need a mean.",
            "Give weights that add up to one.",
        )
    mean = sum(adapter.others[name].double() * (weight / total) for adapter, weight in pairs)
    assert isinstance(mean, Tensor)
    return mean.to(first.others[name].dtype).contiguous()


def _saved_config(adapters: Sequence[_Adapter], rank: int) -> Any:
    """Return the peft configuration of the result; its matrices are at their final scale."""
    first = adapters[0].config
    config = copy.deepcopy(first)
    config.r = config.lora_alpha = rank
    config.rank_pattern, config.alpha_pattern, config.use_rslora = {}, {}, False
    config.init_lora_weights, config.inference_mode = True, True
    if all(isinstance(adapter.config.target_modules, set) for adapter in adapters):
        config.target_modules = set().union(*(one.config.target_modules for one in adapters))
    else:
        config.target_modules = {_layer(name) for one in adapters for name in one.low_rank}
    kept = [name for one in adapters for name in one.config.modules_to_save or ()]
    config.modules_to_save = list(dict.fromkeys(kept)) or None
    return config


def _experiment(config: RunConfig, name: str, rank: int) -> RunConfig:
    """The first run's, with what is different."""
    values = config.values()
    values["name"] = name
    values["adapter"] |= {
        "method": "lora", "r": rank, "lora_alpha": rank, "init_lora_weights": "default",
    }  # fmt: skip
    return RunConfig.parse(values)


def _tell(run: RunDirectory, wanted: Combination, runs: Sequence[str]) -> None:
    """Record the run's origin where runs are listed and shown."""
    parts = [f"{name} × {weight:g}" for name, weight in zip(runs, wanted.weights, strict=True)]
    text = f"Combined by {wanted.method}: {', '.join(parts)}."
    with EventLog(run.events.path) as events:
        events.write(Log(level="info", message=text))
        events.write(Finished(step=0, seconds=0.0, reason=_RESULT))
    write_annotations(run, Annotations(tags=(_RESULT,), note=text))
    atomic.write_text(run.log, text + "\n")
