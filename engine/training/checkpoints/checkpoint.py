"""Checkpoints: states on disk, each complete or absent.

``checkpoints/step-000000120/`` holds ``state.pt`` and ``manifest.json`` with its SHA-256, and of a
sharded network a file of each process (:mod:`engine.training.checkpoints.shards`). It is written
under another name, synced and renamed; the newest few are kept. A damaged checkpoint is skipped for
the one before it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import TrainingFailed
from engine.files import atomic
from engine.files.digest import digest
from engine.files.disk_space import why_not_written

_NAME = re.compile(r"step-(\d{9,})|\.step-(\d{9,})\.before")
_STATE, _MANIFEST, _SHARD = "state.pt", "manifest.json", ".safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint."""

    path: Path
    step: int
    size: int


WriteShards = Callable[[Path], dict[str, dict[str, Any]]]
"""Writes more files into a folder, with other processes; returns their digests by name."""


def writing_folder(folder: Path, step: int) -> Path:
    """Return the folder in which a checkpoint is written."""
    return folder / f".step-{step:09d}.writing"


def save(
    folder: Path,
    step: int,
    state: dict[str, Any],
    keep: int,
    write_shards: WriteShards | None = None,
) -> Checkpoint:
    """Save a checkpoint; keep it and the newest before it, ``keep`` in all.

    Raises :class:`TrainingFailed`.
    """
    path = folder / f"step-{step:09d}"
    writing, before = writing_folder(folder, step), folder / f".{path.name}.before"
    try:
        _remove_unfinished(folder)
        writing.mkdir(mode=0o700)
        size = _write(writing, step, state, write_shards)
        if path.exists():
            # It is also valid under this name, should the process end here.
            shutil.rmtree(before, ignore_errors=True)
            path.rename(before)
        writing.rename(path)
        _flush(folder)
    except (OSError, RuntimeError) as error:
        shutil.rmtree(writing, ignore_errors=True)
        # torch may raise RuntimeError for a full disk, with a position in the file as its message.
        reason = why_not_written(error) or getattr(error, "strerror", None) or "is the disk full?"
        raise TrainingFailed(f"Cannot write a checkpoint to {folder}: {reason}.") from error
    # Later checkpoints are void: this run was resumed from before them.
    visible = [other for other in found(folder) if not other.path.name.startswith(".")]
    kept = [other.path for other in visible if other.step <= step][:keep]
    for other in list(folder.iterdir()):
        # Also what is left of one, where the process exited while removing it.
        if _NAME.fullmatch(other.name) and other not in kept:
            shutil.rmtree(other, ignore_errors=True)
    return Checkpoint(path, step, size)


def found(folder: Path) -> list[Checkpoint]:
    """Return the checkpoints of a folder, the newest first."""
    checkpoints = []
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []
    for path in entries:
        match = _NAME.fullmatch(path.name)
        if match and (path / _MANIFEST).is_file() and (path / _STATE).is_file():
            step = int(match[1] or match[2])
            checkpoints.append(Checkpoint(path, step, _size(path)))
    return sorted(checkpoints, key=lambda one: (-one.step, one.path.name.startswith(".")))


def _remove_unfinished(folder: Path) -> None:
    """Remove what an interrupted save left."""
    for path in folder.glob(".step-*.writing"):
        shutil.rmtree(path, ignore_errors=True)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir() if file.name != _MANIFEST)


def load_newest(
    folder: Path, sharded: bool = False
) -> tuple[Checkpoint | None, dict[str, Any], list[Checkpoint]]:
    """Load the newest intact checkpoint; returns it, its state, and the damaged ones skipped.

    If ``sharded``, several processes each need a part: tensors are memory-mapped, and those that
    are in shards are left empty, with the folder as ``shards``.
    """
    damaged: list[Checkpoint] = []
    for checkpoint in found(folder):
        if _intact(checkpoint):
            # Only tensors and plain values: no code in the file is executed, whatever its origin.
            with contextlib.suppress(pickle.UnpicklingError):
                return checkpoint, _load(checkpoint.path, sharded), damaged
        damaged.append(checkpoint)
    return None, {}, damaged


def _load(folder: Path, sharded: bool) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(
        folder / _STATE, map_location="cpu", weights_only=True, mmap=sharded
    )
    if not any(folder.glob(f"*{_SHARD}")):
        return state
    if sharded:
        return state | {"shards": str(folder)}
    from engine.training.checkpoints import shards  # torch's distributed checkpoint, 0.5 s

    read: dict[str, Any] = shards.read(state, folder, shards.whole)
    return read


def _write(folder: Path, step: int, state: dict[str, Any], write_shards: WriteShards | None) -> int:
    path = folder / _STATE
    with path.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    files = {_STATE: digest(path)} | (write_shards(folder) if write_shards else {})
    atomic.write_json(folder / _MANIFEST, {"step": step, "files": files})
    return sum(int(file["size"]) for file in files.values())


def _intact(checkpoint: Checkpoint) -> bool:
    """Return whether the files match the manifest; a wrong bit in the manifest is damage, too."""
    folder = checkpoint.path
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        there = [folder / _STATE, *folder.glob(f"*{_SHARD}")]
        found = {"step": checkpoint.step, "files": {path.name: digest(path) for path in there}}
        return bool(manifest == found)
    except (OSError, ValueError):
        return False


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
