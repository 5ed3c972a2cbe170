"""Tokenizers of every kind: the fast ones of ``tokenizers``, and those in Python or sentencepiece.

The others give no offsets and no words of their tokens; some have ids beyond their vocabulary.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.text.transformers_private import switches_vocabulary


def is_fast(tokenizer: Any) -> bool:
    """Return whether a tokenizer gives the offsets and words of its tokens."""
    return bool(tokenizer.is_fast)


def content_of(tokenizer: Any) -> str:
    """Return what tokens depend on: a fast tokenizer as JSON, else a digest of all its files."""
    if is_fast(tokenizer):
        content: str = tokenizer.backend_tokenizer.to_str()
        return content
    digest = hashlib.sha256(type(tokenizer).__name__.encode())
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        for path in sorted(Path(folder).iterdir()):
            data = path.read_bytes()
            digest.update(f"\0{path.name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def vocabulary_of(tokenizer: Any) -> int:
    """Return the rows that an embedding needs for all ids of a tokenizer."""
    if is_fast(tokenizer):
        return len(tokenizer)
    # M2M-100 numbers its languages behind the vocabulary; others leave numbers out.
    highest = max(tokenizer.get_vocab().values(), default=-1)
    return 1 + max(len(tokenizer) - 1, highest, *_marks(tokenizer))


def reads_targets(tokenizer: Any) -> bool:
    """Return whether targets get the numbers that they are written from.

    FSMT has a vocabulary for each side and takes that of the sources for all texts.
    """
    read, written = getattr(tokenizer, "encoder", None), getattr(tokenizer, "decoder", None)
    if (
        switches_vocabulary(tokenizer)
        or not isinstance(read, dict)
        or not isinstance(written, dict)
    ):
        return True
    return all(written.get(number) == token for token, number in read.items())


def text_of(tokenizer: Any, ids: Iterable[int]) -> str:
    """Return the text of tokens without special ones, nor those that mark a language.

    M2M-100 does not call its languages special, and may write another than the one it is asked for.
    """
    marks = set() if is_fast(tokenizer) else _marks(tokenizer)
    marks |= set(getattr(tokenizer, "lang_token_to_id", {}).values())
    text: str = tokenizer.decode([int(token) for token in ids if int(token) not in marks],
                                 skip_special_tokens=True)  # fmt: skip
    return text


def _marks(tokenizer: Any) -> set[int]:
    """Return the tokens that stand around every text, as input and as target."""
    marks = set(tokenizer("")["input_ids"])
    if getattr(tokenizer, "tgt_lang", None):
        marks |= set(tokenizer(text_target="")["input_ids"])
    return marks
