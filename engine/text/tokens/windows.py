"""Rows that are too long to be read at once: overlapping windows, and what belongs to each."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
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
from engine.text.tokens.source import Collate, TokenSource
from engine.text.tokens.token_windows import Window, context_windows, sentence_windows
from engine.text.tokens.words import first_tokens, shares, targets_of

Columns = dict[str, list[Any]]


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
        # Some tokenizers take a blank before a question for a token.
        questions = [question.lstrip() for question in rows["question"]]
        windows = context_windows(
            self.tokenizer, questions, rows["context"], self.max_length, self.stride
        )
        names = ("starts", "ends", "null", "first", "last", "row")
        result: Columns = {name: [] for name in ("input_ids", *names)}
        for window in windows:
            owner = window.owner
            context = rows["context"][owner]
            values = self._values(window, context, rows["begin"][owner], rows["end"][owner])
            _append(
                result, window.inputs | dict(zip(names, (*values, rows["row"][owner]), strict=True))
            )
        return result

    def _values(
        self, window: Window[tuple[int, int]], context: str, begin: int, end: int
    ) -> tuple[Any, ...]:
        found = [place or (-1, -1) for place in window.places]
        if not context.isascii():
            found = [(first, _with_marks(context, last)) for first, last in found]
        places = np.array(found)
        starts, ends = places[:, 0], places[:, 1]
        null = self._null(window.inputs["input_ids"])
        first, last = answer_tokens(starts, ends, begin, end) or (null, null)
        return starts.tolist(), ends.tolist(), null, first, last

    def _null(self, ids: Sequence[int]) -> int:
        """The token that stands for no answer: the mark of the whole, else the first one."""
        mark = self.tokenizer.cls_token_id
        return ids.index(mark) if mark in ids else 0


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
        result: Columns = {"input_ids": [], "words": [], "tags": [], "row": []}
        windows = sentence_windows(
            self.tokenizer, rows["words"], self.max_length, self.max_length // 4
        )
        for owner, group in groupby(windows, lambda window: window.owner):
            some = list(group)
            for window, share in zip(some, shares([one.places for one in some]), strict=True):
                firsts = [word if word in share else -1 for word in first_tokens(window.places)]
                tags = targets_of(firsts, rows["codes"][owner])
                own = {"words": firsts, "tags": tags, "row": rows["row"][owner]}
                _append(result, window.inputs | own)
        return result


def _with_marks(text: str, end: int) -> int:
    """Return the end of a token behind the accents of its last letter, which tokenizers strip."""
    while 0 < end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return end


def _append(columns: Columns, row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        columns.setdefault(name, []).append(value)


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

    @override
    def rows_of(self, numbers: Tensor) -> list[int]:
        """Return each row once, as their windows follow each other."""
        return list(dict.fromkeys(self._owners[numbers].tolist()))

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
