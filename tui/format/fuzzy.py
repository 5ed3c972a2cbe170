"""Fuzzy matching of typed words with names and paths: by parts first, then by letters in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textual.content import Content

_START, _WORD, _PART, _ELSEWHERE, _LETTERS = 0, 1, 2, 3, 10
"""Rank of a word by its place: start of the last part of a path, start of a word in it, anywhere
in it, anywhere in the path, and as letters that are not side by side."""
_SEPARATED = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Match:
    """The places of the typed letters in a text."""

    rank: int
    """Lower is better; from :data:`_LETTERS` on, the letters of a word are not side by side."""
    places: tuple[int, ...]

    @property
    def close(self) -> bool:
        """Whether each word is a part of the text."""
        return self.rank < _LETTERS


def match(typed: str, text: str) -> Match | None:
    """Return the places of the words of ``typed`` in ``text``; ``None`` if one does not match.

    Case is ignored. The empty text matches everything.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter that lowers to two: places would be wrong
        lowered = text
    rank, places = 0, list[int]()
    for word in typed.lower().split():
        found = _part(word, lowered) or _letters(word, lowered)
        if found is None:
            return None
        rank += found.rank
        places += found.places
    return Match(rank, tuple(places))


def highlighted(text: Content, places: Sequence[int]) -> Content:
    """Return the text with the letters at the places underlined."""
    for place in places:
        text = text.stylize("bold underline $primary", place, place + 1)
    return text


def _part(word: str, text: str) -> Match | None:
    last = text.rstrip("/").rfind("/") + 1
    ranked = ((_rank(text, place, last), place) for place in _occurrences(word, text))
    best = min(ranked, default=None)
    if best is None:
        return None
    rank, place = best
    return Match(rank, tuple(range(place, place + len(word))))


def _occurrences(word: str, text: str) -> Iterator[int]:
    place = text.find(word)
    while place >= 0:
        yield place
        place = text.find(word, place + 1)


def _rank(text: str, place: int, last: int) -> int:
    if place < last:
        return _ELSEWHERE
    if place == last:
        return _START
    return _PART if _SEPARATED.match(text[place - 1]) else _WORD


def _letters(word: str, text: str) -> Match | None:
    """Return the letters in order, each at its first place behind the one before it."""
    places: list[int] = []
    at = -1
    for letter in word:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        places.append(at)
    gaps = places[-1] - places[0] + 1 - len(word)
    return Match(_LETTERS + gaps, tuple(places))
