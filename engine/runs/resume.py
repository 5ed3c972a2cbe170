"""The run that a job resumes, when it is started again and again until its run is done."""

from __future__ import annotations

import contextlib
from pathlib import Path

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.processes.lock import locked
from engine.runs.directory import RunDirectory, each_run
from engine.runs.status import State


def newest_like(folder: Path, config: RunConfig) -> RunDirectory | None:
    """Return the newest run of the same configuration; ``None`` where a new one must start.

    One that failed before its first checkpoint is skipped: there is nothing to resume from.
    """
    wanted = config.anchored().values()
    return next((run for run in each_run(folder) if _is_like(run, wanted) and _counts(run)), None)


def alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Lock out others that search for a run to resume, until it is started.

    Raises :class:`RunError` where nothing can be written.
    """
    return locked(folder / ".resume.lock")


def _is_like(run: RunDirectory, wanted: dict[str, object]) -> bool:
    # A run of another version, or a damaged one, cannot be resumed.
    with contextlib.suppress(RunError):
        # The name first: of thousands of runs, few are read as a whole.
        return f'name = "{wanted["name"]}"' in run.config.text() and wanted in (
            run.config.asked().values(),
            run.config.read().values(),
        )
    return False


def _counts(run: RunDirectory) -> bool:
    return run.status.state() is not State.FAILED or any(run.checkpoints.glob("step-*"))
