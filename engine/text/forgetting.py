"""A text of another kind than the training data: its loss shows what a language model forgets."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import datasets

from engine.errors import DataError
from engine.files.paths import expanded
from engine.files.sanitize import plain

MOST = 1000
"""Texts that are evaluated at most: they are read at every evaluation."""


def other_texts(path: str) -> list[str]:
    """Return the texts of a file, a line each; the built-in ones for an empty path.

    Raises :class:`DataError`.
    """
    file = expanded(path) if path else files("engine.text") / "general_english.txt"
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a UTF-8 text"
        raise _useless(f"cannot read {plain(path, 200)}: {reason}") from error
    texts = [line.strip() for line in content.splitlines() if line.strip()]
    if not texts:
        raise _useless(f"{plain(path, 200)} has no text")
    return texts


def _useless(problem: str) -> DataError:
    return DataError(
        f"task.forgetting_path: {problem}.",
        "Give a file with a text a line, or - to measure no forgetting.",
    )


def token_samples(texts: Sequence[str], tokenizer: Any, max_length: int) -> datasets.Dataset:
    """Return each text as ``input_ids`` and ``labels``, which are the tokens one place later.

    They begin and end as the tokenizer does it; long ones are truncated.
    """
    options = {"truncation": True, "return_attention_mask": False}
    tokens = tokenizer(list(texts), max_length=max_length + 1, **options)["input_ids"]
    rows = [ids for ids in tokens if len(ids) > 1]
    inputs, labels = [ids[:-1] for ids in rows], [ids[1:] for ids in rows]
    characters = list(map(len, tokenizer.batch_decode(labels, skip_special_tokens=True)))
    samples = {"input_ids": inputs, "labels": labels, "characters": characters}
    return datasets.Dataset.from_dict(samples)
