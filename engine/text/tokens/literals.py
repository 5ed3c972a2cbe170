"""Special tokens that are written in people's texts, where they are plain text.

In a conversation the chat template alone writes marks: a text that holds the same words must not be
able to end a turn. While a template is applied, characters of no meaning stand for them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Span = tuple[int, int]
"""The first character, and the one after the last."""

_PRIVATE = range(0xE000, 0xF900)


def special_tokens(tokenizer: Any) -> set[str]:
    """Return the tokens of a tokenizer that it can be told to read as plain text."""
    added = tokenizer.added_tokens_decoder.values()
    special = {*tokenizer.all_special_tokens, *(one.content for one in added if one.special)}
    return special - {""}


def added_tokens(tokenizer: Any) -> set[str]:
    """Return the tokens of a tokenizer that are no pieces of words: by some of them turns end."""
    added = {one.content for one in tokenizer.added_tokens_decoder.values()}
    return special_tokens(tokenizer) | added - {""}


def finder(tokens: Collection[str]) -> re.Pattern[str]:
    """Return what finds ``tokens`` in a text, the longest of those at one place."""
    longest_first = sorted(tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def stand_ins(values: Iterable[tuple[Any, re.Pattern[str]]]) -> dict[str, str]:
    """Return a free character for each token that is found in the texts of a value."""
    texts = [(text, find) for value, find in values for text in _texts(value)]
    found = dict.fromkeys(token for text, find in texts for token in find.findall(text))
    if not found:
        return {}
    free = (chr(code) for code in _PRIVATE if not any(chr(code) in text for text, _ in texts))
    return dict(zip(found, free, strict=False))


def hidden(value: Any, find: re.Pattern[str], marks: Mapping[str, str]) -> Any:
    """Return ``value`` with the stand-ins ``marks`` in the place of tokens."""
    if not marks:
        return value
    if isinstance(value, str):
        return find.sub(lambda found: marks.get(found[0], found[0]), value)
    if isinstance(value, Mapping):
        return {name: hidden(part, find, marks) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(part, find, marks) for part in value]
    return value


def revealed(text: str, marks: Mapping[str, str]) -> str:
    """Return a text with special tokens in the place of their stand-ins."""
    for token, mark in marks.items():
        text = text.replace(mark, token)
    return text


def literals_in(text: str, marks: Mapping[str, str], special: Collection[str]) -> list[Span]:
    """Return where the tokens of stand-ins will be once ``text`` is revealed.

    A token that is not ``special`` is two spans: tokenizers find it unless it is read in parts.
    """
    meant = {mark: token for token, mark in marks.items()}
    spans: list[Span] = []
    shift = 0
    for place, character in enumerate(text if meant else ""):
        if character in meant:
            token, begin = meant[character], place + shift
            until = begin + len(token)
            cuts = [begin, until] if token in special else [begin, begin + 1, until]
            spans += pairwise(cuts)
            shift += len(token) - 1
    return spans


def parts(text: str, literals: Sequence[Span]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, and whether each is a special token that is plain text.

    An empty span is a border between parts.
    """
    done = 0
    for begin, until in literals:
        if done < begin:
            yield text[done:begin], False
        if begin < until:
            yield text[begin:until], True
        done = until
    if done < len(text):
        yield text[done:], False


def within(literals: Sequence[Span], begin: int, until: int) -> list[Span]:
    """Return the spans inside a part of a text, as places in it."""
    return [
        (max(first, begin) - begin, min(last, until) - begin)
        for first, last in literals
        if first < until and last > begin
    ]


def tokens_of(tokenizer: Any, text: str, literals: Sequence[Span] = ()) -> list[int]:
    """Return the tokens of a text, none of them special where it is plain text."""
    return [
        token
        for part, plain in parts(text, literals)
        for token in tokenizer(
            part, add_special_tokens=False, return_attention_mask=False,
            split_special_tokens=plain, verbose=False,
        )["input_ids"]
    ]  # fmt: skip


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
