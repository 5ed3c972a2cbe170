"""The files of a run that make it complete on another machine.

States to resume from and files of its processes are not among them.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

from engine.errors import RunError
from engine.files.digest import sha256
from engine.remote.messages import READ, Entry, FileList, ListFiles, Part, ReadFile
from engine.runs.boosting import BOOSTING
from engine.runs.directory import RunDirectory

_ALONE = (
    "adapter-initial.safetensors",
    "annotations.json",
    "base.json",
    BOOSTING,
    "config-asked.toml",
    "config.toml",
    "evals.json",
    "events.jsonl",
    "gallery.jsonl",
    "log.txt",
    "report.json",
)
_FOLDERS = ("model",)
_MOST = 2000


def file_list(request: ListFiles, run: RunDirectory) -> FileList:
    """List the files with their digests. Raises :class:`RunError`."""
    try:
        files = [
            Entry(path=path, size=(run.path / path).stat().st_size, sha256=sha256(run.path / path))
            for path in _paths(run.path)
        ]
    except OSError as error:
        raise RunError(f"Cannot read {run.path}: {error.strerror}.") from error
    if len(files) > _MOST:
        raise RunError(f"The run {run.id} has more than {_MOST} files.", "Copy it with rsync.")
    return FileList(number=request.number, files=tuple(files))


def file_part(request: ReadFile, run: RunDirectory) -> Part:
    """Read a part of a file of :func:`file_list`. Raises :class:`RunError`."""
    if request.path not in set(_paths(run.path)):
        raise RunError(f"The run {run.id} has no file {request.path!r}.")
    try:
        with (run.path / request.path).open("rb", buffering=0) as file:
            file.seek(request.offset)
            data = file.read(READ)
    except OSError as error:
        raise RunError(f"Cannot read {run.path / request.path}: {error.strerror}.") from error
    return Part(number=request.number, data=base64.b64encode(data).decode())


def allowed(path: str) -> bool:
    """Return whether a file of this path, relative to a run directory, may be written there."""
    if path in _ALONE:
        return True
    first, *rest = path.split("/")
    inside = bool(rest) and all(
        part and part not in (".", "..") and part.isprintable() and "\\" not in part
        for part in rest
    )
    return first in _FOLDERS and inside


def _paths(folder: Path) -> Iterator[str]:
    """Yield the paths; links are left out, as they may lead anywhere."""
    for name in _ALONE:
        if (folder / name).is_file() and not (folder / name).is_symlink():
            yield name
    for name in _FOLDERS:
        for parent, folders, files in os.walk(folder / name):
            folders[:] = [each for each in folders if not (Path(parent) / each).is_symlink()]
            for file in sorted(files):
                path = Path(parent) / file
                if path.is_file() and not path.is_symlink():
                    yield path.relative_to(folder).as_posix()
