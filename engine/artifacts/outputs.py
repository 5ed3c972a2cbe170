"""Outputs of networks, to be compared with each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.batches.source import Batch
from engine.tasks.task import Task
from engine.torch_private import tree_leaves


def outputs_of(task: Task[Any], batch: Batch, network: Callable[..., Any]) -> list[Tensor]:
    """Return a network's outputs for a batch, on the CPU."""
    deployment = task.deployment()
    arguments, named = deployment.arguments(batch)
    with torch.inference_mode():
        found = [value.cpu() for value in tensors_of(network(*arguments, **named))]
    return deployment.comparable(found)


def tensors_of(output: Any) -> list[Tensor]:
    """Return the tensors of a network's output, in any structure."""
    if hasattr(output, "to_tuple"):
        output = output.to_tuple()
    return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def output_names(output: Any) -> list[str]:
    """Return a name for each of :func:`tensors_of`: its key in a record such as transformers'.

    A tensor without a key is ``output``; several are ``output_0``, ``output_1`` …
    """
    record = output if isinstance(output, Mapping) else {"output": output}
    names: list[str] = []
    for key, value in record.items():
        count = len(tensors_of(value))
        names += [str(key)] if count == 1 else [f"{key}_{number}" for number in range(count)]
    return names


def distance(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Return the largest difference of any number.

    Numbers that are the same in both, infinity and NaN too, do not differ; it is NaN where one of
    them alone is not a number.
    """
    pairs = zip(ours, theirs, strict=True)
    return float(torch.stack([_largest(one.float(), other.float()) for one, other in pairs]).max())


def larger(one: float, other: float) -> float:
    """Return the larger of two differences; NaN where one is, which ``max`` may drop."""
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)


def _largest(one: Tensor, other: Tensor) -> Tensor:
    if not one.numel():  # a detector that finds nothing in an image has empty outputs
        return torch.zeros(())
    same = (one == other) | (one.isnan() & other.isnan())
    return torch.where(same, 0.0, one - other).abs().max()
