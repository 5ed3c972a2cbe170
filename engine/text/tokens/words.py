"""Words and their tags in the tokens that a tokenizer makes of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import pyarrow as pa

from engine.data.raw import class_names

NOT_COUNTED = -100
"""The target of tokens that have none, as torch's losses take it."""

_JOINERS = "\u200c\u200d"
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
_LAST_MARKS = 0x1F000
"""Beyond it, only variation selectors are combining marks."""


@cache
def word_pattern() -> re.Pattern[str]:
    """Return the pattern of a word of a text that was typed, or of a mark of punctuation.

    Both keep their combining marks, such as vowel signs and accents, which ``\\w`` leaves out, and
    what joins letters or emoji.
    """
    marks = "".join(
        character
        for character in map(chr, range(_LAST_MARKS))
        if unicodedata.category(character).startswith("M")
    )
    marks += _JOINERS + _SKIN_TONES + "\U000e0100-\U000e01ef"
    letters, sign = rf"\w[\w{marks}]*", rf"[^\w\s][{marks}]*"
    return re.compile(rf"{letters}(?:['’]{letters})?|{sign}(?:(?<=\u200d){sign})*")


def words_of(value: Any, typed: bool = False) -> list[str]:
    """The words of a sentence: a list as it is, a text at its blanks.

    What a person ``typed`` has its punctuation cut off as well, as data sets have it.
    """
    if isinstance(value, str):
        return word_pattern().findall(value) if typed else value.split()
    return [str(word) for word in value or []]


def tags_in(value: Any) -> list[str]:
    """The tags of a sentence, as :func:`words_of`; whole numbers have no decimals.

    In a text they are separated by blanks or commas.
    """
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, list):
        value = [int(tag) if isinstance(tag, float) and tag.is_integer() else tag for tag in value]
    return words_of(value)


def sentences_of(
    table: pa.Table, tokens: str, tags: str, names: Sequence[str] = ()
) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of each row; rows without tags have ``O`` for every word.

    Tags that are numbers get their names from the table, else from ``names``.
    """
    typed = tags not in table.column_names
    words = [words_of(value, typed) for value in table[tokens].to_pylist()]
    if typed:
        return words, [["O"] * len(sentence) for sentence in words]
    labels = [tags_in(value) for value in table[tags].to_pylist()]
    if (own := class_names(table, tags)) is not None:
        return words, [[own[int(code)] for code in sentence] for sentence in labels]
    return words, [[_named(tag, names) for tag in sentence] for sentence in labels]


def _named(tag: str, names: Sequence[str]) -> str:
    # Runs on numbers without names have the numbers themselves as names.
    if not tag.isdecimal() or tag in names or int(tag) >= len(names):
        return tag
    return names[int(tag)]


def first_tokens(word_ids: Sequence[int | None]) -> list[int]:
    """For each token the number of the word that begins with it, or −1."""
    before: int | None = None
    result = []
    for word in word_ids:
        result.append(word if word is not None and word != before else -1)
        before = word
    return result


def targets_of(firsts: Sequence[int], codes: Sequence[int]) -> list[int]:
    """For each token the code of its word where it is the first of it, else none."""
    return [codes[word] if word >= 0 else NOT_COUNTED for word in firsts]


def shares(windows: Sequence[Sequence[int | None]]) -> list[range]:
    """The words that each window answers for: of those that two windows share, half are for each.

    ``windows`` are the numbers of the words of all tokens, in windows that follow each other. The
    beginning of a window may be the end of a word, which is then left to the window before it.
    """
    spans = []
    for window in windows:
        words = [word for word in window if word is not None]
        spans.append((words[0], words[-1]) if words else (0, -1))
    borders = [(first + last + 2) // 2 for (_, last), (first, _) in pairwise(spans)]
    return [range(*pair) for pair in pairwise([spans[0][0], *borders, spans[-1][1] + 1])]


def marked(words: Sequence[str], entities: Sequence[tuple[str, int, int]]) -> str:
    """A sentence with its entities in brackets: ``[Berlin location] is large``."""
    before = {start: "[" for _, start, _ in entities}
    after = {end - 1: f" {kind}]" for kind, _, end in entities}
    return " ".join(
        before.get(index, "") + word + after.get(index, "") for index, word in enumerate(words)
    )
