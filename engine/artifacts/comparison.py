"""A written model loaded through transformers and peft alone, as others load it, and a batch."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

from engine.artifacts.build import ADAPTER, holds_adapter
from engine.artifacts.model_card import class_names, class_of
from engine.batches.source import Batch
from engine.config.models.foundation import FoundationConfig
from engine.config.models.torchvision import TorchvisionConfig
from engine.config.registry import resolve
from engine.data.fitted import Fitted
from engine.errors import DataError
from engine.models.series.foundation import forecaster, network_class
from engine.models.shapes import TextShape
from engine.models.weights.embeddings import input_embeddings, without_token_ties
from engine.models.weights.pretrained import body_of_another_name
from engine.tasks.task import Task
from engine.tasks.text import TextTask

_ROWS = 8
_PADDING = 2
"""Tokens of padding in each batch of texts."""
CPU = torch.device("cpu")


def some_batch(task: Task[Any], fitted: Fitted) -> Batch:
    """Return a batch of training rows, of as few as make one; texts have padding at their ends."""
    table = task.pipeline.load().train
    rows = _ROWS
    while True:
        rows = min(rows, table.num_rows)
        try:
            source = task.encode(table.slice(0, rows), fitted, CPU, lambda _: None)
            if len(source):
                return with_padding(next(source.read(source.plan(_ROWS))), task, fitted)
        except DataError:  # too few
            if rows == table.num_rows:
                raise
        if rows == table.num_rows:
            raise DataError("The training data has no row to try the model on.")
        rows *= 8


def with_padding(batch: Batch, task: Task[Any], fitted: Any) -> Batch:
    """Return a batch of texts with padding at their ends; blocks of plain text have none."""
    if not isinstance(batch.inputs, dict) or "input_ids" not in batch.inputs:
        return batch
    assert isinstance(task, TextTask)
    inputs = dict(batch.inputs)
    inputs.setdefault("attention_mask", torch.ones_like(inputs["input_ids"]))
    pad = task.shape(fitted).pad_token_id
    # No longer than before: the network may have no position for more. The first and the last
    # token stay, which some networks look for.
    length = max(2, inputs["input_ids"].shape[1] - _PADDING)
    extra = (inputs["attention_mask"].sum(1) - length).clamp(min=0).tolist()
    for name, filler in (("input_ids", pad), ("attention_mask", 0), ("token_type_ids", 0)):
        if name in inputs:
            rows = zip(inputs[name], map(int, extra), strict=True)
            inputs[name] = torch.stack([_shortened(row, by, filler) for row, by in rows])
    return Batch(inputs, batch.targets, batch.weight, batch.rows)


def _shortened(row: Tensor, by: int, filler: int) -> Tensor:
    """Return a row without the tokens after its first, and as many fillers at its end."""
    return F.pad(torch.cat([row[:1], row[1 + by :]]), (0, by), value=filler)


def loaded_plainly(folder: Path, task: Task[Any], fitted: Fitted) -> nn.Module | None:
    """Return the network of a folder as transformers and peft load it, without this package.

    Chronos-2 is loaded by its own package. ``None`` where it is none of theirs. Raises what they
    raise.
    """
    name = class_of(folder)
    if isinstance(task.config.model, TorchvisionConfig) or not name:
        return None
    forecasts = isinstance(task.config.model, FoundationConfig)
    kind: Any = network_class(name) if forecasts else getattr(transformers, name)
    network: Any
    if holds_adapter(folder):
        network = _with_adapter(kind, folder, task, fitted)
    else:
        network = kind.from_pretrained(folder, dtype=torch.float32)
    if forecasts:
        forecasting: Any = task
        network = forecasting.build_network(fitted, partial(forecaster, network))
    if task.config.model.wrapper:
        wrapped: Any = fitted
        network = resolve(task.config.model.wrapper)(network, wrapped.size, task.config.model)
    plain: nn.Module = network.eval()
    return plain


def _with_adapter(kind: Any, folder: Path, task: Task[Any], fitted: Fitted) -> Any:
    import peft  # seconds, for an adapter alone

    classes, renaming = class_names(fitted), body_of_another_name(kind)
    labels = {"num_labels": len(classes), "ignore_mismatched_sizes": True} if classes else {}
    base = kind.from_pretrained(
        json.loads((folder / ADAPTER).read_text())["base_model_name_or_path"],
        dtype=torch.float32,
        **labels,
        **({"key_mapping": renaming} if renaming else {}),
    )
    if isinstance(task, TextTask):
        _fit_tokens(base, task.shape(fitted))
    with without_token_ties(base):
        return peft.PeftModel.from_pretrained(base, str(folder)).get_base_model()


def _fit_tokens(base: Any, shape: TextShape) -> None:
    """Add the rows of added tokens and note the padding, as transformers' documentation tells."""
    tokens = input_embeddings(base)
    if isinstance(tokens, nn.Embedding) and shape.vocabulary > tokens.num_embeddings:
        base.resize_token_embeddings(shape.vocabulary)
    config = base.config.get_text_config()
    if getattr(config, "pad_token_id", None) is None:  # CPM-Ant's has no such field
        config.pad_token_id = shape.pad_token_id
