"""The process that trains: ``python -m engine.worker RUN_DIRECTORY``.

Exit status: 0 finished or stopped, 1 failed.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import traceback
from pathlib import Path

from engine.errors import RunError, UserError
from engine.events import EventLog, Failed
from engine.process import ProcessIdentity
from engine.run_directory import HEARTBEAT_SECONDS, RunDirectory


def main(arguments: list[str]) -> int:
    """Work on the run directory that is named, to its end."""
    run = RunDirectory(Path(arguments[0]))
    os.umask(0o077)
    faulthandler.enable()
    try:
        with run.locked():
            return _work(run)
    except RunError as error:
        print(error, file=sys.stderr)  # noqa: T201 — the log is all there is
        return 1


def _work(run: RunDirectory) -> int:
    """Train under a beating heart; exactly one last event, whatever happens."""
    run.set_worker(ProcessIdentity.own())
    ended = threading.Event()
    heart = threading.Thread(target=_beat, args=(run, ended), daemon=True)
    heart.start()
    events = EventLog(run.events)
    try:
        from engine.training.run import train_in

        train_in(run, events)
        return 0
    except UserError as error:
        events.write(Failed(message=str(error)))
    except Exception as error:  # noqa: BLE001 — the last word of the run, and the whole story in its log
        traceback.print_exc()
        events.write(Failed(message=_defect(error), report=str(run.log)))
    finally:
        ended.set()
        events.close()
    return 1


def _defect(error: Exception) -> str:
    return f"The program made a mistake: {type(error).__name__}: {str(error)[:300]}"


def _beat(run: RunDirectory, ended: threading.Event) -> None:
    while True:
        try:
            run.beat()
        except OSError:
            pass  # a full or vanished disk ends the run by itself
        if ended.wait(HEARTBEAT_SECONDS):
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
