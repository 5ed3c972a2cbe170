"""Continuations of prompts by a language model, by the settings of its task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from engine.batches.source import Batch
from engine.config.tasks.generation import GenerationConfig
from engine.text.chat.prompts import Prompt
from engine.text.generation.continuation import Sampling, continued
from engine.text.generation.decoding import also_ends, marks_of, record_decoding

_SAMPLE_TOKENS = 64
"""Samples while it trains are no longer than this: writing is slow."""


@dataclass(frozen=True)
class Continuations:
    """A tokenizer, how tokens are sampled, and the length of a prompt with its continuation."""

    tokenizer: Any
    sampling: Sampling
    longest: int

    @classmethod
    def of(
        cls, section: GenerationConfig, seed: int, tokenizer: Any, longest: int
    ) -> Continuations:
        """Return those with the settings of a task."""
        most = section.max_new_tokens
        return cls(tokenizer, Sampling(most, section.temperature, section.top_p, seed), longest)

    @property
    def while_training(self) -> Continuations:
        """The same, short enough for samples between updates."""
        most = min(_SAMPLE_TOKENS, self.sampling.max_new_tokens)
        return replace(self, sampling=replace(self.sampling, max_new_tokens=most))

    def texts(self, network: nn.Module, prompts: Sequence[Sequence[int]]) -> list[str]:
        """Return what the network writes after prompts of tokens."""
        return continued(network, self.tokenizer, prompts, self.sampling, self.longest)

    def records(
        self, network: nn.Module, batch: Batch, prompts: Sequence[Prompt]
    ) -> list[dict[str, Any]]:
        """Return the prompts of a batch, as they are read, and what the network writes."""
        tokens = tokens_of(batch)
        begun = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [
            {"prompt": beginning, "continuation": text.removeprefix(prompt.blanks)}
            for beginning, text, prompt in zip(
                begun, self.texts(network, tokens), prompts, strict=True
            )
        ]

    def record_in(self, network: nn.Module, ends: Sequence[int]) -> None:
        """Note in the network what its texts are generated with.

        They end at a token of ``ends``, or at another at which those of the base model ended.
        """
        all_ends = list(dict.fromkeys([*ends, *also_ends(network, self.tokenizer)]))
        record_decoding(network, self.sampling.options | marks_of(self.tokenizer, all_ends))


def tokens_of(batch: Batch) -> list[list[int]]:
    """Return the tokens of each row without padding."""
    ids, mask = batch.inputs["input_ids"].tolist(), batch.inputs.get("attention_mask")
    lengths = [len(row) for row in ids] if mask is None else mask.sum(1).tolist()
    return [row[:length] for row, length in zip(ids, lengths, strict=True)]
