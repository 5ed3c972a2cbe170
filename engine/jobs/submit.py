"""Hand a job over to the program of its cluster."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.jobs import kubernetes, skypilot, slurm
from engine.jobs.job import Job


@dataclass(frozen=True, slots=True)
class Cluster:
    """The interface of one kind of cluster."""

    text: Callable[[Job], str]
    command: tuple[str, ...]
    """Takes the text as a file, which is named last."""


CLUSTERS: Mapping[str, Cluster] = {
    "slurm": Cluster(slurm.script, ("sbatch",)),
    "skypilot": Cluster(skypilot.task, ("sky", "jobs", "launch", "--yes")),
    "kubernetes": Cluster(kubernetes.manifest, ("kubectl", "apply", "-f")),
}


def submit(cluster: Cluster, text: str) -> str:
    """Submit ``text``; returns the output of the cluster's program. Raises :class:`UserError`."""
    name = cluster.command[0]
    with tempfile.TemporaryDirectory(prefix="dltui-job-") as folder:
        path = Path(folder) / "job"
        path.write_text(text)
        try:
            done = subprocess.run(
                [*cluster.command, str(path)], capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise UserError(
                f"Cannot start {name}: {error.strerror}.",
                "Submit from a machine of the cluster, or leave --submit out to get the text.",
            ) from error
    if done.returncode != 0:
        raise UserError(f"{name} refused the job: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout.strip()
