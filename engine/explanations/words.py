"""Gradient times input: the words of a text that speak for or against an output.

To first order, what the output would lose if the embedding of a token were zero. After Shrikumar et
al., "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences"
(2016).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.metrics.logits import logits_of
from engine.text.tokens.any_tokenizer import is_fast

Inputs = dict[str, Tensor]
Span = tuple[int, int]
"""Places of the first character and behind the last one."""
_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters, between whose words are no blanks."""
_UNSPACED = re.compile(f"[{_LETTERS}]")
_RUN = re.compile(rf"[{_LETTERS}]+|[^\s{_LETTERS}]+")
"""Characters of one kind that follow each other."""


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
    sums: list[tuple[int, Span, float]] = []
    places = zip(encoding.sequence_ids(), encoding.word_ids(), weights, strict=True)
    for place, (text, word, weight) in enumerate(places):
        if text is None or word is None:
            continue
        whole = encoding.word_to_chars(word, sequence_index=text)
        span = _word_of(texts[text], whole, encoding.token_to_chars(place))
        if sums and sums[-1][0] == text and span[0] < sums[-1][1][1]:
            _, (start, end), before = sums.pop()
            span, weight = (start, max(end, span[1])), weight + before
        sums.append((text, span, weight))
    for text, (start, end), weight in sums:
        yield texts[text][start:end].strip(), weight


def _word_of(text: str, word: Span, token: Span | None) -> Span:
    """Return the part of a tokenizer's ``word`` that a token of it is shown with.

    Some tokenizers (Llama 2, Mistral, Gemma) take a whole text for a word, and most take what
    stands between blanks for one, which in Chinese is a sentence.
    """
    start, end = word
    begins, ends = token or word
    runs = list(_RUN.finditer(text, start, end))
    run = next((run for run in runs if run.end() > begins), None)
    if run is None:  # blanks: a part of the next word, or of the last one
        after = _RUN.search(text, end)
        place = after.start() if after else runs[-1].start() if runs else start
        return (begins, place + 1) if after else (place, max(place + 1, end))
    if not _UNSPACED.match(run[0]):
        return run.span()
    first = max(run.start(), begins)
    return first, max(ends, first + 1)
