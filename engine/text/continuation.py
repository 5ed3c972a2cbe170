"""Continuations of texts by a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import nn

_BATCH = 64
"""Prompts that are continued at once."""


@dataclass(frozen=True)
class Sampling:
    """Decoding parameters: the choice of the next token."""

    max_new_tokens: int
    temperature: float
    """0 takes the likeliest."""
    top_p: float
    seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """The same by the names that ``generate`` of transformers has."""
        options: dict[str, Any] = {"do_sample": False}
        if self.temperature > 0:
            options = {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p,
                       "top_k": 0}  # fmt: skip
        return options | {"max_new_tokens": self.max_new_tokens}


def continued(
    network: nn.Module,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    longest: int,
) -> list[str]:
    """Return the texts that ``network`` generates after prompts, which are cut to their last
    tokens if too long.

    Prompts of about the same length are continued together. Random numbers come from
    ``sampling.seed`` and leave the global generators unchanged: sampling during a run does not
    change the run.
    """
    room = max(1, longest - sampling.max_new_tokens)
    cut = [list(prompt)[-room:] for prompt in prompts]
    device = next(network.parameters()).device
    texts = [""] * len(cut)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(sampling.seed)
        for rows in _together(network, list(map(len, cut))):
            some = _generated(network, tokenizer, [cut[row] for row in rows], sampling, longest)
            for row, text in zip(rows, some, strict=True):
                texts[row] = text
    return texts


def _together(network: Any, lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the numbers of prompts that are continued together, the longest first.

    Networks that keep a state in place of the tokens read padding as text: theirs have one length.
    """
    rows = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    stateful = getattr(network, "_is_stateful", False)
    groups = groupby(rows, lambda row: lengths[row]) if stateful else [(0, iter(rows))]
    for _, group in groups:
        alike = list(group)
        yield from (alike[first : first + _BATCH] for first in range(0, len(alike), _BATCH))


def _generated(
    network: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    longest: int,
) -> list[str]:
    width, pad = max(map(len, prompts)), tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    device = next(network.parameters()).device
    written = network.generate(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        pad_token_id=pad,
        eos_token_id=tokenizer.eos_token_id,
        **sampling.options | {"max_new_tokens": min(sampling.max_new_tokens, longest)},
    )
    texts: list[str] = tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)
    return texts
