"""The trash: a folder beside the other runs, from which deleted runs can be restored."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from engine.errors import RunError
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.origin import require_own
from engine.runs.status import State

_FOLDER = ".trash"


def trash_folder(folder: Path) -> Path:
    """Return the trash of a folder of runs. It lies inside, so that moving a run copies nothing."""
    return folder / _FOLDER


def discard(run: RunDirectory) -> RunDirectory:
    """Move a run into the trash. Raises :class:`RunError`, for example while it is training."""
    require_own(run)
    if run.status.state() is State.RUNNING:
        raise RunError(f"The run {run.id} is still running.", "Stop it before it is deleted.")
    trash = trash_folder(run.path.parent)
    with run.lock.hold():
        return _move(run, trash)


def restore(run: RunDirectory) -> RunDirectory:
    """Move a run from the trash back to the others. Raises :class:`RunError`."""
    return _move(run, run.path.parent.parent)


def empty(folder: Path) -> int:
    """Delete all runs in the trash of ``folder``; returns their number.

    Raises :class:`RunError`.
    """
    runs = all_runs(trash_folder(folder))
    for run in runs:
        run.delete()
    # Left by an earlier call that was killed.
    for remains in trash_folder(folder).glob(".deleted-*"):
        shutil.rmtree(remains, ignore_errors=True)
    return len(runs)


def _move(run: RunDirectory, folder: Path) -> RunDirectory:
    """Move a run; if its name is taken, a number is appended."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for attempt in range(1, 1000):
            target = folder / (run.id if attempt == 1 else f"{run.id[:60]}-{attempt}")
            if target.exists():
                continue
            run.path.rename(target)
            return RunDirectory(target)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise RunError(f"There is no run {run.id} any more.") from error
        raise RunError(f"Cannot move {run.path}: {error.strerror}.") from error
    raise RunError(f"Too many runs are called {run.id}.")
