"""Greedy answers of two networks to the same prompts, held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.text.generation.continuation import has_cache

PROMPTS, TOKENS = 10, 24
"""Number of prompts that are answered, and the length of the answers."""
_SHOWN = 40
"""Characters of an answer in a message."""


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


def differences(
    tokenizer: Any, ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]
) -> list[str]:
    """Return a sentence on the first differing token of each answer that is not the same."""
    return [
        _sentence(tokenizer, number, one, other)
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True), 1)
        if list(one) != list(other)
    ]


def _sentence(tokenizer: Any, number: int, one: Sequence[int], other: Sequence[int]) -> str:
    pairs = zip(one, other, strict=False)
    place = next((p for p, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))

    def at(tokens: Sequence[int]) -> str:
        return repr(tokenizer.decode(tokens[place : place + 1])) if place < len(tokens) else "none"

    def text(tokens: Sequence[int]) -> str:
        return repr(tokenizer.decode(tokens, skip_special_tokens=True)[:_SHOWN])

    return (
        f"answer {number} differs from token {place + 1}, {at(one)} here and {at(other)} there: "
        f"{text(one)} / {text(other)}"
    )
