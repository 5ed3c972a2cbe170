"""A GGUF file tried in llama.cpp itself, where the package ``llama-cpp-python`` is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.artifacts.handover.answers import TOKENS

_FLOAT32 = 0
"""ggml's number of the type in which keys and values are cached, for the most exact answers."""


def is_installed() -> bool:
    """Return whether llama.cpp can be asked."""
    return importlib.util.find_spec("llama_cpp") is not None


class Llama:
    """A file, loaded by llama.cpp."""

    def __init__(self, path: Path, length: int) -> None:
        """``length`` is the largest number of tokens of a prompt with its answer.

        Raises ``ValueError`` where llama.cpp cannot load the file.
        """
        library: Any = importlib.import_module("llama_cpp")
        self._model = library.Llama(
            str(path), n_ctx=length, type_k=_FLOAT32, type_v=_FLOAT32, verbose=False
        )

    def tokens(self, text: str) -> list[int]:
        """Return a text's tokens, with special tokens where their text stands."""
        found: list[int] = self._model.tokenize(text.encode(), add_bos=False, special=True)
        return found

    def greedy(self, prompts: Sequence[Sequence[int]], end: int | None) -> list[list[int]]:
        """Return the likeliest tokens behind each prompt, up to the token ``end``."""
        return [self._continued(prompt, end) for prompt in prompts]

    def _continued(self, prompt: Sequence[int], end: int | None) -> list[int]:
        self._model.reset()
        written: list[int] = []
        for token in self._model.generate(list(prompt), temp=0.0, repeat_penalty=1.0):
            written.append(token)
            if token == end or len(written) == TOKENS:
                break
        return written
