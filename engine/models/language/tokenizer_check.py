"""The check of a loaded tokenizer: whether it turns texts into what a network takes in."""

from __future__ import annotations

from typing import Any

import transformers

from engine.errors import TrainingError
from engine.files.sanitize import plain

_PASSED = {"input_ids", "token_type_ids", "attention_mask"}
_TEXT = "A text, in 7 words: one two."


def check_tokenizer(tokenizer: Any, path: str) -> None:
    """Raise :class:`TrainingError` for a tokenizer that cannot be used, with the reason."""
    reason = _reason(tokenizer)
    if reason:
        raise TrainingError(
            f"model.path: the tokenizer of {plain(path, 200)} {reason}.", "Choose another model."
        )


def ensure_end(tokenizer: Any, path: str) -> None:
    """Choose the token that ends a text; raises :class:`TrainingError` where there is none.

    Tokenizers of encoders have one that separates texts, which serves.
    """
    if tokenizer.eos_token is not None:
        return
    if tokenizer.sep_token is None:
        raise TrainingError(
            f"model.path: the tokenizer of {plain(path, 200)} has no token that ends a text.",
            "Choose another model, or note its eos_token in tokenizer_config.json.",
        )
    tokenizer.eos_token = tokenizer.sep_token


def _reason(tokenizer: Any) -> str:
    if not isinstance(tokenizer, transformers.PreTrainedTokenizerBase):
        return f"is of the kind {type(tokenizer).__name__}, which does not take in texts alone"
    # Without its files, transformers makes some tokenizers of special tokens only.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        return "has no vocabulary; its files are missing"
    try:
        made = tokenizer(_TEXT)
    except (TypeError, ValueError, AssertionError, AttributeError, KeyError) as error:
        return f"does not take in texts: {plain(error, 200)}"
    others = sorted(set(made) - _PASSED)
    if others:
        return f"makes {' and '.join(others)}, which dltui does not pass to a network"
    return "" if made["input_ids"] else "makes no tokens of a text"
