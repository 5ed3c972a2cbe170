"""Which run a job goes on with, that is started again and again until its run is done."""

from __future__ import annotations

import contextlib
from pathlib import Path

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.processes.lock import locked
from engine.runs.directory import RunDirectory, State, each_run


def newest_like(folder: Path, config: RunConfig) -> RunDirectory | None:
    """The newest run of the same configuration, ``None`` where a new one must begin.

    One that failed before its first checkpoint is passed over: there is nothing to go on from.
    """
    wanted = config.anchored().values()
    return next((run for run in each_run(folder) if _is_like(run, wanted) and _counts(run)), None)


def alone(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Keep others who look for a run to go on with waiting, until it is started.

    Raises :class:`RunError` where nothing can be written.
    """
    return locked(folder / ".resume.lock")


def _is_like(run: RunDirectory, wanted: dict[str, object]) -> bool:
    # A run that another version wrote, or that is damaged, is none to go on with.
    with contextlib.suppress(RunError):
        # The name first: of thousands of runs, few are read as a whole.
        return f'name = "{wanted["name"]}"' in run.read_config() and run.config().values() == wanted
    return False


def _counts(run: RunDirectory) -> bool:
    return run.state() is not State.FAILED or any(run.checkpoints.glob("step-*"))
