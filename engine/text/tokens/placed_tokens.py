"""Tokens with their characters in a text or their word in a sentence.

Fast tokenizers say both. For others, characters are found by putting the text together again from
its tokens, and only where that succeeds; words are read one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from engine.text.tokens.any_tokenizer import is_fast

Placed = tuple[list[int], list[tuple[int, int]]]
"""Ids, and the characters that each stands for."""


def placed(tokenizer: Any, text: str) -> Placed | None:
    """Return the tokens of a text; ``None`` where their characters cannot be told exactly."""
    if is_fast(tokenizer):
        made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return made["input_ids"], made["offset_mapping"]
    tokens = tokenizer.tokenize(text)
    for places in (_of_characters(tokens, text), _of_bytes(tokens, text), _of_parts(tokens, text)):
        if places is not None:
            return tokenizer.convert_tokens_to_ids(tokens), places
    return None


def word_tokens(tokenizer: Any, words: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the tokens of a sentence and the number of the word that each belongs to.

    Where a tokenizer keeps blanks, each belongs to the word before it.
    """
    spaced = [*(f"{word} " for word in words[:-1]), *words[-1:]]
    parts = [tokenizer.tokenize(word) for word in spaced]
    if list(chain.from_iterable(parts)) != tokenizer.tokenize(" ".join(words)):
        parts = [tokenizer.tokenize(word) for word in words]
    ids = tokenizer.convert_tokens_to_ids(list(chain.from_iterable(parts)))
    return ids, [number for number, part in enumerate(parts) for _ in part]


def _of_characters(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Places of tokens that are all of the text, blanks included."""
    if "".join(tokens) != text:
        return None
    places, end = [], 0
    for token in tokens:
        places.append((end, end + len(token)))
        end += len(token)
    return places


def _of_bytes(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Places of tokens that are the bytes of the text: each that of its character."""
    values = [ord(token) if len(token) == 1 else -1 for token in tokens]
    sizes = [len(character.encode("utf-8", "surrogatepass")) for character in text]
    if values != list(text.encode("utf-8", "surrogatepass")):
        return None
    return [(place, place + 1) for place, size in enumerate(sizes) for _ in range(size)]


def _of_parts(tokens: Sequence[str], text: str) -> list[tuple[int, int]] | None:
    """Places of tokens that follow each other in the text with nothing but blanks between them."""
    lower = text.lower()
    readings = [text, lower] if len(lower) == len(text) else [text]
    places, end = [], 0
    for token in tokens:
        part = _written(token)
        start = end
        while part and start < len(text) and text[start].isspace():
            start += 1
        if not any(reading.startswith(part, start) for reading in readings):
            return None
        end = start + len(part)
        places.append((start, end))
    return None if text[end:].strip() else places


def _written(token: str) -> str:
    """Return the part of the text that a token shows, without the marks of words and their parts.

    A part of the text that is removed as a mark by mistake is not found in the text afterwards.
    """
    return (
        token.removeprefix("##").removesuffix("</w>").removesuffix("@@").replace("▁", " ").strip()
    )
