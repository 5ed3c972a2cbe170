"""Networks written as programs: of ``torch.export``, and as ONNX."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from engine.artifacts.outputs import output_names, tensors_of
from engine.errors import RunError, TrainingError
from engine.files.sanitize import first_line
from engine.models.language.attention import attention_by_part
from engine.torch_private import tree_flatten_with_path, tree_map, tree_unflatten

PROGRAM, ONNX = "a program of torch.export", "ONNX"
"""Forms, as sentences name them."""
REFUSALS = (
    RuntimeError, ValueError, TypeError, AttributeError, AssertionError, NameError,
    torch.onnx.errors.OnnxExporterError,
)  # fmt: skip
"""Exceptions that torch raises for models that it cannot trace, or whose trace does not run."""


@dataclass(frozen=True, slots=True)
class Call:
    """Positional and named arguments that a network is called with."""

    arguments: tuple[Any, ...]
    named: dict[str, Any]


def as_program(network: nn.Module, call: Call) -> torch.export.ExportedProgram:
    """Return a program of ``torch.export``; raises :class:`TrainingError` where torch cannot."""
    with supported(PROGRAM):
        return torch.export.export(
            _Tensors(network, network, call.named), call.arguments, call.named, strict=False,
            dynamic_shapes=_dynamic(call.arguments, call.named),
        )  # fmt: skip


def as_onnx(network: nn.Module, call: Call, optimize: bool = True) -> tuple[Any, dict[str, Tensor]]:
    """Return an ONNX program and its inputs by name; its outputs have the names of their keys.

    On the device meta, where constants have no values, it cannot be optimized. Raises
    :class:`TrainingError` where torch cannot, :class:`RunError` where a package is missing.
    """
    # What is exported is tried in onnxruntime; of onnxscript torch would say less clearly.
    for package in ("onnxruntime", "onnxscript"):
        if find_spec(package) is None:
            raise RunError(
                f"ONNX needs the package {package}.", "Install it with `pip install 'dltui[onnx]'`."
            )
    leaves, structure = tree_flatten_with_path((call.arguments, call.named))
    places = [number for number, (_, leaf) in enumerate(leaves) if _is(leaf)]
    values = tuple(leaves[number][1] for number in places)
    names = [_name_of(leaves[number][0], network) for number in places]
    said: list[str] = []

    def forward(*tensors: Tensor) -> Any:
        filled = [leaf for _, leaf in leaves]
        for number, tensor in zip(places, tensors, strict=True):
            filled[number] = tensor
        arguments, named = tree_unflatten(filled, structure)
        output = network(*arguments, **named)
        said[:] = output_names(output)
        return output

    with supported(ONNX), _plain_attention(network):
        program = torch.onnx.export(
            _Tensors(network, forward), values, dynamo=True, input_names=names, optimize=optimize,
            dynamic_shapes=_dynamic(values, {}), verbose=False,
        )  # fmt: skip
    _rename(program.model.graph.outputs, said)
    return program, dict(zip(names, values, strict=True))


def _rename(outputs: Sequence[Any], names: Sequence[str]) -> None:
    """Give outputs of an ONNX graph their names, unless they are inputs as well."""
    for output, name in zip(outputs, names, strict=True):
        if not output.is_graph_input():
            output.name = name


def reason_of(error: BaseException) -> str:
    """Return the first error in the chain of causes, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


def _name_of(path: tuple[Any, ...], network: nn.Module) -> str:
    """Return an input's name: its key in the call, or its parameter's name in the network."""
    last = path[-1]
    parameters = list(inspect.signature(network.forward).parameters)
    return str(last.key) if hasattr(last, "key") else parameters[last.idx]


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
def supported(what: str) -> Iterator[None]:
    """Convert torch's error for a model that it cannot write as ``what`` to one sentence."""
    try:
        yield
    except REFUSALS as error:
        raise TrainingError(
            f"This model cannot be written as {what}: {reason_of(error)}"
        ) from error


@contextlib.contextmanager
def _plain_attention(network: Any) -> Iterator[None]:
    """Let transformers compute attention step by step: its fused form has no place in ONNX."""
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    inner = getattr(inner, "network", inner)
    if not hasattr(inner, "set_attn_implementation"):
        yield
        return
    before = attention_by_part(inner)
    inner.set_attn_implementation("eager")
    try:
        yield
    finally:
        inner.set_attn_implementation(before)
