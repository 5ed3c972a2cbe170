"""Languages of tokenizers for many languages, which mark each text with its own."""

from __future__ import annotations

from typing import Any

from engine.errors import TrainingError
from engine.files.sanitize import plain


def choose_languages(tokenizer: Any, source: str, target: str) -> None:
    """Make a tokenizer mark sources and targets; empty leaves what its files say.

    Raises :class:`TrainingError` for a language that it has no mark for.
    """
    for field, name, language in (("source", "src_lang", source), ("target", "tgt_lang", target)):
        if language and not _marks_languages(tokenizer):
            raise TrainingError(
                f"task.{field}_language: the tokenizer of this model marks no languages.",
                "Leave it empty.",
            )
        if language and not _chosen(tokenizer, name, language):
            raise TrainingError(
                f"task.{field}_language: the tokenizer of this model has no language "
                f"{plain(language, 40)!r}.",
                "Give it as the model's page does, such as de, de_DE or deu_Latn.",
            )
    if _marks_languages(tokenizer) and not _marks_targets(tokenizer):
        raise TrainingError(
            "The tokenizer of this model marks each target with its language, and none is chosen.",
            "Set task.target_language, as the model's page writes it.",
        )


def first_of_targets(tokenizer: Any) -> dict[str, int]:
    """Return the token of the language that each target begins with, as ``generate`` takes it."""
    if not _marks_languages(tokenizer):
        return {}
    first = tokenizer(text_target="")["input_ids"][0]
    return {} if first == tokenizer.eos_token_id else {"forced_bos_token_id": first}


def _marks_languages(tokenizer: Any) -> bool:
    return hasattr(tokenizer, "set_tgt_lang_special_tokens")


def _chosen(tokenizer: Any, name: str, language: str) -> bool:
    try:
        setattr(tokenizer, name, language)
    except KeyError:
        return False
    tokenizer.init_kwargs[name] = language  # so that it is saved
    side = {"text": ""} if name == "src_lang" else {"text_target": ""}
    ids = _read(tokenizer, **side)
    return bool(ids) and tokenizer.unk_token_id not in ids


def _marks_targets(tokenizer: Any) -> bool:
    """Return whether targets are marked with a language that was chosen.

    Without one, NLLB and mBART take that of the sources, which they note as if it were chosen.
    """
    chosen = getattr(tokenizer, "tgt_lang", None)
    read = _read(tokenizer, text_target="")
    return bool(read) and getattr(tokenizer, "tgt_lang", None) == chosen


def _read(tokenizer: Any, **text: str) -> list[int]:
    """Return the tokens around an empty text; none where its language is unknown."""
    try:
        ids: list[int] = tokenizer(**text)["input_ids"]
    except KeyError:
        return []
    return ids
