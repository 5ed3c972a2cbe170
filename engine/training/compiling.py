"""What is said where a network cannot be compiled, which shows with its first batch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import TrainingError
from engine.plain import plain

_COMPILER = ("torch._dynamo", "torch._inductor", "torch._functorch")


@contextmanager
def told_of_compiler() -> Iterator[None]:
    """Turn what torch's compiler raises into a sentence: a :class:`TrainingError`."""
    try:
        yield
    except RuntimeError as error:
        if not type(error).__module__.startswith(_COMPILER):
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
    complaint = re.search(r"^.*error: (.+)$", str(error), re.MULTILINE)
    lines = str(error).strip().splitlines()
    return plain(complaint[1] if complaint else lines[0] if lines else type(error).__name__, 200)
