"""Continuations of texts by a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


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


def has_cache(model: Any) -> bool:
    """Return whether transformers can make a cache for a network: not for BLT's several parts."""
    return hasattr(model.config.get_text_config(decoder=True), "num_hidden_layers")


def continued(
    network: nn.Module, tokenizer: Any, prompt: Sequence[int], sampling: Sampling, longest: int
) -> str:
    """Return the text that ``network`` generates after a prompt, cut to its last tokens if too
    long.

    Random numbers come from ``sampling.seed`` and leave the global generators unchanged. So
    sampling during a run does not change the run.
    """
    model: Any = network
    device = next(network.parameters()).device
    room = max(1, longest - sampling.max_new_tokens)
    ids = torch.tensor([list(prompt)[-room:]], device=device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(sampling.seed)
        written = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **sampling.options | {"max_new_tokens": min(sampling.max_new_tokens, longest)},
            **({} if has_cache(model) else {"use_cache": False}),
        )
    text: str = tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)
    return text
