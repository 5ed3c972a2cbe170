"""Give a finished model away: in the form that others need, and only after it was tried.

Whatever is written is loaded back and compared with the run's own model on a batch of its data
before it is reported as complete.
"""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.artifacts.build import holds_adapter, load_network, without_adapter
from engine.artifacts.comparison import CPU, loaded_plainly, some_batch
from engine.artifacts.model_card import Metrics, write_card
from engine.artifacts.model_folder import load_exported
from engine.artifacts.outputs import distance, larger, outputs_of
from engine.artifacts.stored_type import cast_weights, rounded, type_named
from engine.artifacts.tracing import (
    PROGRAM,
    REFUSALS,
    Call,
    as_onnx,
    as_program,
    reason_of,
    supported,
)
from engine.batches.source import Batch
from engine.data.fitted import Fitted
from engine.errors import RunError, TrainingError
from engine.files.paths import expanded, is_file, is_folder, runs_folder
from engine.processes.later import Later
from engine.runs.directory import RunDirectory
from engine.service.boosting import write_boosting
from engine.service.flip_notes import flip_notes
from engine.tasks.create import create_task
from engine.tasks.task import Task

onnxruntime = Later("onnxruntime")

_TOLERANCE = 1e-4
BOOSTING = "boosting"
"""The form of the gradient boosting that a table's network was compared with."""
SCHEMA = "fitted.json"
"""Name under which what was learned of the data is kept with a model: columns, classes, scales."""
_PEFT = ("adapter_config.json", "adapter_model.safetensors", "README.md")


@dataclass(frozen=True)
class Finished:
    """A run's model, loaded, with a batch to try it on."""

    folder: Path
    task: Task[Any]
    fitted: Fitted
    network: nn.Module
    batch: Batch
    metrics: Metrics

    def output(self, network: Callable[..., Any] | None = None) -> list[Tensor]:
        """Return the outputs of ``network`` (this one's own, if none is given) for the batch."""
        return outputs_of(self.task, self.batch, network or self.network)

    @property
    def call(self) -> Call:
        """The arguments that call the network with the batch."""
        return Call(*self.task.deployment().arguments(self.batch))


def answer(run: str, destination: str, form: str, dtype: str = "") -> dict[str, Any]:
    """Write the model of ``run`` to ``destination``; returns its size and largest difference.

    ``form`` is one of :data:`FORMS`, :data:`BOOSTING`, or one of
    :data:`engine.service.handover.RECIPIENTS`; for the last two, ``notes`` and the ``command`` that
    uses the model are returned too. Weights have the type
    ``dtype``, where it is empty the one in which they were trained. Raises
    :class:`~engine.errors.UserError`; then nothing is left at the destination.
    """
    directory = RunDirectory.open(runs_folder(), run)
    target = expanded(destination).absolute()
    if is_file(target) or is_folder(target):
        raise RunError(f"{target} exists already.", "Give a name that is free.")
    if form == BOOSTING:
        return _boosting(directory, target, dtype)
    if form not in FORMS:
        return _handed_over(directory, target, form, dtype)
    wanted = _wanted_type(directory, form, dtype)
    finished = _finished(directory)
    with _written_first(target) as written:
        difference = FORMS[form](finished, written)
        _check(difference)
        if wanted:
            difference = _in_type(finished, written, form, wanted)
            _check(difference)
    details: dict[str, Any] = {"rounded": str(wanted).removeprefix("torch.") if wanted else ""}
    if notes := flip_notes(directory, form):
        details["notes"] = notes
    return {"path": str(target), "bytes": _size(target), "difference": difference} | details


@contextmanager
def _written_first(target: Path) -> Iterator[Path]:
    """Yield a place to write to, which becomes ``target`` where nothing is raised."""
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}.") as name:
            written = Path(name) / target.name
            yield written
            written.rename(target)
    except OSError as error:
        raise RunError(f"Cannot write {target}: {error.strerror or error}.") from error


def _boosting(run: RunDirectory, target: Path, dtype: str) -> dict[str, Any]:
    """Write the gradient boosting of a table's run."""
    if dtype:
        raise TrainingError("Trees keep the type of their numbers.", "Leave --dtype out.")
    with _written_first(target) as written:
        notes = write_boosting(run, written)
    command = ["dltui", "predict", str(target), "--file", "new.csv", "--output", "predictions.csv"]
    details = {"notes": notes, "command": shlex.join(command), "rounded": ""}
    return {"path": str(target), "bytes": _size(target), "difference": 0.0} | details


def _handed_over(run: RunDirectory, target: Path, form: str, dtype: str) -> dict[str, Any]:
    """Write a language model for a program that serves it."""
    # seconds: what generates texts, for language models alone
    from engine.service.handover import hand_over

    give = hand_over(run, form)
    with _written_first(target) as written:
        handed = give(written, target, dtype)
    details = {"notes": handed.notes, "command": handed.command, "rounded": handed.rounded}
    return {"path": str(target), "bytes": _size(target), "difference": handed.difference} | details


def _wanted_type(run: RunDirectory, form: str, dtype: str) -> torch.dtype | None:
    """Return the type of the weights, ``None`` for the one in which they were trained."""
    if not dtype:
        return None
    if form not in ("folder", "merged") or (form == "folder" and holds_adapter(run.model)):
        raise TrainingError(
            "A type of the weights is chosen for whole models only.",
            "Leave --dtype out, or merge the adapter with --merge.",
        )
    return type_named(dtype, run.config.read().model)


def _finished(run: RunDirectory) -> Finished:
    task, fitted, network = load_exported(run.model, CPU)
    batch = some_batch(task, fitted)
    metrics = (run.report.read() or {}).get("metrics") or {}
    return Finished(run.model, task, fitted, network, batch, metrics)


def _copy(finished: Finished, target: Path) -> float:
    """The folder as it is: what transformers or peft load, with the record of the run."""
    target.mkdir()
    for path in sorted(finished.folder.rglob("*")):  # folders before their files
        copy = target / path.relative_to(finished.folder)
        if is_folder(path):
            copy.mkdir()
        else:
            shutil.copyfile(path, copy)
    return larger(_difference_to(finished, target), _through_others(finished, target))


def _adapter(finished: Finished, target: Path) -> float:
    """The adapter without the record of the run: what peft loads onto the base."""
    if not holds_adapter(finished.folder):
        raise TrainingError("This run has no adapter.", "Export it without --adapter.")
    target.mkdir()
    for name in _PEFT:
        if (finished.folder / name).is_file():
            shutil.copy(finished.folder / name, target)
    ours = _largest(finished, load_network(finished.task, finished.fitted, target).eval())
    return larger(ours, _through_others(finished, target))


def _merge(finished: Finished, target: Path) -> float:
    """The base model with the adapter merged into its weights: loads without peft."""
    if not holds_adapter(finished.folder):
        raise TrainingError("This run has no adapter to merge.", "Export it without --merge.")
    target.mkdir()
    network = without_adapter(finished.network)
    files = finished.task.files(finished.fitted)
    files.save(network, target)
    files.companions(target)
    (target / SCHEMA).write_text(finished.fitted.model_dump_json(indent=2) + "\n")
    write_card(target, finished.task.config, finished.fitted, finished.metrics, described=False)
    merged = _largest(finished, _merged_in(finished, target))
    return larger(merged, _through_others(finished, target))


def _merged_in(finished: Finished, folder: Path) -> nn.Module:
    """Return the network of a folder that :func:`_merge` wrote."""
    model = finished.task.config.model.exported(folder)
    task = create_task(finished.task.config.model_copy(update={"model": model}))
    build = partial(task.build_network, finished.fitted)
    return task.files(finished.fitted).load(build, folder).eval()


def _in_type(finished: Finished, folder: Path, form: str, dtype: torch.dtype) -> float:
    """Round what was written to ``dtype``; compared with the same model rounded in memory."""
    before = _read_back(finished, folder, form)
    cast_weights(folder, dtype)
    after = _read_back(finished, folder, form)
    return distance(finished.output(rounded(before, dtype)), finished.output(after))


def _read_back(finished: Finished, folder: Path, form: str) -> nn.Module:
    return _merged_in(finished, folder) if form == "merged" else _own(folder)


def _own(folder: Path) -> nn.Module:
    return load_exported(folder, CPU)[2]


def _program(finished: Finished, target: Path) -> float:
    """A program of ``torch.export``: runs without this package and without the model's code."""
    network = finished.task.deployment().network(finished.network)
    program = as_program(network, finished.call)
    schema = finished.fitted.model_dump_json()
    with supported(PROGRAM):
        torch.export.save(program, target, extra_files={SCHEMA: schema})
        found = finished.output(torch.export.load(target).module())
    return distance(finished.output(network), found)


def _onnx(finished: Finished, target: Path) -> float:
    """An ONNX file, tried in onnxruntime."""
    deployment = finished.task.deployment()
    network = deployment.network(finished.network)
    program, inputs = as_onnx(network, finished.call)
    program.model.metadata_props[SCHEMA] = finished.fitted.model_dump_json()
    program.save(str(target), external_data=False)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    found = deployment.comparable([torch.from_numpy(value) for value in outputs])
    return distance(finished.output(network), found)


FORMS: dict[str, Callable[[Finished, Path], float]] = {
    "folder": _copy,
    "adapter": _adapter,
    "merged": _merge,
    "program": _program,
    "onnx": _onnx,
}
"""By name: writes the form and returns its largest difference from the run's own output."""


def _difference_to(finished: Finished, folder: Path) -> float:
    return _largest(finished, _own(folder))


def _through_others(finished: Finished, folder: Path) -> float:
    """Return the difference where transformers and peft alone load a folder; 0 if they do not."""
    try:
        network = loaded_plainly(folder, finished.task, finished.fitted)
        return 0.0 if network is None else _largest(finished, network)
    except REFUSALS as error:
        raise TrainingError(
            "What was written cannot be used through transformers or peft alone, so it was thrown "
            f"away: {reason_of(error)}"
        ) from error


def _largest(finished: Finished, network: Callable[..., Any]) -> float:
    return distance(finished.output(), finished.output(network))


def _check(difference: float) -> None:
    if not difference <= _TOLERANCE:
        raise TrainingError(
            f"What was written says something else than the run's model (by {difference:.2g}), "
            "so it was thrown away."
        )


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    return sum(part.stat().st_size for part in files)
