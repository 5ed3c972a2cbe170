"""Texts that an encoder-decoder generates for some sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from engine.text.tokens.any_tokenizer import text_of

_BATCH = 64
"""Sources that are written for at once."""


@dataclass(frozen=True)
class Writing:
    """Decoding parameters of generated texts."""

    max_new_tokens: int
    num_beams: int = 1
    """1 takes the likeliest token each time."""
    length_penalty: float = 1.0
    """With beams: above 0 favours longer texts the more the larger it is."""

    @property
    def options(self) -> dict[str, Any]:
        """The same by the names that ``generate`` of transformers has."""
        options: dict[str, Any] = {"num_beams": self.num_beams, "do_sample": False}
        if self.num_beams > 1:
            options |= {"length_penalty": self.length_penalty, "early_stopping": True}
        return options | {"max_new_tokens": self.max_new_tokens}


def sources_of(inputs: dict[str, Tensor]) -> list[Tensor]:
    """The tokens of each row without padding."""
    lengths = inputs["attention_mask"].sum(1).tolist()
    return [row[:length] for row, length in zip(inputs["input_ids"], lengths, strict=True)]


def written(
    network: nn.Module, tokenizer: Any, sources: Sequence[Tensor], start: int, writing: Writing
) -> list[str]:
    """A text for each of ``sources``, which are tokens without padding.

    ``start`` is the token that the decoder begins with.
    """
    order = sorted(range(len(sources)), key=lambda row: len(sources[row]), reverse=True)
    texts = [""] * len(sources)
    for first in range(0, len(order), _BATCH):
        rows = order[first : first + _BATCH]
        some = [sources[row] for row in rows]
        for row, text in zip(rows, _some(network, tokenizer, some, start, writing), strict=True):
            texts[row] = text
    return texts


def _some(
    network: nn.Module, tokenizer: Any, sources: Sequence[Tensor], start: int, writing: Writing
) -> list[str]:
    model: Any = network
    pad = tokenizer.pad_token_id
    ids = pad_sequence(list(sources), batch_first=True, padding_value=pad)
    mask = pad_sequence([torch.ones_like(row) for row in sources], batch_first=True)
    with torch.no_grad():
        tokens = model.generate(
            input_ids=ids,
            attention_mask=mask,
            decoder_start_token_id=start,
            pad_token_id=pad,
            **writing.options,
        )
    return [text_of(tokenizer, row).strip() for row in tokens.tolist()]
