"""Instructions with their answers as tokens, and which of these are learned."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from engine.data.labels import IGNORED
from engine.errors import DataError
from engine.text.chat.bordered_tokens import bordered
from engine.text.chat.conversation import Refused
from engine.text.chat.prompts import Marked, Prompts
from engine.text.tokens.any_tokenizer import is_fast
from engine.text.tokens.beginning import begun
from engine.text.tokens.literals import parts, tokens_of, within
from engine.text.tokens.placed_tokens import Placed

TooLong = Literal["drop", "cut"]
ROW = "row"
"""The column with the number of each row."""
SAMPLE = (
    "input_ids",
    "labels",
    "characters",
    "cut",
    "shortened",
    "unsaid",
    "literal",
    ROW,
    "fault",
)
"""Tokens, labels, learned characters, whether answers were cut or shortened, whether turns before
them were, whether special tokens are plain text, row and fault."""
_NOTHING: dict[str, Any] = {
    "input_ids": [0], "labels": [IGNORED], "characters": 0, "cut": False, "shortened": False,
    "unsaid": False, "literal": False,
}  # fmt: skip
"""Not empty: Arrow takes the type of a column from the first rows."""
Tokens = tuple[list[int], list[bool], Sequence[float]]
"""Ids, whether each is learned, and the characters that it stands for."""


@dataclass(frozen=True)
class Instructions:
    """Turns rows into ``input_ids`` and ``labels``, which are the tokens one place later."""

    tokenizer: Any
    max_length: int
    completions_only: bool
    prompts: Prompts
    too_long: TooLong = "cut"
    """Whether the beginnings of answers that do not fit are learned."""

    def __call__(self, rows: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Rows by the roles of their columns, and their numbers; one or more samples of each.

        A row that cannot be written is a sample without tokens, with the reason in ``fault``.
        """
        samples = [
            sample
            for values in zip(*rows.values(), strict=True)
            for sample in self._samples(dict(zip(rows, values, strict=True)))
        ]
        return {name: [sample[name] for sample in samples] for name in SAMPLE}

    def _samples(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        number = row.pop(ROW, 0)
        try:
            texts = self.prompts.marked(row)
        except Refused as error:
            why = f"the chat template of this model refuses them: {error.reason}"
            return [_NOTHING | {ROW: number, "fault": why}]
        except DataError as error:
            return [_NOTHING | {ROW: number, "fault": str(error)}]
        return [self._sample(marked) | {ROW: number, "fault": ""} for marked in texts]

    def _sample(self, marked: Marked) -> dict[str, Any]:
        read = self._placed if is_fast(self.tokenizer) else self._bordered
        ids, learned, sizes = _begun(marked, *read(marked))
        longest = self.max_length + 1
        cut = any(learned[longest:])
        if self.too_long == "drop" and any(learned[longest : longest + 1]):
            learned = _without_last_run(learned[:longest])
        ids, learned, sizes = ids[:longest], learned[:longest], sizes[:longest]
        labels = [token if keep else IGNORED for token, keep in zip(ids, learned, strict=True)]
        end = self.tokenizer.eos_token_id
        characters = sum(
            size
            for size, label in zip(sizes[1:], labels[1:], strict=True)
            if label not in (IGNORED, end)
        )
        return {
            "input_ids": ids[:-1],
            "labels": labels[1:],
            "characters": round(characters),
            "cut": cut,
            "shortened": marked.shortened,
            "unsaid": marked.unsaid,
            "literal": any(begin < until for begin, until in marked.literals),
        }

    def _bordered(self, marked: Marked) -> Tokens:
        """Tokens by the borders of answers; between two, each has the mean number of characters."""
        begins, ends = [span[0] for span in marked.spans], [span[1] for span in marked.spans]

        def read(begin: int, until: int) -> list[int]:
            text, literals = marked.text[begin:until], within(marked.literals, begin, until)
            return tokens_of(self.tokenizer, text, literals)

        ids, before = bordered(read, len(marked.text), begins, ends)
        learned, sizes = [not self.completions_only] * len(ids), [0.0] * len(ids)
        for begin, until in pairwise(sorted(before)):
            first, last = before[begin], before[until]
            sizes[first:last] = [(until - begin) / max(1, last - first)] * (last - first)
        for begin, until in marked.spans:
            first, last = before[begin], before[until]
            # The mark of the end behind a completion is learned with it.
            last += not marked.exact and ids[last : last + 1] == [self.tokenizer.eos_token_id]
            learned[first:last] = [True] * (last - first)
        return ids, learned, sizes

    def _placed(self, marked: Marked) -> Tokens:
        """Tokens by their places in the text."""
        ids, offsets = self._tokens(marked)
        # The mark of the end behind a completion is learned with it.
        end = None if marked.exact else self.tokenizer.eos_token_id
        spans = sorted(marked.spans)
        begins = [begin for begin, _ in spans]

        def is_learned(token: int, first: int, last: int) -> bool:
            place = bisect_right(begins, first) - 1
            until = spans[place][1] if place >= 0 else -1
            return first <= until and (last <= until or token == end)

        learned = [
            not self.completions_only or is_learned(token, first, last)
            for token, (first, last) in zip(ids, offsets, strict=True)
        ]
        return ids, learned, [last - first for first, last in offsets]

    def _tokens(self, marked: Marked) -> Placed:
        """Tokens of the whole text, those of each prompt in it as they are in a prediction."""
        whole = len(marked.text)
        ids, offsets = self._tokenized(marked, 0, whole)
        begins = [begin for begin, _ in marked.spans if begin]
        # A token may join the end of a prompt with the beginning of its answer. Special tokens are
        # read first, so what stands before the last of them changes nothing.
        marks = [place for place, token in enumerate(ids) if token in self._borders]
        ends = [offsets[place][1] for place in marks]
        cuts = []
        for begin in begins:
            known = bisect_right(ends, begin) - 1
            place = marks[known] if known >= 0 else 0
            first = offsets[place][0] if known >= 0 else 0
            before, _ = self._tokenized(marked, first, begin)
            if before != ids[place : place + len(before)]:
                cuts.append(begin)
        if not cuts:
            return ids, offsets
        ids, offsets = [], []
        for begin, until in pairwise([0, *cuts, whole]):
            tokens, places = self._tokenized(marked, begin, until)
            ids += tokens
            offsets += places
        return ids, offsets

    @cached_property
    def _borders(self) -> set[int]:
        """The tokens that are found in a text wherever they stand, before it is cut into others."""
        added = self.tokenizer.added_tokens_decoder.items()
        return {
            number
            for number, token in added
            if token.special and not (token.single_word or token.normalized)
        }

    def _tokenized(self, marked: Marked, begin: int, until: int) -> Placed:
        """Tokens of a part of the text, and their places in the whole."""
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        for part, plain in parts(marked.text[begin:until], within(marked.literals, begin, until)):
            made = self.tokenizer(
                part, add_special_tokens=False, return_offsets_mapping=True, verbose=False,
                split_special_tokens=plain,
            )  # fmt: skip
            ids += made["input_ids"]
            offsets += [(first + begin, last + begin) for first, last in made["offset_mapping"]]
            begin += len(part)
        return ids, offsets


def _begun(marked: Marked, ids: list[int], learned: list[bool], sizes: Sequence[float]) -> Tokens:
    """The tokens behind those that the text begins with, of which nothing is learned."""
    whole = begun(ids, marked.beginning)
    more = len(whole) - len(ids)
    return whole, [False] * more + learned, [0.0] * more + list(sizes)


def _without_last_run(learned: list[bool]) -> list[bool]:
    """Learn nothing of the answer that the last tokens belong to."""
    begin = len(learned)
    while begin and learned[begin - 1]:
        begin -= 1
    return learned[:begin] + [False] * (len(learned) - begin)
