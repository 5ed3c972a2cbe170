"""A tokenizer as metadata of a GGUF file: its tokens, merges, and how texts are cut before them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import TrainingError
from engine.text.tokens.any_tokenizer import is_fast

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""Types of tokens, as llama.cpp numbers them."""
_SPLITS = {
    "llama-bpe": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "tekken": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""Regular expressions of the pre-tokenizers that llama.cpp knows by name."""
_BLANK = "\N{LOWER ONE EIGHTH BLOCK}"
"""SentencePiece's mark of a blank."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokenizer's metadata."""

    model: str
    """``gpt2`` for byte-level BPE, ``llama`` for SentencePiece."""
    pre: str
    tokens: list[str]
    types: list[int]
    merges: list[str]
    scores: list[float]
    """Of SentencePiece's tokens: those that are merged first are highest."""
    space_prefix: bool = False
    """Whether SentencePiece puts a blank before a text."""


def vocabulary_of(tokenizer: Any, rows: int) -> Vocabulary:
    """Return a tokenizer's metadata, with tokens for all ``rows`` of the embedding.

    Raises :class:`TrainingError` for a tokenizer that llama.cpp would apply otherwise.
    """
    if not is_fast(tokenizer):
        raise _refusal(f"{type(tokenizer).__name__} is none of the package tokenizers")
    described = json.loads(tokenizer.backend_tokenizer.to_str())
    model = described["model"]
    if model["type"] != "BPE":
        raise _refusal(f"its kind is {model['type']}, and it would have to be BPE")
    tokens, types = _tokens(tokenizer, rows, model)
    if len(tokens) > rows:
        raise _refusal(f"it has {len(tokens):,} tokens and the model {rows:,}")
    if model.get("byte_fallback"):
        scores = _scores(tokens, model)
        return Vocabulary("llama", "default", tokens, types, [], scores, _has_prefix(described))
    merges = [" ".join(pair) for pair in _pairs(model)]
    return Vocabulary("gpt2", _pre(described), tokens, types, merges, [])


def _refusal(reason: str) -> TrainingError:
    return TrainingError(
        f"The tokenizer of this model cannot be written as GGUF: {reason}.", "Export it for vllm."
    )


def _tokens(tokenizer: Any, rows: int, model: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """Return texts and types by id; rows without a token get one that is never written."""
    names = {number: token for token, number in tokenizer.get_vocab().items()}
    added = tokenizer.added_tokens_decoder
    tokens, types = [], []
    for number in range(max(rows, 1 + max(names))):
        token = names.get(number, f"[PAD{number}]")
        kind = NORMAL if number in names else UNUSED
        if number in added:
            kind = CONTROL if added[number].special else USER_DEFINED
        if model.get("byte_fallback"):
            if token == model.get("unk_token"):
                kind = UNKNOWN
            elif len(token) == 6 and token.startswith("<0x"):
                kind = BYTE
        tokens.append(token)
        types.append(kind)
    return tokens, types


def _pairs(model: Mapping[str, Any]) -> list[list[str]]:
    return [pair.split(" ", 1) if isinstance(pair, str) else list(pair) for pair in model["merges"]]


def _scores(tokens: list[str], model: Mapping[str, Any]) -> list[float]:
    """Return minus the place of each token's merge, and the lowest for those without one."""
    place: dict[str, int] = {}
    for number, pair in enumerate(_pairs(model)):
        place.setdefault("".join(pair), number)
    return [-float(place.get(token, len(place))) for token in tokens]


def _has_prefix(described: Mapping[str, Any]) -> bool:
    """Return whether a blank is put before a text."""
    parts = [*_parts(described["normalizer"]), *_parts(described["pre_tokenizer"])]
    if not any(_BLANK in json.dumps(part, ensure_ascii=False) for part in parts):
        raise _refusal("blanks are not written in the way of SentencePiece")
    return any(
        part["type"] == "Prepend" or part.get("prepend_scheme", "never") != "never"
        for part in parts
    )


def _pre(described: Mapping[str, Any]) -> str:
    """Return llama.cpp's name of the way in which texts are cut before merging."""
    parts = _parts(described["pre_tokenizer"])
    kinds = [part["type"] for part in parts]
    normal = [part["type"] for part in _parts(described["normalizer"])]
    if "ByteLevel" not in kinds or parts[-1].get("add_prefix_space"):
        raise _refusal("it is not byte-level, or puts a blank before texts")
    if normal and normal != ["NFC"]:
        raise _refusal(f"it changes texts by {', '.join(normal)}")
    if kinds == ["ByteLevel"] and parts[0].get("use_regex", True) and not normal:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    split = str(parts[0].get("pattern", {}).get("Regex"))
    for name, known in _SPLITS.items():
        if kinds == ["Split", "ByteLevel"] and split == known:
            return name
    raise _refusal("its pre-tokenizer is none that llama.cpp has a name for")


def _parts(part: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the steps of a normalizer or pre-tokenizer."""
    if part is None:
        return []
    inner = part.get("pretokenizers") or part.get("normalizers")
    return [step for one in inner for step in _parts(one)] if inner else [part]
