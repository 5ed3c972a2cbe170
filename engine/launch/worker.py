"""The process that trains: ``python -m engine.launch.worker RUN_DIRECTORY``.

Exit status: 0 finished or stopped, 1 failed, 143 ended by SIGTERM or SIGINT with a checkpoint.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import sys
from pathlib import Path
from typing import NoReturn

from engine.errors import UserError
from engine.launch.attempt import attempt
from engine.launch.stall import watched
from engine.processes.collector import collect_seldom, collector_paused
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, Interrupted
from engine.runs.session import RunSession

_PATIENCE_SECONDS = 10.0
"""Time-out for the lock, which the parent process holds until this worker is recorded."""


def main(arguments: list[str], watch: bool = False) -> int:
    """Train in the given run directory until the run ends.

    With ``watch``, a training that hangs ends this process.
    """
    os.umask(0o077)
    faulthandler.enable()
    work = _train_watched if watch else _train
    try:
        last = attempt(RunDirectory(Path(arguments[0])), work, _PATIENCE_SECONDS)
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201 — the log is all there is
        return 1
    except Exception:  # noqa: BLE001 — reported in the last event and the log
        return 1
    return 143 if isinstance(last, Interrupted) else 0


def _train(session: RunSession) -> Event:
    """Import torch only here, where an import error is reported in the run."""
    if session.config.train.processes > 1:
        from engine.launch.rank_supervisor import train_in_ranks

        return train_in_ranks(session)
    with collector_paused():
        from engine.training.run import train_in
    collect_seldom()
    return train_in(session)


def _train_watched(session: RunSession) -> Event:
    with watched(session):
        return _train(session)


def leave(status: int) -> NoReturn:
    """Exit at once: Python's own exit would take seconds to free the libraries' objects."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    leave(main(sys.argv[1:], watch=True))
