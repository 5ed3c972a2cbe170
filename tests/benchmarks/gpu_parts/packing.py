"""Tokens a second of a language model on answers of different lengths: padded, and packed.

The row of TRL's packing with flash attention is measured by the same call of transformers: a row
with positions that begin anew, and the loss of the model itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import accumulate
from typing import Any

import pyarrow as pa
import torch
from llama import ADAPTER, ONE, TINY, clear, language_model, timed
from part import Part, Skipped, main
from torch import Tensor, nn

from engine.batches.source import Batch, on_device
from engine.config.compute import ComputeConfig
from engine.config.train import TrainConfig
from engine.data.labels import IGNORED
from engine.hardware.device import Compute, choose
from engine.models.language.attention import transformer_in
from engine.models.language.segment_lengths import segments
from engine.models.language.segments import SEGMENTS
from engine.models.language.token_losses import summed_loss, summed_row_loss
from engine.text.tokens.packed_rows import packed
from engine.text.tokens.padding import mask_of, padded

Loss = Callable[[nn.Module, Batch], Tensor]


def samples(count: int, longest: int) -> pa.Table:
    """Answers with lengths as those of instructions: many short ones, and a few long ones."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.empty(count).log_normal_(5.0, 0.8, generator=generator).long()
    rows = [
        torch.randint(1, 1000, (int(length),), generator=generator).tolist()
        for length in lengths.clamp(8, longest)
    ]
    labels = [[IGNORED] * (len(row) // 4) + row[len(row) // 4 :] for row in rows]
    return pa.table({"input_ids": rows, "labels": labels})


def with_padding(table: pa.Table) -> Batch:
    """A batch of as many rows as samples."""
    inputs = {
        "input_ids": padded(table["input_ids"], 0),
        "attention_mask": mask_of(table["input_ids"]),
    }
    labels = padded(table["labels"], IGNORED)
    return Batch(inputs, {"labels": labels}, int((labels != IGNORED).sum()))


def padded_loss(network: nn.Module, batch: Batch) -> Tensor:
    return summed_loss(network, batch.inputs, batch.targets["labels"]) / batch.weight


def packed_loss(network: nn.Module, batch: Batch) -> Tensor:
    targets = batch.targets
    with segments(targets["lengths"]):
        total = summed_row_loss(network, batch.inputs, targets["learned"], targets["labels"])
    return total / batch.weight


def their_loss(network: Any, batch: Batch) -> Tensor:
    """The loss of transformers, whose labels it shifts by itself."""
    targets = batch.targets
    labels = torch.full_like(batch.inputs["input_ids"], IGNORED)
    labels[0, targets["learned"]] = targets["labels"]
    shifted = labels.roll(1)
    begins = [0, *accumulate(targets["lengths"])][:-1]
    shifted[0, begins] = IGNORED
    loss: Tensor = network(**batch.inputs, labels=shifted, use_cache=False).loss
    return loss


def ways(compute: Compute) -> Iterator[tuple[str, str, Callable[[pa.Table], Batch], Loss]]:
    """Name, attention, collation and loss of each way."""
    yield "padded", "sdpa", with_padding, padded_loss
    yield "packed", SEGMENTS, packed, packed_loss
    if compute.device.type == "cuda" and find_spec("flash_attn") is not None:
        yield "packed_flash", "flash_attention_2", packed, packed_loss
        yield "transformers_flash", "flash_attention_2", packed, their_loss


def rows(part: Part) -> None:
    """Measure one row with all ways."""
    device: Any = part.device
    compute = choose(
        ComputeConfig(device=device, precision="bfloat16", threads=0 if part.cuda else 1)
    )
    with part.measured("1 billion, LoRA, answers of 8 to 1,024 tokens") as row:
        if not (part.cuda or part.smoke):
            raise Skipped("no CUDA device")
        shape, count, longest = (TINY, 4, 32) if part.smoke else (ONE, 16, 1024)
        table = samples(count, longest)
        tokens = sum(map(len, table["input_ids"].to_pylist()))
        row |= {"samples": count, "tokens": tokens}
        for name, attention, collate, loss in ways(compute):
            clear(compute)
            network = language_model(shape, ADAPTER, compute)
            transformer_in(network).set_attn_implementation(attention)
            batch = on_device(collate(table), compute.device, pinned=False)
            cost = timed(network, compute, batch, loss, TrainConfig(), 2 if part.smoke else 15)
            row[f"{name}_tokens_per_second"] = tokens / cost.seconds
            if cost.peak is not None:
                row[f"{name}_peak_gb"] = cost.peak / 1e9
            del network


if __name__ == "__main__":
    main(rows)
