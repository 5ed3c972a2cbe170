"""Decoded images in a file, so that each image is decoded only once.

Rows are read with ``pread``: they stay in the system's file cache, not in the process's memory.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import IO, Any, cast

import numpy as np

from engine.data.images import Pixels
from engine.files.paths import cache_folder
from engine.files.shared_file import SharedFile, delete_unused

_FREE_SHARE = 0.5
"""Share of the free disk space that may be taken."""
_HELD = b"\x01"


class PixelCache:
    """Images of one shape and type by their rows; written by several threads and processes.

    The file begins with a byte for each row, which says whether its image is held. A process has a
    file without a name for itself, or one with the processes that give the same ``shared`` name.
    """

    def __init__(
        self,
        rows: int,
        like: Pixels,
        most_bytes: int,
        warn: Callable[[str], None],
        shared: str = "",
    ) -> None:
        """Hold images of the shape and type of ``like`` in at most ``most_bytes``.

        Where all rows are too many, the first rows are kept. ``warn`` is called once if none are.
        """
        self._shape, self._type, self._size = like.shape, like.dtype, like.nbytes
        self._warn = warn
        self._stopping = Lock()
        self._stopped = False
        self._first = rows
        self._file: IO[bytes] | SharedFile | None = None
        self._held = bytearray()
        try:
            folder = _folder()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            delete_unused(folder)
            room = min(most_bytes, int(shutil.disk_usage(folder).free * _FREE_SHARE))
            self._held = bytearray(min(rows, room // self._size))
            if self._held:
                self._file = _opened(folder, shared)
                weakref.finalize(self, self._file.close)
        except OSError as error:
            self._stop(error)

    def get(self, row: int) -> Pixels | None:
        """Return the image of a row, read-only; ``None`` where it is not held."""
        held = self._held  # another thread may stop the cache
        if self._file is None or row >= len(held):
            return None
        if not held[row] and os.pread(self._file.fileno(), 1, row) != _HELD:
            return None
        data = os.pread(self._file.fileno(), self._size, self._place(row))
        image: Any = np.frombuffer(data, self._type).reshape(self._shape)
        return cast(Pixels, image)

    def put(self, row: int, image: Pixels) -> None:
        """Hold the image of a row, if there is room."""
        held = self._held
        if self._file is None or row >= len(held):
            return
        try:
            written = os.pwrite(
                self._file.fileno(), np.ascontiguousarray(image).data, self._place(row)
            )
            if written == self._size and os.pwrite(self._file.fileno(), _HELD, row):
                held[row] = True
        except OSError as error:
            self._stop(error)

    def _place(self, row: int) -> int:
        return self._first + row * self._size

    def _stop(self, error: OSError) -> None:
        self._held = bytearray()
        with self._stopping:
            first, self._stopped = not self._stopped, True
        if first:
            self._warn(
                f"Decoded images cannot be cached ({error.strerror or error}): files are decoded "
                "in each epoch anew."
            )


def delete_unused_caches() -> None:
    """Delete the shared caches whose processes have all ended, however they did."""
    delete_unused(_folder())


def _folder() -> Path:
    return cache_folder() / "images"


def _opened(folder: Path, shared: str) -> IO[bytes] | SharedFile:
    return SharedFile(folder, shared) if shared else tempfile.TemporaryFile(dir=folder)
