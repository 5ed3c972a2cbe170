"""Greedy answers of two networks to the same prompts, held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.text.generation.continuation import has_cache

PROMPTS, TOKENS = 10, 24
"""Number of prompts that are answered, and the length of the answers."""
_SHOWN = 40
"""Characters of an answer in a message."""
_BEFORE, _ROWS = 2, 8
"""Tokens before the first difference that are shown, and tokens that are shown in all."""


def greedy(network: nn.Module, tokenizer: Any, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the likeliest tokens behind each prompt."""
    return [_continued(network, tokenizer, prompt) for prompt in prompts]


def _continued(network: Any, tokenizer: Any, prompt: Sequence[int]) -> list[int]:
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        made = network.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=TOKENS,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **({} if has_cache(network) else {"use_cache": False}),
        )
    tokens: list[int] = made[0, ids.shape[1] :].tolist()
    return tokens


def logits(network: Any, prompts: Sequence[Sequence[int]]) -> list[Tensor]:
    """Return the logits for all tokens of each prompt."""
    with torch.inference_mode():
        return [network(input_ids=torch.tensor([list(prompt)])).logits for prompt in prompts]


@dataclass(frozen=True)
class Difference:
    """An answer that two networks do not give alike."""

    sentence: str
    """The first token that differs, and the texts around it."""
    rows: Sequence[str]
    """The tokens around it, one a line: place, id and piece here and there, the unequal marked."""

    @property
    def lines(self) -> list[str]:
        """The sentence, and the tokens below it."""
        return [self.sentence, *self.rows]


def differences(
    tokenizer: Any, ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]
) -> list[Difference]:
    """Return the difference of each pair of answers that are not the same."""
    return [
        _difference(tokenizer, number, one, other)
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True), 1)
        if list(one) != list(other)
    ]


def _difference(
    tokenizer: Any, number: int, one: Sequence[int], other: Sequence[int]
) -> Difference:
    pairs = zip(one, other, strict=False)
    place = next((p for p, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))

    def at(tokens: Sequence[int], place: int) -> str:
        return _piece(tokenizer, tokens[place]) if place < len(tokens) else "none"

    def around(tokens: Sequence[int]) -> str:
        first = max(0, place - _BEFORE)
        text = tokenizer.decode(tokens[first:], skip_special_tokens=True)
        return repr("…" * (first > 0) + text[:_SHOWN])

    def row(place: int) -> str:
        here, there = at(one, place), at(other, place)
        return f"  {' ' if here == there else '≠'} {place + 1:>3}  {here:<24}  {there}"

    last = min(max(len(one), len(other)), place + _ROWS - _BEFORE)
    return Difference(
        f"answer {number} differs from token {place + 1}, {at(one, place)} here and "
        f"{at(other, place)} there: {around(one)} / {around(other)}",
        [row(place) for place in range(max(0, place - _BEFORE), last)],
    )


def _piece(tokenizer: Any, token: int) -> str:
    """The id of a token and its text; the piece of the vocabulary for a part of a character."""
    text = tokenizer.decode([token])
    shown = tokenizer.convert_ids_to_tokens(token) if "\N{REPLACEMENT CHARACTER}" in text else text
    return f"{token} {shown!r}"
