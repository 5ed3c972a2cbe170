"""A split of tokenised samples: batches by length, padded to their longest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import torch
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise, Source, on_device
from engine.data.labels import IGNORED
from engine.data.on_disk import Rows
from engine.text.tokens.buckets import shuffled_by_length, shuffled_evenly, sorted_by_length
from engine.text.tokens.packed_rows import packed
from engine.text.tokens.padding import counts_without, lengths_of, mask_of, padded

if TYPE_CHECKING:
    import datasets  # half a second, which training without texts does without

Collate = Callable[[pa.Table], Batch]
"""Some samples as a batch on the CPU."""


class TokenSource(Source):
    """Samples with a column ``input_ids``, which stay on the disk until they are needed."""

    slow = True
    packed = False
    """Whether batches of training are rows without padding, in random order."""

    def __init__(
        self,
        samples: datasets.Dataset,
        collate: Collate,
        device: torch.device,
        rows: pa.Table | None = None,
    ) -> None:
        """``rows`` are the samples as they were read, one each, for evaluation."""
        self._samples = samples.with_format("arrow")
        self._collate = collate
        self._device = device
        self._rows = None if rows is None else Rows(rows)
        self.lengths = torch.from_numpy(lengths_of(samples.data.column("input_ids")))
        self._learned = _learned_in(samples.data)

    def __len__(self) -> int:
        return len(self._samples)

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; outside of training, they carry their rows."""
        for numbers in plan[start:]:
            collate = packed if self.packed and noise is not None else self._collate
            batch = collate(self._samples[numbers.tolist()])
            if noise is None and self._rows is not None:
                batch.rows = self._rows.take(numbers.numpy())
            yield on_device(batch, self._device, self.pinned)

    def plan(self, batch_size: int, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        """With a generator, batches of about equally long samples in random order.

        Where tokens are learned, they have about equally many of these.
        """
        if generator is None:
            return super().plan(batch_size)
        rows = self.batch_rows(batch_size)
        if self.packed and self._learned is not None:
            return shuffled_evenly(self.lengths, rows, generator, self._learned)
        return shuffled_by_length(self.lengths, rows, generator, self._learned)

    @override
    def batch_rows(self, batch_size: int) -> float:
        if self.batch_tokens is None or self._learned is None:
            return batch_size
        tokens = float(self._learned.sum()) or 1.0
        # Also above the number of samples, which may be some of all to estimate by.
        return max(1.0, self.batch_tokens * len(self) / tokens)

    def evaluation_plan(self, batch_size: int) -> list[Tensor]:
        """Sorted by length."""
        return sorted_by_length(self.lengths, batch_size)


def _learned_in(samples: pa.Table) -> Tensor | None:
    """Return the number of learned tokens of each sample; none where a sample has one label."""
    for name in ("labels", "tags"):
        if name in samples.column_names and pa.types.is_list(samples[name].type):
            return torch.from_numpy(counts_without(samples[name], IGNORED))
    return None


def token_inputs(samples: pa.Table, pad_token_id: int) -> dict[str, Tensor]:
    """Return a transformer's inputs: token ids, their mask and, if there are any, segments."""
    inputs = {
        "input_ids": padded(samples["input_ids"], pad_token_id),
        "attention_mask": mask_of(samples["input_ids"]),
    }
    if "token_type_ids" in samples.column_names:
        inputs["token_type_ids"] = padded(samples["token_type_ids"], 0)
    return inputs
