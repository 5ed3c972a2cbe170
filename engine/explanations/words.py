"""Gradient times input: the words of a text that speak for or against an output.

To first order, what the output would lose if the embedding of a token were zero. After Shrikumar et
al., "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences"
(2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.metrics.logits import logits_of
from engine.text.tokens.any_tokenizer import is_fast

Inputs = dict[str, Tensor]


def token_weights(network: Any, inputs: Inputs, target: int) -> list[float]:
    """Return the weight of each token of the only text of a batch for one of the logits."""
    embedded: list[Tensor] = []

    def watch(module: object, arguments: object, output: Tensor) -> Tensor:
        del module, arguments
        # A tensor of its own: the embeddings may be frozen.
        embedded.append(output.detach().requires_grad_())
        return embedded[-1]

    with torch.inference_mode(False), torch.enable_grad():
        handle = network.get_input_embeddings().register_forward_hook(watch)
        try:
            copies = {name: tensor.clone() for name, tensor in inputs.items()}
            logit = logits_of(network, copies)[0, target].float()
        finally:
            handle.remove()
        (slope,) = torch.autograd.grad(logit, embedded[:1])
    weights: list[float] = (slope * embedded[0]).float().sum(2)[0].tolist()
    return weights


def word_weights(
    tokenizer: Any, texts: Sequence[str], ids: Sequence[int], weights: Sequence[float]
) -> list[tuple[str, float]]:
    """Return the words of one text or a pair, each with the sum of its tokens' weights.

    ``ids`` are the tokens that the network read. Special tokens are left out. Tokenizers that do
    not tell the words of their tokens give the tokens themselves.
    """
    encoding = (
        tokenizer(*texts, truncation=True, max_length=len(ids)) if is_fast(tokenizer) else None
    )
    if encoding is None or list(encoding["input_ids"]) != list(ids):
        special = set(tokenizer.all_special_ids)
        named = zip(ids, tokenizer.convert_ids_to_tokens(list(ids)), weights, strict=True)
        return [(str(token), weight) for number, token, weight in named if number not in special]
    return list(_words(encoding, texts, weights))


def _words(
    encoding: Any, texts: Sequence[str], weights: Sequence[float]
) -> Iterator[tuple[str, float]]:
    sums: dict[tuple[int, int], float] = {}
    places = zip(encoding.sequence_ids(), encoding.word_ids(), weights, strict=True)
    for text, word, weight in places:
        if text is not None and word is not None:
            sums[text, word] = sums.get((text, word), 0.0) + weight
    for (text, word), weight in sums.items():
        span = encoding.word_to_chars(word, sequence_index=text)
        yield texts[text][span.start : span.end].strip(), weight
