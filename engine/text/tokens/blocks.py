"""Texts as one long row of tokens, cut into blocks without padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise, Source, mixed
from engine.data.labels import IGNORED
from engine.data.on_disk import LARGE, end_to_end

Join = Literal["auto", "lines", "documents"]

_PIECE = 1 << 16
"""Number of characters, about, up to which lines are joined before tokenisation."""


class BlockSource(Source):
    """Blocks of a row of tokens, each predicting the token after each of its own.

    In every epoch of training the blocks begin at another place. Inputs are ``input_ids`` ``[batch,
    length]``; targets have the ``labels``, one token later, and how many ``characters`` they stand
    for. The first inputs of each block are the tokens that prompts begin with, where they do.
    """

    def __init__(
        self,
        tokens: Tensor,
        length: int,
        characters_per_token: float,
        device: torch.device,
        beginning: Sequence[int] = (),
    ) -> None:
        """``tokens`` is one row of numbers, which moves to ``device`` at once where it is small;
        ``length`` is that of a block.
        """
        self._device = device
        self._tokens = tokens.to(device) if tokens.nbytes <= LARGE else tokens
        self.slow = self._tokens.device.type != device.type
        self._length = length
        self._characters = characters_per_token
        self._beginning = torch.tensor(beginning, dtype=torch.long, device=device)

    def __len__(self) -> int:
        return max(0, (len(self._tokens) - 1) // self._length)

    @override
    def batch_rows(self, batch_size: int) -> int:
        tokens = self.batch_tokens
        return batch_size if tokens is None else max(1, round(tokens / self._length))

    @override
    def plan(self, batch_size: int, generator: torch.Generator | None = None) -> Sequence[Tensor]:
        """In training, batches of ``batch_tokens`` where these are given."""
        return super().plan(self.batch_rows(batch_size) if generator else batch_size, generator)

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; with noise, from the epoch's offset on."""
        shift = 0 if noise is None else mixed(noise.seed, noise.epoch) % self._length
        last = len(self._tokens) - 1 - self._length
        places = torch.arange(self._length + 1, device=self._tokens.device)
        for rows in plan[start:]:
            begins = (rows * self._length + shift).clamp(max=last).to(self._tokens.device)
            blocks = self._tokens[begins[:, None] + places].to(self._device).long()
            inputs, labels = self._begun(blocks[:, :-1], blocks[:, 1:])
            count = len(rows) * (self._length - max(0, len(self._beginning) - 1))
            targets = {"labels": labels, "characters": count * self._characters}
            yield Batch({"input_ids": inputs}, targets, count)

    def _begun(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks that begin as prompts do, of whose beginning nothing is learned."""
        known = len(self._beginning)
        if not known:
            return inputs, labels
        before = self._beginning.expand(len(inputs), known)
        untold = labels.new_full((len(labels), known - 1), IGNORED)
        return (
            torch.cat([before, inputs[:, known:]], 1),
            torch.cat([untold, labels[:, known - 1 :]], 1),
        )


def are_lines(texts: Iterable[str], join: Join) -> bool:
    """Return whether rows are the lines of one text: as configured, else if some are blank."""
    if join != "auto":
        return join == "lines"
    return any(not text.strip() for text in texts)


def pieces(texts: Iterable[str], lines: bool) -> Iterator[str]:
    """Yield texts to tokenise: lines joined to larger texts, documents as they are."""
    if not lines:
        yield from (text for text in texts if text.strip())
        return
    current: list[str] = []
    size = 0
    for text in texts:
        current.append(text if text.endswith("\n") else f"{text}\n")
        size += len(current[-1])
        if size >= _PIECE:
            yield "".join(current)
            current, size = [], 0
    if current:
        yield "".join(current)


def token_row(column: pa.ChunkedArray) -> NDArray[np.int32]:
    """Lists of tokens one after the other."""
    chunks = [np.asarray(chunk.flatten(), np.int32) for chunk in column.chunks]
    return end_to_end(chunks or [np.empty(0, np.int32)])


def sizes_of(texts: Iterable[str]) -> NDArray[np.int64]:
    """Characters of each text, and one for what stands between it and the next."""
    return np.fromiter((len(text) + 1 for text in texts), np.int64)


def tail_rows(sizes: NDArray[np.int64], share: float) -> int:
    """Return the number of last rows that hold a share of all characters."""
    if not share:
        return 0
    return int(np.searchsorted(np.cumsum(sizes[::-1]), share * sizes.sum()) + 1)
