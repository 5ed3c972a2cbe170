"""Give a finished model away: in the form that others need, and only after it was tried.

Whatever is written is loaded back and compared with the run's own model on a batch of its data
before it is reported as complete.
"""

from __future__ import annotations

import contextlib
import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.adapters.lora import load_adapter, merged
from engine.artifacts.build import holds_adapter
from engine.artifacts.comparison import (
    CPU,
    distance,
    loaded_plainly,
    outputs_of,
    some_batch,
    tensors_of,
)
from engine.artifacts.model_card import Metrics, write_card
from engine.artifacts.model_folder import load_exported
from engine.batches.source import Batch
from engine.data.fitted import Fitted
from engine.errors import RunError, TrainingError
from engine.files.paths import expanded, is_file, is_folder, runs_folder
from engine.files.sanitize import plain
from engine.models.attention import attention_of
from engine.runs.directory import RunDirectory
from engine.tasks.create import create_task
from engine.tasks.task import Task
from engine.torch_private import tree_flatten_with_path, tree_map, tree_unflatten

_TOLERANCE = 1e-4
SCHEMA = "fitted.json"
"""Name under which what was learned of the data is kept with a model: columns, classes, scales."""
_PEFT = ("adapter_config.json", "adapter_model.safetensors", "README.md")
_REFUSALS = (
    RuntimeError, ValueError, TypeError, AttributeError, AssertionError, NameError,
    torch.onnx.errors.OnnxExporterError,
)  # fmt: skip
"""Exceptions that torch raises for models that it cannot trace, or whose trace does not run."""


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
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments that call the network with the batch."""
        return self.task.call_arguments(self.batch)


def answer(run: str, destination: str, form: str) -> dict[str, Any]:
    """Write the model of ``run`` to ``destination`` in one of :data:`FORMS`; returns its size.

    Raises :class:`~engine.errors.UserError`; then nothing is left at the destination.
    """
    directory = RunDirectory.open(runs_folder(), run)
    target = expanded(destination).absolute()
    if is_file(target) or is_folder(target):
        raise RunError(f"{target} exists already.", "Give a name that is free.")
    finished = _finished(directory)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name[:40]}.") as name:
            written = Path(name) / target.name
            difference = FORMS[form](finished, written)
            _check(difference)
            written.rename(target)
    except OSError as error:
        raise RunError(f"Cannot write {target}: {error.strerror or error}.") from error
    return {"path": str(target), "bytes": _size(target), "difference": difference}


def _finished(run: RunDirectory) -> Finished:
    task, fitted, network = load_exported(run.model, CPU)
    batch = some_batch(task, fitted)
    metrics = (run.report.read() or {}).get("metrics") or {}
    return Finished(run.model, task, fitted, network, batch, metrics)


def _copy(finished: Finished, target: Path) -> float:
    """The folder as it is: what transformers or peft load, with the record of the run."""
    shutil.copytree(finished.folder, target)
    return max(_difference_to(finished, target), _through_others(finished, target))


def _adapter(finished: Finished, target: Path) -> float:
    """The adapter without the record of the run: what peft loads onto the base."""
    if not holds_adapter(finished.folder):
        raise TrainingError("This run has no adapter.", "Export it without --adapter.")
    target.mkdir()
    for name in _PEFT:
        if (finished.folder / name).is_file():
            shutil.copy(finished.folder / name, target)
    base = finished.task.build_network(finished.fitted)
    ours = _largest(finished, load_adapter(base, target).eval())
    return max(ours, _through_others(finished, target))


def _merge(finished: Finished, target: Path) -> float:
    """The base model with the adapter merged into its weights: loads without peft."""
    if not holds_adapter(finished.folder):
        raise TrainingError("This run has no adapter to merge.", "Export it without --merge.")
    target.mkdir()
    network = merged(finished.network)
    finished.task.save_network(network, finished.fitted, target)
    finished.task.save_companions(finished.fitted, target)
    (target / SCHEMA).write_text(finished.fitted.model_dump_json(indent=2) + "\n")
    write_card(target, finished.task.config, finished.fitted, finished.metrics)
    model = finished.task.config.model.exported(target)
    task = create_task(finished.task.config.model_copy(update={"model": model}))
    ours = _largest(finished, task.load_network(finished.fitted, target).eval())
    return max(ours, _through_others(finished, target))


def _program(finished: Finished, target: Path) -> float:
    """A program of ``torch.export``: runs without this package and without the model's code."""
    arguments, named = finished.arguments
    network = finished.network
    with _supported("a program of torch.export"):
        program = torch.export.export(
            _Tensors(network, network, named), arguments, named, strict=False,
            dynamic_shapes=_dynamic(arguments, named),
        )  # fmt: skip
        schema = finished.fitted.model_dump_json()
        torch.export.save(program, target, extra_files={SCHEMA: schema})
        loaded = torch.export.load(target).module()
        return _largest(finished, loaded)


def _onnx(finished: Finished, target: Path) -> float:
    """An ONNX file, tried in onnxruntime."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 — the exporter needs it and would say so less clearly
    except ImportError as error:
        raise RunError(
            f"ONNX needs the package {error.name}.", "Install it with `pip install 'dltui[onnx]'`."
        ) from error
    leaves, structure = tree_flatten_with_path(finished.arguments)
    places = [number for number, (_, leaf) in enumerate(leaves) if _is(leaf)]
    values = tuple(leaves[number][1] for number in places)
    names = [_name_of(leaves[number][0], finished.network) for number in places]

    def call(*tensors: Tensor) -> Any:
        filled = [leaf for _, leaf in leaves]
        for number, tensor in zip(places, tensors, strict=True):
            filled[number] = tensor
        arguments, named = tree_unflatten(filled, structure)
        return finished.network(*arguments, **named)

    with _supported("ONNX"), _plain_attention(finished.network):
        program = torch.onnx.export(
            _Tensors(finished.network, call), values, dynamo=True, input_names=names,
            dynamic_shapes=_dynamic(values, {}), verbose=False,
        )  # fmt: skip
        assert program is not None
        program.model.metadata_props[SCHEMA] = finished.fitted.model_dump_json()
        program.save(str(target), external_data=False)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    feed = {name: value.numpy() for name, value in zip(names, values, strict=True)}
    outputs = [torch.from_numpy(value) for value in session.run(None, feed)]
    return distance(finished.output(), outputs)


def _name_of(path: tuple[Any, ...], network: nn.Module) -> str:
    """Return an input's name: its key in the call, or its parameter's name in the network."""
    last = path[-1]
    parameters = list(inspect.signature(network.forward).parameters)
    return str(last.key) if hasattr(last, "key") else parameters[last.idx]


FORMS: dict[str, Callable[[Finished, Path], float]] = {
    "folder": _copy,
    "adapter": _adapter,
    "merged": _merge,
    "program": _program,
    "onnx": _onnx,
}
"""By name: writes the form and returns its largest difference from the run's own output."""


class _Tensors(nn.Module):
    """A network that returns plain tensors, in place of transformers' records."""

    def __init__(
        self, network: nn.Module, call: Callable[..., Any], names: Iterable[str] = ()
    ) -> None:
        """``call`` calls the network, whose weights torch must see.

        ``names`` are those of its named arguments, which torch needs one by one.
        """
        super().__init__()
        self.network = network

        def forward(*arguments: Any, **named: Any) -> tuple[Tensor, ...]:
            return tuple(tensors_of(call(*arguments, **named)))

        several = inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL)
        others = (inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names)
        forward.__signature__ = inspect.Signature([several, *others])  # type: ignore[attr-defined]
        self.forward = forward


def _dynamic(arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Let every dimension vary that can: batches and lengths are not those of the example."""

    def free(leaf: Any) -> Any:
        return dict.fromkeys(range(leaf.ndim), torch.export.Dim.AUTO) if _is(leaf) else None

    shapes = {"arguments": tree_map(free, arguments)} if arguments else {}
    return shapes | tree_map(free, named)


def _is(leaf: Any) -> bool:
    return isinstance(leaf, Tensor)


@contextlib.contextmanager
def _supported(what: str) -> Iterator[None]:
    """Convert torch's error for a model that it cannot export to one sentence."""
    try:
        yield
    except _REFUSALS as error:
        raise TrainingError(f"This model cannot be written as {what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return the first error in the chain of causes, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return plain(lines[0], 300) if lines else type(error).__name__


@contextlib.contextmanager
def _plain_attention(network: Any) -> Iterator[None]:
    """Let transformers compute attention step by step: its fused form has no place in ONNX."""
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    inner = getattr(inner, "network", inner)
    if not hasattr(inner, "set_attn_implementation"):
        yield
        return
    before = attention_of(inner)
    inner.set_attn_implementation("eager")
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def _difference_to(finished: Finished, folder: Path) -> float:
    return _largest(finished, load_exported(folder, CPU)[2])


def _through_others(finished: Finished, folder: Path) -> float:
    """Return the difference where transformers and peft alone load a folder; 0 if they do not."""
    try:
        network = loaded_plainly(folder, finished.task, finished.fitted)
        return 0.0 if network is None else _largest(finished, network)
    except _REFUSALS as error:
        raise TrainingError(
            "What was written cannot be used through transformers or peft alone, so it was thrown "
            f"away: {_reason(error)}"
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
