"""A batch script runs under a shell as it would under Slurm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.files.paths import runs_folder
from engine.jobs.job import Job
from engine.jobs.slurm import script
from engine.launch.rank_files import log_file
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import all_runs
from engine.runs.events import Started
from engine.runs.status import State
from engine.training.checkpoints import checkpoint


def wait_for(what: Callable[[], object]) -> None:
    give_up = time.monotonic() + 120
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.slow
def test_a_job_whose_time_is_over_is_queued_again_and_continues(home: Path, tmp_path: Path) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o700)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    fields = ["train.epochs=100000", "train.save_steps=20", "compute.device=cpu"]
    job = Job(load_preset(find_preset("wine-mlp"), fields), home=str(home))

    def begin() -> subprocess.Popen[bytes]:
        (tmp_path / "job").write_text(script(job, sys.executable))
        return subprocess.Popen(["bash", str(tmp_path / "job")], env=environment)

    process = begin()
    wait_for(lambda: any(checkpoint.found(run.checkpoints) for run in all_runs(runs_folder())))
    process.send_signal(signal.SIGTERM)  # to the script only, like --signal=B:TERM
    assert process.wait(120) == 143
    assert (tmp_path / "asked").read_text() == "requeue 7\n"

    process = begin()
    (run,) = all_runs(runs_folder())
    wait_for(lambda: sum(1 for _ in run.events.newest(Started)) == 2)
    run.requests.send(Request(control.STOP))
    assert process.wait(120) == 0
    assert run.status.state() is State.STOPPED
    assert (tmp_path / "asked").read_text() == "requeue 7\n"


# Like the real one, it kills its programs when it gets the signal itself.
_SRUN = """#!/bin/bash
while [ "${1:0:2}" = -- ]; do shift; done
trap 'kill -KILL $first $second' TERM
SLURM_NODEID=0 "$@" & first=$!
SLURM_NODEID=1 "$@" & second=$!
echo "$first $second" > "${0%/*}/tasks"
wait $first; status=$?
while kill -0 $first 2> /dev/null; do wait $first; status=$?; done
while kill -0 $second 2> /dev/null; do wait $second; done
exit $status
"""


@pytest.mark.slow
def test_a_job_of_two_machines_trains_one_run_and_continues_with_it(
    home: Path, tmp_path: Path
) -> None:
    asks = {"scontrol": '#!/bin/sh\n[ "$1" = requeue ] || echo localhost\n', "srun": _SRUN,
            "scancel": '#!/bin/sh\n[ "$1 $2" = "--signal=TERM $SLURM_JOB_ID" ] || exit 1\n'
                       'kill -TERM $(cat "${0%/*}/tasks")\n'}  # fmt: skip
    for name, text in asks.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": f"{os.getpid()}",
        "SLURM_JOB_NODELIST": "here",
    }  # fmt: skip
    fields = ["train.max_steps=2000", "train.save_steps=20", "train.nodes=2", "compute.device=cpu",
              "compute.threads=1"]  # fmt: skip
    job = Job(load_preset(find_preset("wine-mlp"), fields), home=str(home))
    (tmp_path / "job").write_text(script(job, sys.executable))

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(["bash", str(tmp_path / "job")], env=environment)

    process = begin()
    wait_for(lambda: any(checkpoint.found(run.checkpoints) for run in all_runs(runs_folder())))
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143
    assert begin().wait(240) == 0
    (run,) = all_runs(runs_folder())
    assert run.status.state() is State.FINISHED
    assert [event.resumed_step > 0 for event in run.events.newest(Started)] == [True, False]
    assert log_file(run, 1).exists(), "the second machine trained along"
