"""Rows that are too long to be read at once: overlapping windows, and what belongs to each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise
from engine.data.on_disk import Rows
from engine.text.source import Collate, TokenSource
from engine.text.words import first_tokens, shares, targets_of

Columns = dict[str, list[Any]]
_TOKENS = ("input_ids", "token_type_ids")


@dataclass(frozen=True)
class ContextWindows:
    """Cuts contexts into windows of ``max_length`` tokens that share ``stride`` tokens."""

    tokenizer: Any
    max_length: int
    stride: int

    def __call__(self, rows: Columns) -> Columns:
        """Windows of rows with ``question``, ``context``, ``row`` and characters ``begin, end``.

        ``starts`` and ``ends`` are the characters of each token, −1 outside of the context;
        ``first`` and ``last`` are the tokens of the answer, or both the one at ``null`` where the
        window has none.
        """
        tokens = self.tokenizer(
            self._short(rows["question"]), rows["context"], truncation="only_second",
            max_length=self.max_length, stride=self.stride, return_overflowing_tokens=True,
            return_offsets_mapping=True, return_attention_mask=False,
        )  # fmt: skip
        owners = tokens["overflow_to_sample_mapping"]
        result: Columns = {name: tokens[name] for name in _TOKENS if name in tokens}
        result |= {name: [] for name in ("starts", "ends", "null", "first", "last", "row")}
        for index, owner in enumerate(owners):
            self._add(result, tokens, index, rows["begin"][owner], rows["end"][owner])
            result["row"].append(rows["row"][owner])
        return result

    def _add(self, result: Columns, tokens: Any, index: int, begin: int, end: int) -> None:
        inside = np.array([part == 1 for part in tokens.sequence_ids(index)])
        offsets = np.asarray(tokens["offset_mapping"][index])
        starts = np.where(inside, offsets[:, 0], -1)
        ends = np.where(inside, offsets[:, 1], -1)
        null = self._null(tokens["input_ids"][index])
        first, last = answer_tokens(starts, ends, begin, end) or (null, null)
        values = (starts.tolist(), ends.tolist(), null, first, last)
        for name, value in zip(("starts", "ends", "null", "first", "last"), values, strict=True):
            result[name].append(value)

    def _null(self, ids: Sequence[int]) -> int:
        """The token that stands for no answer: the mark of the whole, else the first one."""
        mark = self.tokenizer.cls_token_id
        return ids.index(mark) if mark in ids else 0

    def _short(self, questions: Sequence[str]) -> list[str]:
        """Questions that leave half of a window to the context, without blanks before them."""
        plain = [question.lstrip() for question in questions]
        tokens = self.tokenizer(
            plain, truncation=True, max_length=self.max_length // 2, add_special_tokens=False,
            return_offsets_mapping=True,
        )  # fmt: skip
        limits = [offsets[-1][1] if offsets else 0 for offsets in tokens["offset_mapping"]]
        return [question[:limit] for question, limit in zip(plain, limits, strict=True)]


@dataclass(frozen=True)
class SentenceWindows:
    """Cuts sentences into windows of ``max_length`` tokens that share a quarter of them."""

    tokenizer: Any
    max_length: int

    def __call__(self, rows: Columns) -> Columns:
        """Windows of rows with ``words``, the ``codes`` of their tags, and ``row``.

        ``words`` has the word that begins at each token, or −1; each word is in one window only.
        ``tags`` has its code.
        """
        tokens = self.tokenizer(
            rows["words"], is_split_into_words=True, truncation=True, max_length=self.max_length,
            stride=self.max_length // 4, return_overflowing_tokens=True,
            return_attention_mask=False,
        )  # fmt: skip
        owners = tokens["overflow_to_sample_mapping"]
        result: Columns = {name: tokens[name] for name in _TOKENS if name in tokens}
        result |= {"words": [], "tags": [], "row": [rows["row"][owner] for owner in owners]}
        for owner, numbers in groupby(range(len(owners)), owners.__getitem__):
            windows = [tokens.word_ids(number) for number in numbers]
            for window, share in zip(windows, shares(windows), strict=True):
                firsts = [word if word in share else -1 for word in first_tokens(window)]
                result["words"].append(firsts)
                result["tags"].append(targets_of(firsts, rows["codes"][owner]))
        return result


def answer_tokens(
    starts: NDArray[np.int64], ends: NDArray[np.int64], begin: int, end: int
) -> tuple[int, int] | None:
    """The first and last token of characters ``begin:end``; ``None`` if the window cuts them."""
    tokens = np.flatnonzero(starts >= 0)
    if begin < 0 or not len(tokens) or starts[tokens[0]] > begin or ends[tokens[-1]] < end:
        return None
    touched = tokens[(ends[tokens] > begin) & (starts[tokens] < end)]
    return (int(touched[0]), int(touched[-1])) if len(touched) else None


class WindowSource(TokenSource):
    """Windows with a column ``row``; outside of training, those of one row come in one batch.

    There, ``batch.rows`` holds the rows, and ``targets["row"]`` is the one of them that each window
    belongs to.
    """

    def __init__(
        self, samples: datasets.Dataset, collate: Collate, device: torch.device, rows: pa.Table
    ) -> None:
        super().__init__(samples, collate, device)
        self._whole = Rows(rows)
        self._count = rows.num_rows
        self._owners = torch.from_numpy(np.array(samples.data.column("row").to_numpy()))

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        for numbers, batch in zip(plan[start:], super().read(plan, start, noise), strict=True):
            if noise is None:
                owners = self._owners[numbers]
                begins = torch.cat([torch.ones(1, dtype=torch.bool), owners[1:] != owners[:-1]])
                batch.rows = self._whole.take(owners[begins].numpy())
                batch.targets["row"] = (begins.cumsum(0) - 1).tolist()
            yield batch

    def plan(self, batch_size: int, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        """Without a generator, batches end where a row ends."""
        if generator is not None:
            return super().plan(batch_size, generator)
        return self._whole_rows(torch.arange(len(self)), batch_size)

    def evaluation_plan(self, batch_size: int) -> list[Tensor]:
        """Whole rows, those with the longest windows first."""
        longest = torch.zeros(self._count, dtype=torch.int64)
        longest = longest.scatter_reduce(0, self._owners, self.lengths, "amax")
        order = longest[self._owners].argsort(stable=True, descending=True)
        # The sort is stable, so the windows of a row stay together.
        return self._whole_rows(order, batch_size)

    def _whole_rows(self, order: Tensor, batch_size: int) -> list[Tensor]:
        owners = self._owners[order]
        borders = [0, *((owners[1:] != owners[:-1]).nonzero().flatten() + 1).tolist(), len(order)]
        batches, begin = [], 0
        for border, after in zip(borders[1:], [*borders[2:], None], strict=True):
            if after is None or after - begin > batch_size:
                batches.append(order[begin:border])
                begin = border
        return [batch for batch in batches if len(batch)]
