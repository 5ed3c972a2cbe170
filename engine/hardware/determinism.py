"""Deterministic algorithms for a run that is to give the same bits again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.errors import TrainingError

_ENVIRONMENT = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "FLASH_ATTENTION_DETERMINISTIC": "1"}
"""Read by cuBLAS and torch before the first matrix product, and by transformers at each pass."""
_set_here: set[str] = set()
_NONE = re.compile(r"(\S+) does not have a deterministic implementation")
_CUBLAS = "not deterministic because it uses CuBLAS"


def use_deterministic_algorithms(wanted: bool) -> None:
    """Allow this process deterministic algorithms only, or all of them again.

    Without one, torch raises the ``RuntimeError`` that :func:`determinism_errors` explains. It
    does not check the kernels of bitsandbytes and flash-attn; the latter have a switch of their
    own, which is set here.
    """
    for name, value in _ENVIRONMENT.items():
        if wanted and name not in os.environ:
            os.environ[name] = value
            _set_here.add(name)
        elif not wanted and name in _set_here:
            os.environ.pop(name, None)
            _set_here.remove(name)
    torch.backends.cudnn.deterministic = wanted
    # It imports a part of torch's compiler, for which a run that does not ask should not wait.
    if wanted or torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(wanted)


def is_not_deterministic(error: RuntimeError) -> bool:
    """Return whether an operation without a deterministic algorithm was refused."""
    return _CUBLAS in str(error) or _NONE.search(str(error)) is not None


@contextmanager
def determinism_errors() -> Iterator[None]:
    """Raise a :class:`TrainingError` that names the operation which is not deterministic."""
    try:
        yield
    except RuntimeError as error:
        if _CUBLAS in str(error):
            raise TrainingError(
                "compute.deterministic: cuBLAS was started in this process with another "
                "CUBLAS_WORKSPACE_CONFIG.",
                "Set CUBLAS_WORKSPACE_CONFIG=:4096:8 before Python starts, or "
                "compute.deterministic=false.",
            ) from error
        if not (found := _NONE.search(str(error))):
            raise
        raise TrainingError(
            f"compute.deterministic: the operation {found[1]} has no deterministic "
            "implementation in torch on this device.",
            "Set compute.deterministic=false, or choose another model or compute.device.",
        ) from error
