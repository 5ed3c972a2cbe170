"""A job as a batch script of Slurm: https://slurm.schedmd.com/sbatch.html."""

from __future__ import annotations

import sys

from engine.jobs.job import Job, here_document, quoted

GRACE_SECONDS = 120
"""So long before its time is over, a job is told to write a checkpoint."""

# `wait` comes back early from a signal that is trapped; only the second one knows the status.
_RUN = """\
going_on=
trap 'going_on=yes; kill -TERM "$run"' TERM
{command} run "$experiment" --resume auto &
run=$!
wait "$run"
status=$?
if [ -n "$going_on" ]; then
  wait "$run"
  status=$?
fi
rm -f "$experiment"
# Ended by the cluster with a checkpoint: wait for another turn, and go on from there.
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
"""


def script(job: Job, python: str = sys.executable) -> str:
    """The text that ``sbatch`` takes; ``python`` is the one that has ``dltui``."""
    command = quoted(python, "-m", "tui")
    home = f"export DLTUI_HOME={quoted(job.home)}\n" if job.home else ""
    lines = "".join(f"#SBATCH --{option}\n" for option in _options(job))
    experiment = here_document('"$experiment"', job.experiment)
    return (
        f"#!/bin/bash\n{lines}\n{home}"
        f"experiment=$(mktemp --suffix=.toml) || exit 1\n{experiment}\n"
        + _RUN.format(command=command)
    )


def _options(job: Job) -> list[str]:
    gpus = f"{job.gpu_type}:{job.gpus}" if job.gpu_type else f"{job.gpus}"
    hours, minutes = divmod(job.minutes, 60)
    days, hours = divmod(hours, 24)
    asked = {
        "partition": job.partition,
        "account": job.account,
        "gpus-per-node": gpus if job.gpus else "",
        "cpus-per-task": f"{job.cpus or ''}",
        "mem": f"{job.memory}G" if job.memory else "",
        "time": f"{days}-{hours:02}:{minutes:02}:00" if job.minutes else "",
    }
    return [
        f"job-name={job.name}",
        "nodes=1",
        "ntasks=1",
        *(f"{option}={value}" for option, value in asked.items() if value),
        "requeue",
        "open-mode=append",
        f"signal=B:TERM@{GRACE_SECONDS}",
        f"output={job.name}-%j.log",
    ]
