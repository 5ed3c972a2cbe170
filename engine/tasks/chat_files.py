"""The files of models that one talks to."""

from __future__ import annotations

from typing import Any

from engine.tasks.network_files import NetworkFiles
from engine.text.chat.templates import as_trained


def chat_files(tokenizer: Any, conversations: bool) -> NetworkFiles:
    """Return the files of a network of transformers, with its tokenizer.

    That has the chat template of training, if that was on ``conversations``.
    """
    return NetworkFiles(
        of_library=True,
        companions=lambda folder: as_trained(tokenizer, conversations).save_pretrained(folder),
    )
