"""Prompts, written from a row's columns in the same way for training and for prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.text.tokens.literals import Span

Row = Mapping[str, Any]
"""The values of a row by their roles: prompt, completion, messages, input, system …"""

_BLANKS = " \t"


@dataclass(frozen=True)
class Prompt:
    """A prompt without the blanks at its end, and these, with which the answer begins."""

    text: str
    blanks: str
    literals: Sequence[Span] = ()
    """The places of special tokens in it that are plain text."""
    beginning: Sequence[int] = ()
    """The tokens before it."""


@dataclass(frozen=True)
class Marked:
    """A whole text, and the spans in it that are learned."""

    text: str
    spans: Sequence[Span]
    shortened: bool = False
    """Whether something of an answer is not in the text: some templates leave thoughts out."""
    unsaid: bool = False
    """Whether something of the turns before an answer is not in the text."""
    literals: Sequence[Span] = ()
    """The places of special tokens in it that are plain text."""
    beginning: Sequence[int] = ()
    """The tokens before it."""
    exact: bool = False
    """Whether no mark of the end behind a span is learned with it."""


class Prompts(ABC):
    """One way to write prompts and the answers behind them."""

    @abstractmethod
    def prompt(self, row: Row) -> Prompt:
        """Return a row's prompt; raises :class:`DataError`."""

    @abstractmethod
    def marked(self, row: Row) -> Sequence[Marked]:
        """Return a row's prompt with its answers; raises :class:`DataError`.

        It is several texts where an answer would be written otherwise once others follow it.
        """


def cut(text: str) -> Prompt:
    """Leave the blanks at the end of a prompt to the answer.

    Tokenizers join a blank with the word behind it. A prompt that kept it would end in a token that
    is never followed by a word in any other text.
    """
    short = text.rstrip(_BLANKS)
    return Prompt(short, text[len(short) :])


def text_of(value: Any) -> str:
    """Return a cell as text; a missing one is empty."""
    return "" if value is None else str(value)
