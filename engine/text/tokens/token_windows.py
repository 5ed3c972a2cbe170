"""Windows of the tokens of texts that are too long to be read at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from engine.errors import DataError
from engine.files.sanitize import plain
from engine.text.tokens.any_tokenizer import is_fast
from engine.text.tokens.placed_tokens import placed, word_tokens

_INPUTS = ("input_ids", "token_type_ids")
P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window(Generic[P]):
    """Some tokens of the row ``owner``."""

    owner: int
    inputs: dict[str, list[int]]
    """Inputs of the network, by their names in transformers."""
    places: list[P | None]
    """Place of each token; ``None`` for those that belong to no word, or to a question."""


def context_windows(
    tokenizer: Any, questions: Sequence[str], contexts: Sequence[str], max_length: int, stride: int
) -> Iterator[Window[tuple[int, int]]]:
    """Yield windows of contexts behind their questions, with the characters of each token.

    A question takes at most half of a window. Raises :class:`DataError` where characters cannot be
    told exactly.
    """
    if is_fast(tokenizer):
        yield from _fast_contexts(tokenizer, questions, contexts, max_length, stride)
        return
    for owner, (question, context) in enumerate(zip(questions, contexts, strict=True)):
        found = placed(tokenizer, context)
        if found is None:
            raise DataError(
                f"The tokenizer of this model changes the text {plain(context[:60])!r}, so that "
                "the place of an answer in it cannot be told.",
                "Remove or rewrite such texts, or choose another model.",
            )
        asked = tokenizer(question, add_special_tokens=False)["input_ids"][: max_length // 2]
        yield from _cut(tokenizer, owner, asked, *found, max_length, stride)


def sentence_windows(
    tokenizer: Any, sentences: Sequence[Sequence[str]], max_length: int, stride: int
) -> Iterator[Window[int]]:
    """Yield windows of sentences, with the number of the word that each token belongs to."""
    if is_fast(tokenizer):
        yield from _fast_sentences(tokenizer, sentences, max_length, stride)
        return
    for owner, words in enumerate(sentences):
        ids, numbers = word_tokens(tokenizer, words)
        yield from _cut(tokenizer, owner, None, ids, numbers, max_length, stride)


def _fast_contexts(
    tokenizer: Any, questions: Sequence[str], contexts: Sequence[str], max_length: int, stride: int
) -> Iterator[Window[tuple[int, int]]]:
    made = tokenizer(
        _short(tokenizer, questions, max_length // 2), contexts, truncation="only_second",
        max_length=max_length, stride=stride, return_overflowing_tokens=True,
        return_offsets_mapping=True, return_attention_mask=False,
    )  # fmt: skip
    for index, owner in enumerate(made["overflow_to_sample_mapping"]):
        parts = zip(made.sequence_ids(index), made["offset_mapping"][index], strict=True)
        places = [offset if part == 1 else None for part, offset in parts]
        yield Window(owner, _inputs(made, index), places)


def _short(tokenizer: Any, questions: Sequence[str], most: int) -> list[str]:
    """Return questions of at most ``most`` tokens."""
    made = tokenizer(
        list(questions), truncation=True, max_length=most, add_special_tokens=False,
        return_offsets_mapping=True,
    )  # fmt: skip
    limits = [offsets[-1][1] if offsets else 0 for offsets in made["offset_mapping"]]
    return [question[:limit] for question, limit in zip(questions, limits, strict=True)]


def _fast_sentences(
    tokenizer: Any, sentences: Sequence[Sequence[str]], max_length: int, stride: int
) -> Iterator[Window[int]]:
    made = tokenizer(
        sentences, is_split_into_words=True, truncation=True, max_length=max_length, stride=stride,
        return_overflowing_tokens=True, return_attention_mask=False,
    )  # fmt: skip
    for index, owner in enumerate(made["overflow_to_sample_mapping"]):
        yield Window(owner, _inputs(made, index), made.word_ids(index))


def _inputs(made: Any, index: int) -> dict[str, list[int]]:
    return {name: made[name][index] for name in _INPUTS if name in made}


def _cut(
    tokenizer: Any, owner: int, before: list[int] | None, ids: list[int], places: Sequence[P],
    max_length: int, stride: int,
) -> Iterator[Window[P]]:  # fmt: skip
    """Yield the windows of ``ids`` between the special tokens, behind the tokens ``before``."""
    hole = [-1]  # no token has this number
    pair = (hole,) if before is None else (before, hole)
    frame: list[int] = tokenizer.build_inputs_with_special_tokens(*pair)
    types: list[int] = tokenizer.create_token_type_ids_from_sequences(*pair)
    at = frame.index(-1)
    room = max(1, max_length - len(frame) + 1)
    step = max(1, room - stride)
    for begin in range(0, max(1, len(ids) - room + step), step):
        part = ids[begin : begin + room]
        inputs = {"input_ids": _filled(frame, at, part)}
        if "token_type_ids" in tokenizer.model_input_names:
            inputs["token_type_ids"] = _filled(types, at, types[at : at + 1] * len(part))
        outside: list[P | None] = [None] * len(frame)
        yield Window(owner, inputs, _filled(outside, at, places[begin : begin + room]))


def _filled(frame: list[T], at: int, part: Sequence[T]) -> list[T]:
    return [*frame[:at], *part, *frame[at + 1 :]]
