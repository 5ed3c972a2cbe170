"""Write a file so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside ``path``; at the end, flush it to the disk and rename it.

    Raises ``OSError``; leaves no remains.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write atomically, like :func:`writing`."""
    with writing(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write UTF-8 text atomically, like :func:`write_bytes`."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, like :func:`write_text`; raises for NaN and infinity."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
