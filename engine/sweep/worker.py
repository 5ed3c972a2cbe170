"""The process that searches: ``python -m engine.sweep.worker SWEEP_DIRECTORY``.

Exit status: 0 searched to its end or stopped, 1 failed. A crash does not affect the runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engine.errors import ConfigError, RunError
from engine.files.paths import runs_folder
from engine.sweep.directory import SweepDirectory


def main(arguments: list[str]) -> int:
    """Search in the directory that is named."""
    os.umask(0o077)
    sweep = SweepDirectory(Path(arguments[0]))
    try:
        with sweep.held():
            from engine.sweep import search  # optuna, which those who only watch do not need

            try:
                search.Search(sweep, runs_folder()).run()
            except (RunError, ConfigError) as error:
                search.fail(sweep, error)
                raise
    except (RunError, ConfigError) as error:
        print(error, file=sys.stderr)  # noqa: T201 — the log is all there is
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
