"""Text that people type: special tokens written in it stay plain text, where the tokenizer can."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.text.prompts import Prompt, Prompts, Row

_PRIVATE = range(0xE000, 0xF900)
"""Characters of no meaning, which stand for special tokens while a template is applied."""


def typed_tokens(tokenizer: Any, prompts: Prompts | None, row: Row) -> tuple[list[int], Prompt]:
    """Return a row's prompt as tokens, and as text.

    The template's own marks become special tokens, and the same marks in the values of ``row``
    tokens of plain text. ``prompts`` is None where the text stands as it is.
    """
    marks = _stand_ins(tokenizer, "".join(_texts(row)))
    hidden = _replaced(row, marks)
    prompt = prompts.prompt(hidden) if prompts else Prompt(hidden["prompt"], "")
    ids: list[int] = []
    for part in _parts(prompt.text, marks):
        meant = {mark: special for special, mark in marks.items()}.get(part)
        ids += tokenizer(
            part if meant is None else meant, add_special_tokens=False,
            return_attention_mask=False, split_special_tokens=meant is not None,
        )["input_ids"]  # fmt: skip
    text = prompt.text
    for special, mark in marks.items():
        text = text.replace(mark, special)
    return ids or [tokenizer.eos_token_id], Prompt(text, prompt.blanks)


def _stand_ins(tokenizer: Any, text: str) -> dict[str, str]:
    """Return a free character for each special token that a text has, the longest first."""
    special = {*tokenizer.all_special_tokens}
    added = tokenizer.added_tokens_decoder.values()
    special |= {token.content for token in added if token.special}
    found = sorted((token for token in special if token in text), key=len, reverse=True)
    free = (chr(code) for code in _PRIVATE if chr(code) not in text)
    return dict(zip(found, free, strict=False))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _replaced(value: Any, marks: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for special, mark in marks.items():
            value = value.replace(special, mark)
        return value
    if isinstance(value, Mapping):
        return {name: _replaced(part, marks) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(part, marks) for part in value]
    return value


def _parts(text: str, marks: Mapping[str, str]) -> list[str]:
    """Return a text cut before and behind each stand-in."""
    if not marks:
        return [text] if text else []
    return [part for part in re.split(f"([{''.join(marks.values())}])", text) if part]
