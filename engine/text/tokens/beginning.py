"""The tokens before a text, such as the beginning-of-text token (BOS) of Llama, Mistral and Gemma.

A tokenizer that writes some by itself does so wherever a model is served, so texts are learned
behind them too. In a conversation the chat template alone writes them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from tokenizers.processors import TemplateProcessing

from engine.text.tokens.any_tokenizer import is_fast


def beginning_of(tokenizer: Any) -> list[int]:
    """Return the tokens that a tokenizer writes before each text by itself; most write none."""
    text = "a"
    whole: list[int] = tokenizer(text)["input_ids"]
    bare: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    places = range(len(whole) - len(bare) + 1)
    return whole[: next((at for at in places if whole[at : at + len(bare)] == bare), 0)]


def ends_texts(tokenizer: Any) -> bool:
    """Return whether a tokenizer writes a token behind each text by itself."""
    ids = tokenizer("a")["input_ids"]
    return bool(ids[-1:] != tokenizer("a", add_special_tokens=False)["input_ids"][-1:])


def without_end(tokenizer: Any) -> Any:
    """Return a tokenizer that writes nothing behind a text, where its answer is to stand.

    One without a post-processor is returned as it is.
    """
    if not ends_texts(tokenizer) or not is_fast(tokenizer):
        return tokenizer
    begin = beginning_of(tokenizer)
    names = tokenizer.convert_ids_to_tokens(begin)
    made = copy.deepcopy(tokenizer)
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single=[*names, "$A"], special_tokens=list(zip(names, begin, strict=True))
    )
    return made


def begun(ids: Sequence[int], beginning: Sequence[int]) -> list[int]:
    """Return tokens behind a ``beginning``, which some texts have themselves."""
    here = list(beginning)
    return list(ids) if list(ids[: len(here)]) == here else [*here, *ids]


def last_tokens(ids: Sequence[int], most: int, bos: int | None) -> list[int]:
    """Return at most the last tokens of a prompt, the first of them ``bos`` where it begins so."""
    if len(ids) <= most or bos is None or ids[0] != bos or most < 2:
        return list(ids[-most:])
    return [bos, *ids[1 - most :]]
