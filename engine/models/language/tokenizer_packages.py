"""Packages that some tokenizers need, each installed by an extra of its name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from engine.errors import TrainingError
from engine.files.sanitize import plain

_EXTRAS = ("sentencepiece", "sacremoses")


@contextlib.contextmanager
def packages_named(path: str, architecture: Any) -> Iterator[None]:
    """Convert the error for a missing package to a sentence that names its extra."""
    try:
        yield
    except (ImportError, ValueError) as error:
        name = _missing(error, architecture.model_type)
        if name is None:
            raise
        raise TrainingError(
            f"model.path: the tokenizer of {plain(path, 200)} needs the package {name}.",
            f"Install it with: pip install 'dltui[{name}]'.",
        ) from error


def _missing(error: Exception, model_type: str) -> str | None:
    if isinstance(error, ImportError):
        text = str(error).lower()
        return next((name for name in _EXTRAS if name in text), None)
    # transformers names no tokenizer for a type whose own one cannot be imported.
    unnamed = TOKENIZER_MAPPING_NAMES.get(model_type, "") is None
    return "sentencepiece" if unnamed and find_spec("sentencepiece") is None else None
