"""A process that searches: ``python -m engine.sweep.worker SWEEP_DIRECTORY [--join]``.

Exit status: 0 searched to its end or stopped, 1 failed. A crash does not affect the runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import ArgumentParser
from pathlib import Path

from engine.errors import ConfigError, RunError
from engine.files.disk_space import why_not_written
from engine.files.paths import runs_folder
from engine.hardware.resources import gpu_names
from engine.sweep.directory import SweepDirectory


def main(arguments: list[str]) -> int:
    """Search in the directory that is named."""
    os.umask(0o077)
    parser = ArgumentParser()
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--join", action="store_true")
    parser.add_argument("--parallel", type=int, default=0)
    options = parser.parse_args(arguments)
    sweep = SweepDirectory(options.sweep)
    try:
        with sweep.workers.joined() if options.join else sweep.held() as worker:
            from engine.sweep import search  # optuna, which those who only watch do not need

            try:
                places = _places(sweep, options.join, options.parallel)
                search.Search(sweep, runs_folder(), worker, places, options.join).run()
            except (RunError, ConfigError) as error:
                search.fail(sweep, error)
                raise
            except Exception as error:
                if not (reason := why_not_written(error)):
                    raise
                full = RunError(
                    f"Cannot write to {sweep.path} any more: {reason}.",
                    "Free disk space, then resume the sweep.",
                )
                with contextlib.suppress(OSError):  # as its table is on the same disk
                    search.fail(sweep, full)
                raise full from error
    except (RunError, ConfigError) as error:
        print(error, file=sys.stderr)  # noqa: T201 — the log is all there is
        return 1
    return 0


def _places(sweep: SweepDirectory, join: bool, parallel: int) -> list[str]:
    """Return a GPU for each run at once, or empty names where they see all devices."""
    config = sweep.config()
    gpus = gpu_names() if config.config().train.devices == 1 else []
    count = parallel or ((len(gpus) or 1) if join else config.parallel)
    return [gpus[number % len(gpus)] if gpus else "" for number in range(count)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
