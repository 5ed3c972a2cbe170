"""The files of models that one talks to."""

from __future__ import annotations

from typing import Any

from engine.tasks.network_files import NetworkFiles
from engine.text.chat.templates import as_trained


def chat_files(tokenizer: Any, conversations: bool, date: str) -> NetworkFiles:
    """Return the files of a network of transformers, with its tokenizer.

    That has the chat template of training, if that was on ``conversations``, and the ``date`` that
    it wrote then.
    """
    written = as_trained(tokenizer, conversations, date)
    return NetworkFiles(
        of_library=True,
        companions=lambda folder: written.save_pretrained(folder),
    )
