"""A job as a batch script of Slurm: https://slurm.schedmd.com/sbatch.html."""

from __future__ import annotations

import sys

from engine.errors import UserError
from engine.jobs.job import Job, here_document, quoted

GRACE_SECONDS = 120
"""Time before the end of a job at which it gets the signal to save a checkpoint."""

_END_ONE = 'kill -TERM "$run"'
# srun answers the signal by killing what it started, before a checkpoint is saved.
_END_SEVERAL = 'scancel --signal=TERM "$SLURM_JOB_ID"'
_WAIT_SECONDS = 300
"""Time for the other machines to end once one has; more than their last checkpoint takes.

One that the main machine never met would wait for it until the end of the job.
"""

# `wait` comes back early from a signal that is trapped; only the second one returns the status.
_RUN = """\
going_on=
trap 'going_on=yes; {end}' TERM
{command} "$experiment" --resume auto &
run=$!
wait "$run"
status=$?
if [ -n "$going_on" ]; then
  wait "$run"
  status=$?
fi
rm -f "$experiment"
# Ended by the cluster with a checkpoint: wait in the queue, and resume from there.
if [ "$status" -eq 143 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
"""
# What every machine reads lies where all see it. Each runs one program, which starts its processes.
_SEVERAL = """\
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MASTER_ADDR MASTER_PORT
mkdir -p "$DLTUI_HOME" || exit 1
"""


def script(job: Job, python: str = sys.executable) -> str:
    """The text that ``sbatch`` takes; ``python`` is the one that has ``dltui``.

    Raises :class:`UserError`.
    """
    command = quoted(python, "-m", "tui", "run")
    home = f"export DLTUI_HOME={quoted(job.home)}\n" if job.home else ""
    nodes = job.config.train.machines
    folder, end = "", _END_ONE
    if nodes > 1:
        if not job.home:
            raise UserError(
                "Several machines need --home, a shared folder where runs are kept.",
                "Or set DLTUI_HOME.",
            )
        # srun does not take this one from the script.
        cores = f"--cpus-per-task={job.cpus} " if job.cpus else ""
        fixed = job.config.train.fewest_machines == nodes
        wait = f"--wait={_WAIT_SECONDS} " if fixed else ""  # others are done without
        tasks = f"--nodes={nodes} --ntasks={nodes} --ntasks-per-node=1"
        command = f"srun {tasks} {cores}{wait}{command}"
        home += _SEVERAL
        end = _END_SEVERAL
        folder = ' --tmpdir="$DLTUI_HOME"'
    lines = "".join(f"#SBATCH --{option}\n" for option in _options(job, nodes))
    experiment = here_document('"$experiment"', job.experiment)
    return (
        f"#!/bin/bash\n{lines}\n{home}"
        f"experiment=$(mktemp{folder} --suffix=.toml) || exit 1\n{experiment}\n"
        + _RUN.format(command=command, end=end)
    )


def _options(job: Job, nodes: int) -> list[str]:
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
        f"nodes={nodes}",
        f"ntasks={nodes}",
        *(["ntasks-per-node=1"] if nodes > 1 else []),
        *(f"{option}={value}" for option, value in asked.items() if value),
        "requeue",
        "open-mode=append",
        f"signal=B:TERM@{GRACE_SECONDS}",
        f"output={job.name}-%j.log",
    ]
