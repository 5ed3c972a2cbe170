"""Prompts as tokens to continue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import datasets
import pyarrow as pa

from engine.errors import DataError
from engine.reports.counted import counted
from engine.runs.events import Event
from engine.text.chat.prompts import Prompt, Prompts, Row
from engine.text.tokens.beginning import begun
from engine.text.tokens.cache import encoded
from engine.text.tokens.literals import tokens_of

_TOKENS = pa.list_(pa.int64())
_PLACES = pa.list_(_TOKENS)


def written_prompts(prompts: Prompts, rows: Sequence[Row]) -> list[Prompt]:
    """Return the prompts of rows; raises :class:`DataError`, which names the first without one."""
    written: list[Prompt] = []
    faults: list[tuple[int, DataError]] = []
    for number, row in enumerate(rows, 1):
        try:
            written.append(prompts.prompt(row))
        except DataError as error:
            faults.append((number, error))
    if not faults:
        return written
    number, first = faults[0]
    if len(rows) == 1:
        raise first
    raise DataError(
        f"{counted(len(faults), 'row')} of {len(rows):,} cannot be continued (the first is row "
        f"{number:,}). {first.message}", first.hint,
    ) from first  # fmt: skip


def prompt_tokens(tokenizer: Any, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Return the tokens of prompts behind those that they begin with.

    One without any is the mark of the end.
    """
    texts = [prompt.text for prompt in prompts]
    options = {"add_special_tokens": False, "return_attention_mask": False}
    whole = tokenizer(texts, split_special_tokens=False, **options)["input_ids"] if texts else []
    return [
        begun(
            tokens_of(tokenizer, prompt.text, prompt.literals) if prompt.literals else ids,
            prompt.beginning,
        )
        or [tokenizer.eos_token_id]
        for prompt, ids in zip(prompts, whole, strict=True)
    ]


def encoded_prompts(
    tokenizer: Any,
    prompts: Sequence[Prompt],
    key: Sequence[object],
    report: Callable[[Event], None],
) -> datasets.Dataset:
    """Return prompts as samples with ``input_ids``; ``key`` names the tokenizer."""

    def tokenise(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        some = [
            Prompt(text, "", literals, beginning)
            for text, literals, beginning in zip(
                rows["text"], rows["literals"], rows["beginning"], strict=True
            )
        ]
        return {"input_ids": prompt_tokens(tokenizer, some)}

    texts = pa.array([prompt.text for prompt in prompts], pa.string())
    places = pa.array([list(map(list, prompt.literals)) for prompt in prompts], _PLACES)
    begins = pa.array([list(prompt.beginning) for prompt in prompts], _TOKENS)
    table = pa.table({"text": texts, "literals": places, "beginning": begins})
    return encoded(table, tokenise, key, report)
