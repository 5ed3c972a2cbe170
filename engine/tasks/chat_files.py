"""The files of models that one talks to."""

from __future__ import annotations

from typing import Any

from engine.tasks.network_files import NetworkFiles


def chat_files(tokenizer: Any) -> NetworkFiles:
    """Return the files of a network of transformers, with the tokenizer to export."""
    return NetworkFiles(
        of_library=True,
        companions=lambda folder: tokenizer.save_pretrained(folder),
    )
