"""Instructions with their answers as tokens, and which of these are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from engine.data.labels import IGNORED
from engine.text.any_tokenizer import is_fast
from engine.text.bordered_tokens import bordered
from engine.text.placed_tokens import Placed
from engine.text.prompts import Marked, Prompts

Tokens = tuple[list[int], list[bool], Sequence[float]]
"""Ids, whether each is learned, and the characters that it stands for."""


@dataclass(frozen=True)
class Instructions:
    """Turns rows into ``input_ids`` and ``labels``, which are the tokens one place later."""

    tokenizer: Any
    max_length: int
    completions_only: bool
    prompts: Prompts

    def __call__(self, rows: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Rows by the roles of their columns."""
        samples = [
            self._sample(self.prompts.marked(dict(zip(rows, values, strict=True))))
            for values in zip(*rows.values(), strict=True)
        ]
        names = ("input_ids", "labels", "characters")
        return {name: [sample[i] for sample in samples] for i, name in enumerate(names)}

    def _sample(self, marked: Marked) -> tuple[list[int], list[int], int]:
        read = self._placed if is_fast(self.tokenizer) else self._bordered
        ids, learned, sizes = read(marked)
        longest = self.max_length + 1
        ids, learned, sizes = ids[:longest], learned[:longest], sizes[:longest]
        labels = [token if keep else IGNORED for token, keep in zip(ids, learned, strict=True)]
        end = self.tokenizer.eos_token_id
        characters = sum(
            size
            for size, label in zip(sizes[1:], labels[1:], strict=True)
            if label not in (IGNORED, end)
        )
        return ids[:-1], labels[1:], round(characters)

    def _bordered(self, marked: Marked) -> Tokens:
        """Tokens by the borders of answers; between two, each has the mean number of characters."""
        begins, ends = [span[0] for span in marked.spans], [span[1] for span in marked.spans]
        ids, before = bordered(self.tokenizer, marked.text, begins, ends)
        learned, sizes = [not self.completions_only] * len(ids), [0.0] * len(ids)
        for begin, until in pairwise(sorted(before)):
            first, last = before[begin], before[until]
            sizes[first:last] = [(until - begin) / max(1, last - first)] * (last - first)
        for begin, until in marked.spans:
            first, last = before[begin], before[until]
            # The mark of the end behind a completion is learned with it.
            last += ids[last : last + 1] == [self.tokenizer.eos_token_id]
            learned[first:last] = [True] * (last - first)
        return ids, learned, sizes

    def _placed(self, marked: Marked) -> Tokens:
        """Tokens by their places in the text."""
        ids, offsets = self._tokens(marked)
        # The mark of the end behind a completion is learned with it.
        end = self.tokenizer.eos_token_id
        learned = [
            not self.completions_only
            or any(begin <= first and (last <= until or ids[place] == end) and first <= until
                   for begin, until in marked.spans)
            for place, (first, last) in enumerate(offsets)
        ]  # fmt: skip
        return ids, learned, [last - first for first, last in offsets]

    def _tokens(self, marked: Marked) -> Placed:
        """Tokens of the whole text, those of each prompt in it as they are in a prediction."""
        text = marked.text
        ids, offsets = self._tokenized(text)
        begins = [begin for begin, _ in marked.spans if begin]
        # A token may join the end of a prompt with the beginning of its answer.
        cuts = [
            begin for begin in begins
            if (before := self._tokenized(text[:begin])[0]) != ids[: len(before)]
        ]  # fmt: skip
        if not cuts:
            return ids, offsets
        ids, offsets = [], []
        for begin, until in pairwise([0, *cuts, len(text)]):
            tokens, places = self._tokenized(text[begin:until])
            ids += tokens
            offsets += [(first + begin, last + begin) for first, last in places]
        return ids, offsets

    def _tokenized(self, text: str) -> Placed:
        tokens = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True,
            truncation=True, max_length=self.max_length + 1,
        )  # fmt: skip
        return tokens["input_ids"], tokens["offset_mapping"]


def not_learned(labels: Sequence[Sequence[int]], max_length: int) -> tuple[int, int]:
    """Count the samples without a token to learn: those that are truncated, and the others."""
    lost = [len(row) for row in labels if all(label == IGNORED for label in row)]
    truncated = sum(length >= max_length for length in lost)
    return truncated, len(lost) - truncated
