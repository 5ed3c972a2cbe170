"""Benchmarks of a finished language model by lm-eval, in the helper process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

import torch
from torch import nn

from engine.artifacts.build import build_network
from engine.artifacts.model_folder import load_exported
from engine.config.compute import ComputeConfig
from engine.errors import DataError, RunError, TrainingError
from engine.files import atomic
from engine.files.paths import expanded, is_folder, runs_folder
from engine.files.sanitize import plain
from engine.hardware import device
from engine.hub_reach import offline_where_unreachable
from engine.runs.directory import RunDirectory
from engine.runs.events import finite
from engine.tasks.create import create_task
from engine.text.tokens.beginning import ends_texts, without_end

_BACKENDS = {"causal_lm": "causal", "seq2seq_lm": "seq2seq"}
"""lm-eval's names of the kinds of network, by the heads of our tasks."""
_ERROR = "_stderr"


@dataclass(frozen=True)
class Wanted:
    """Tasks of lm-eval, and how they are put to a model."""

    tasks: Sequence[str]
    chat: bool
    shots: int | None
    limit: int | None
    batch_size: int


def answer(
    run: str,
    tasks: Sequence[str],
    include_path: str = "",
    base: bool = False,
    chat: bool = False,
    shots: int | None = None,
    limit: int | None = None,
    batch_size: int = 8,
) -> dict[str, Any]:
    """Evaluate a run on ``tasks`` of lm-eval, keep the result beside the run, and return it.

    ``include_path`` is a folder with further tasks, ``base`` evaluates the base model too. Raises
    :class:`~engine.errors.UserError`.
    """
    library = _lm_eval()
    directory = RunDirectory.open(runs_folder(), run)
    backend = _backend_of(directory)
    wanted = Wanted(tasks, chat, shots, limit, batch_size)
    with offline_where_unreachable():
        manager = _manager(library, tasks, include_path)
        compute = device.choose(ComputeConfig())
        task, fitted, network = load_exported(directory.model, compute.device)
        tokenizer = _tokenizer(task, fitted)
        columns = {"run": _evaluated(library, network, tokenizer, backend, manager, wanted)}
        if base:
            if directory.config.read().model.from_scratch:
                raise RunError(f"The run {directory.id} has no base model: it began from scratch.")
            untrained = create_task(directory.config.read())
            with compute.device:
                network = build_network(untrained, fitted, compute).to(compute.device).eval()
            columns["base"] = _evaluated(library, network, tokenizer, backend, manager, wanted)
    return _kept(directory, columns, wanted)


def _backend_of(run: RunDirectory) -> str:
    """Return lm-eval's name for the kind of a run's model; raises :class:`RunError` for others."""
    backend = _BACKENDS.get(getattr(create_task(run.config.read()), "head", ""))
    if backend is None:
        raise RunError(
            f"The run {run.id} is not of a language model; lm-eval has no others.",
            "Choose a run of causal_lm or seq2seq.",
        )
    return backend


def _lm_eval() -> ModuleType:
    """Return the library; raises :class:`TrainingError` if it is missing."""
    try:
        library = import_module("lm_eval")
        for part in ("models.huggingface", "tasks"):
            import_module(f"lm_eval.{part}")
    except ImportError as error:
        raise TrainingError(
            f"dltui eval needs the package lm-eval ({plain(error, 100)}).",
            "Install it with `pip install 'dltui[eval]'`.",
        ) from error
    return library


def _manager(library: Any, tasks: Sequence[str], include_path: str) -> Any:
    """Return lm-eval's index of the tasks, whose data can be loaded.

    Raises :class:`DataError`. The many built-in tasks are read only where they are asked for.
    """
    folder = expanded(include_path) if include_path else None
    if folder is not None and not is_folder(folder):
        raise DataError(f"--include-path: {plain(include_path, 200)} is not a folder.")
    own = str(folder) if folder is not None else None
    made = library.tasks.TaskManager(include_path=own, include_defaults=False)
    if set(tasks) - set(made.match_tasks(list(tasks))):
        made = library.tasks.TaskManager(include_path=own)
    for name in tasks:
        _load(made, name)
    return made


def _load(manager: Any, name: str) -> None:
    """Load a task's data; raises :class:`DataError`."""
    try:
        manager.load([name])
    except KeyError as error:
        raise DataError(
            f"lm-eval has no task {plain(name, 80)!r}.",
            "`lm-eval ls tasks` lists all; --include-path adds a folder of yours.",
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise DataError(
            f"lm-eval cannot load the task {plain(name, 80)!r}: {plain(error, 300)}.",
            "Without a network its data must be in the cache of Hugging Face, or in a task of "
            "your own (--include-path).",
        ) from error


def _tokenizer(task: Any, fitted: Any) -> Any:
    return task.writer(fitted).to_export


def _evaluated(
    library: Any, network: nn.Module, tokenizer: Any, backend: str, manager: Any, wanted: Wanted
) -> dict[str, Any]:
    """Return lm-eval's metrics by task and name, with their standard errors."""
    bos = None  # as the tokenizer has it
    if backend == "causal":
        tokenizer = without_end(tokenizer)
        # A chat template writes all tokens of its own; a question ends in none.
        bos = False if wanted.chat or ends_texts(tokenizer) else None
    model = library.models.huggingface.HFLM(
        pretrained=network,
        tokenizer=tokenizer,
        backend=backend,
        batch_size=wanted.batch_size,
        add_bos_token=bos,
    )
    with torch.inference_mode():
        found = library.simple_evaluate(
            model=model,
            tasks=list(wanted.tasks),
            task_manager=manager,
            num_fewshot=wanted.shots,
            limit=wanted.limit,
            apply_chat_template=wanted.chat,
            log_samples=False,
        )
    return {name: dict(_metrics(values)) for name, values in found["results"].items()}


def _metrics(values: Mapping[str, Any]) -> list[tuple[str, dict[str, float | None]]]:
    """Return values and standard errors by metric; lm-eval names them ``acc,none``."""
    metrics: dict[str, dict[str, float | None]] = {}
    for key, value in values.items():
        name, comma, what = key.partition(",")
        if not comma or not isinstance(value, int | float):
            continue
        stem = name.removesuffix(_ERROR)
        full = stem if what == "none" else f"{stem} ({what})"
        entry = metrics.setdefault(full, {"value": None, "error": None})
        entry["error" if name.endswith(_ERROR) else "value"] = finite(value)
    return list(metrics.items())


def _kept(directory: RunDirectory, columns: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """Add the result to those that the run has; a later one of the same task replaces it."""
    about = {
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lm_eval": version("lm-eval"),
        "shots": wanted.shots,
        "limit": wanted.limit,
        "chat": wanted.chat,
    }
    record = directory.evals.read() or {"tasks": {}}
    for name in columns["run"]:
        record["tasks"][name] = about | {who: found.get(name) for who, found in columns.items()}
    try:
        atomic.write_json(directory.evals.path, record)
    except OSError as error:
        raise RunError(f"Cannot write {directory.evals.path}: {error.strerror}.") from error
    return record
