"""Room on the disk: what it means when there is none left, and a word before that happens."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
from pathlib import Path

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
_NEXT_TO_NOTHING = 64 << 10
_RUST = re.compile(r"\(os error (\d+)\)")
"""The error number in messages of libraries that are written in Rust (safetensors, tokenizers)."""


def why_not_written(error: BaseException) -> str | None:
    """The system's word for a disk that is full, limited or read-only; ``None`` if that is not it.

    Libraries wrap such an error in ones of their own, so its causes are checked too.
    """
    cause: BaseException | None = error
    while cause is not None:
        number = cause.errno if isinstance(cause, OSError) else None
        if number is None and (match := _RUST.search(str(cause))):
            number = int(match[1])
        if number in _NO_ROOM:
            return os.strerror(number)
        cause = cause.__cause__ or cause.__context__
    return None


def if_full(folder: Path) -> str:
    """Return a sentence to append to a message, where the disk of ``folder`` is full; else ''.

    A process whose disk is full may be unable to report that itself.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return f". The disk of {folder} is full." if free < _NEXT_TO_NOTHING else ""


def size_limit() -> int | None:
    """The longest file that this process may write (``ulimit -f``), in bytes."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def too_little_room(folder: Path, size: int, count: int) -> str | None:
    """A warning when ``count`` files of ``size`` bytes each have no room in ``folder``.

    ``None`` when they have, or when that is unknown.
    """
    limit = size_limit()
    if limit is not None and size > limit:
        return (
            f"A checkpoint takes {_megabytes(size)}, but no file here may be longer than "
            f"{_megabytes(limit)} (ulimit -f)."
        )
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    if free >= size * count:
        return None
    return (
        f"Checkpoints will take {_megabytes(size * count)}, but only {_megabytes(free)} are free "
        f"in {folder}. Make room, or keep fewer of them by train.save_total_limit."
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
