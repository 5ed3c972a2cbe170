"""The comparison of an exported model with the trained one, at the end of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.artifacts.model_card import class_of
from engine.artifacts.outputs import distance, outputs_of
from engine.batches.source import Batch, Source, first_batch
from engine.files.sanitize import first_line
from engine.hardware.device import Compute
from engine.torch_private import tree_map
from engine.training.checkpoints.state import parameter_count
from engine.training.memory.estimate import available_bytes
from engine.training.trainer_setup import Setup

_ROWS = 4
_CPU = torch.device("cpu")
_TOLERANCE = {torch.float32: 1e-3}
_COARSE = 0.05
"""Share of the largest output that outputs may differ by; in half precision the coarse one."""
_FAILURES = (OSError, RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError)


def check_export(setup: Setup, network: nn.Module, source: Source, folder: Path) -> None:
    """Warn where transformers and peft, loading ``folder`` by themselves, give other outputs.

    Models too large to be loaded once more, and those with 4-bit weights, are left out.
    """
    task, compute = setup.task, setup.compute
    too_large = 4 * parameter_count(network) > available_bytes(_CPU) / 2
    if task.config.adapter.quantized or too_large or not class_of(folder):
        return
    # Half a second, which networks of others do without.
    from engine.artifacts.comparison import loaded_plainly, with_padding

    batch = first_batch(source, _ROWS)
    batch = with_padding(batch, task, setup.fitted)
    try:
        theirs = loaded_plainly(folder, task, setup.fitted)
        if theirs is None:
            return
        differs = _difference(task, batch, network.eval(), theirs, compute)
    except _FAILURES as error:
        reason = first_line(error).rstrip(".")
        advice = " Export it merged." if task.config.adapter.active else ""
        setup.outlets.warn(
            f"transformers and peft alone cannot use the exported model: {reason}.{advice}"
        )
        return
    if not differs <= _TOLERANCE.get(compute.dtype, _COARSE):
        setup.outlets.warn(
            f"Where transformers and peft alone load the exported model, its outputs differ by "
            f"{differs:.2g} of the largest from those of the trained one."
        )


def _difference(
    task: Any, batch: Batch, ours: nn.Module, theirs: nn.Module, compute: Compute
) -> float:
    """Return the largest difference as a share of the largest output, at least of one."""
    with compute.autocast():
        # A network that was sharded is on the CPU by now.
        expected = outputs_of(task, _moved(batch, next(ours.parameters()).device), ours)
    found = outputs_of(task, _moved(batch, _CPU), theirs)
    scale = max(1.0, *(float(value.float().abs().max()) for value in expected))
    return distance(expected, found) / scale


def _moved(batch: Batch, device: torch.device) -> Batch:
    def moved(value: Any) -> Any:
        return value.to(device) if isinstance(value, torch.Tensor) else value

    return Batch(tree_map(moved, batch.inputs), batch.targets, batch.weight)
