"""Continuations of texts by a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from transformers.generation.utils import GenerateDecoderOnlyOutput

from engine.text.generation.decoding import noted_ends
from engine.text.generation.finite_outputs import checked
from engine.text.tokens.beginning import last_tokens
from engine.text.transformers_private import is_stateful

_BATCH = 64
"""Prompts that are continued at once."""
_STEPS = 16
"""Tokens after which rows that have ended are left out."""
_COUNTED = ("min_new_tokens", "exponential_decay_length_penalty", "begin_suppress_tokens")
"""Settings of ``generate`` that begin behind the tokens that it is given."""
_CACHE = "cache" if "cache" in GenerateDecoderOnlyOutput.__dataclass_fields__ else "past_key_values"
"""The name of the cache that ``generate`` takes and returns: ``cache`` since transformers 5.24."""


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
    cut = [last_tokens(prompt, room, tokenizer.bos_token_id) for prompt in prompts]
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
    groups = [rows]
    if is_stateful(network):
        groups = [list(group) for _, group in groupby(rows, lambda row: lengths[row])]
    for group in groups:
        yield from (group[first : first + _BATCH] for first in range(0, len(group), _BATCH))


def _generated(
    network: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    longest: int,
) -> list[str]:
    """Generate some tokens at a time, and go on with the rows that have not ended."""
    width = max(map(len, prompts))
    pad, ends = tokenizer.pad_token_id, ends_for(network, tokenizer)
    device = next(network.parameters()).device
    ids = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    ids, mask = ids.to(device), mask.to(device)
    rows, cache = torch.arange(len(prompts), device=device), None
    written: list[list[int]] = [[] for _ in prompts]
    left = min(sampling.max_new_tokens, longest)
    steps = left if is_stateful(network) or _counts(network) else _STEPS
    while left and len(rows):
        made = network.generate(
            input_ids=ids,
            attention_mask=mask,
            pad_token_id=pad,
            eos_token_id=ends or None,
            return_dict_in_generate=True,
            **sampling.options | {"max_new_tokens": min(left, steps)},
            **({} if has_cache(network) else {"use_cache": False}),
            **({} if cache is None else {_CACHE: cache}),
            **checked(sampling.temperature),
        )
        new = made.sequences[:, ids.shape[1] :]
        for row, tokens in zip(rows.tolist(), new.tolist(), strict=True):
            written[row] += tokens
        left -= new.shape[1]
        going = ~torch.isin(new, new.new_tensor(ends)).any(1)
        rows, ids = rows[going], made.sequences[going]
        mask = torch.cat([mask[going], mask.new_ones(len(rows), new.shape[1])], 1)
        cache = _of_rows(getattr(made, _CACHE), going) if left else None
    texts: list[str] = tokenizer.batch_decode(written, skip_special_tokens=True)
    return texts


def ends_for(network: Any, tokenizer: Any) -> list[int]:
    """Return the tokens at which generation stops: the tokenizer's, and those of the network."""
    ends = (tokenizer.eos_token_id, *noted_ends(network))
    return list(dict.fromkeys(end for end in ends if end is not None))


def _counts(network: Any) -> bool:
    """Return whether settings of a network count from the prompt: each call would count anew."""
    settings = getattr(network, "generation_config", None)
    return any(getattr(settings, name, None) for name in _COUNTED)


def _of_rows(cache: Any, going: Tensor) -> Any:
    """Return the cache of some rows; ``None`` where it has no rows, and is to be computed anew."""
    if not all(hasattr(layer, "batch_select_indices") for layer in getattr(cache, "layers", [0])):
        return None
    cache.batch_select_indices(going.nonzero().flatten())
    return cache
