"""Checkpoints: states on disk, each complete or absent.

``checkpoints/step-000000120/`` holds ``state.pt`` and ``manifest.json`` with its SHA-256. It is
written under another name, synced and renamed; the newest few are kept. A damaged checkpoint is
skipped for the one before it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import TrainingFailed
from engine.files import atomic
from engine.files.disk_space import why_not_written

_NAME = re.compile(r"step-(\d{9,})|\.step-(\d{9,})\.before")
_STATE, _MANIFEST = "state.pt", "manifest.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint."""

    path: Path
    step: int
    size: int


def save(folder: Path, step: int, state: dict[str, Any], keep: int) -> Checkpoint:
    """Save a checkpoint; keep it and the newest before it, ``keep`` in all.

    Raises :class:`TrainingFailed`.
    """
    path = folder / f"step-{step:09d}"
    writing, before = (folder / f".{path.name}.{what}" for what in ("writing", "before"))
    try:
        _remove_unfinished(folder)
        writing.mkdir(mode=0o700)
        size = _write(writing, step, state)
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
            checkpoints.append(Checkpoint(path, step, (path / _STATE).stat().st_size))
    return sorted(checkpoints, key=lambda one: (-one.step, one.path.name.startswith(".")))


def _remove_unfinished(folder: Path) -> None:
    """Remove what an interrupted save left."""
    for path in folder.glob(".step-*.writing"):
        shutil.rmtree(path, ignore_errors=True)


def load_newest(
    folder: Path, mapped: bool = False
) -> tuple[Checkpoint | None, dict[str, Any], list[Checkpoint]]:
    """Load the newest intact checkpoint; returns it, its state, and the damaged ones skipped.

    With ``mapped`` the tensors are memory-mapped. Then several processes that each need a part do
    not all hold everything.
    """
    damaged: list[Checkpoint] = []
    for checkpoint in found(folder):
        if _intact(checkpoint):
            # Only tensors and plain values: no code in the file is executed, whatever its origin.
            with contextlib.suppress(pickle.UnpicklingError):
                state = torch.load(
                    checkpoint.path / _STATE, map_location="cpu", weights_only=True, mmap=mapped
                )
                return checkpoint, state, damaged
        damaged.append(checkpoint)
    return None, {}, damaged


def _write(folder: Path, step: int, state: dict[str, Any]) -> int:
    path = folder / _STATE
    with path.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    atomic.write_json(folder / _MANIFEST, _manifest(folder, step))
    return path.stat().st_size


def _manifest(folder: Path, step: int) -> dict[str, Any]:
    """Compute a checkpoint's manifest from its files. Raises ``OSError``."""
    path = folder / _STATE
    return {
        "step": step,
        "files": {_STATE: {"sha256": _digest(path), "size": path.stat().st_size}},
    }


def _intact(checkpoint: Checkpoint) -> bool:
    """Return whether the files match the manifest; a wrong bit in the manifest is damage, too."""
    try:
        told = json.loads((checkpoint.path / _MANIFEST).read_text())
        return bool(told == _manifest(checkpoint.path, checkpoint.step))
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
