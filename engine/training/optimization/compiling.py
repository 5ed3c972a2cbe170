"""Compile a network, and report why it cannot be compiled, which shows with its first batch."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from engine.errors import TrainingError
from engine.files.sanitize import plain
from engine.models.language.token_losses import body_of
from engine.torch_private import COMPILER


def compile_network(network: nn.Module, **options: Any) -> None:
    """Compile the network in place, at its first call; ``options`` are torch's.

    Also the part of a language model that the loss calls directly where logits come in chunks.
    """
    network.compile(**options)
    body = body_of(network)
    if body is not None:
        body.compile(**options)


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Convert the exceptions of torch's compiler to :class:`TrainingError`."""
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(COMPILER):
            raise
        raise TrainingError(
            f"compute.compile: the network cannot be compiled here: {_reason(error)}.",
            "Set compute.compile=false.",
        ) from error


def _reason(error: BaseException) -> str:
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = inner
    if type(error).__name__ == "InvalidCxxCompiler":
        return "there is no C++ compiler such as g++"
    said = str(error)
    if isinstance(error, subprocess.CalledProcessError):
        said = "the C++ compiler failed"
        printed = error.stderr or error.output or b""
        said += f"\n{printed.decode(errors='replace') if isinstance(printed, bytes) else printed}"
    complaint = re.search(r"^.*error: (.+)$", said, re.MULTILINE)
    lines = said.strip().splitlines()
    return plain(complaint[1] if complaint else lines[0] if lines else type(error).__name__, 200)
