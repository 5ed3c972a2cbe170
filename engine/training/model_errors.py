"""Errors inside the code of a library's network: it needs inputs that the task does not have."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import TrainingError
from engine.files.sanitize import first_line
from engine.hardware.determinism import is_not_deterministic
from engine.hardware.memory import out_of_memory

_KINDS = (RuntimeError, ValueError, TypeError, AttributeError, AssertionError, IndexError, KeyError,
          NotImplementedError, StopIteration)  # fmt: skip
_NETWORKS = re.compile(r"(transformers|torchvision)\.models\.\w+")


@contextmanager
def model_errors(step: int = 0) -> Iterator[None]:
    """Raise a :class:`TrainingError` where a network fails in its first pass, with its reason.

    ``step`` is the number of updates so far.
    """
    try:
        yield
    except _KINDS as error:
        place = _place(error)
        if step or not place or _of_another_kind(error):
            raise
        raise TrainingError(
            f"model: the network ({place}) fails on the inputs of this task: "
            f"{type(error).__name__}: {first_line(error)}.",
            "Choose another model, or another task.",
        ) from error


def _of_another_kind(error: Exception) -> bool:
    """Return whether an error is one of torch's own kinds, which are explained elsewhere."""
    if type(error) not in _KINDS:
        return True
    return isinstance(error, RuntimeError) and (out_of_memory(error) or is_not_deterministic(error))


def _place(error: Exception) -> str:
    """Return the module of the networks in which an error was raised, empty where in none."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    found = [_NETWORKS.match(frame.f_globals.get("__name__", "")) for frame in frames]
    return next((match[0] for match in reversed(found) if match), "")
