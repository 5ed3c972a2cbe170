"""Hand a job over to the program of its cluster."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.errors import UserError
from engine.jobs import kubeflow, kubernetes, ray, skypilot, slurm
from engine.jobs.job import Job


@dataclass(frozen=True, slots=True)
class Cluster:
    """The interface of one kind of cluster."""

    text: Callable[[Job], str]
    send: Callable[[str], str]
    """Submits the text and returns the cluster's output. Raises :class:`UserError`."""
    unused: tuple[str, ...]
    """Options of the command that its jobs do not take."""


def by_command(*command: str) -> Callable[[str], str]:
    """Return a function that submits by a program, which takes the text as a file, named last."""
    return partial(_submit, command)


def _submit(command: Sequence[str], text: str) -> str:
    name = command[0]
    with tempfile.TemporaryDirectory(prefix="dltui-job-") as folder:
        path = Path(folder) / "job"
        path.write_text(text)
        try:
            done = subprocess.run(
                [*command, str(path)], capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise UserError(
                f"Cannot start {name}: {error.strerror}.",
                "Submit from a machine of the cluster, or leave --submit out to get the text.",
            ) from error
    if done.returncode != 0:
        raise UserError(f"{name} refused the job: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout.strip()


_APPLY = by_command("kubectl", "apply", "-f")
_ON_KUBERNETES = ("gpu_type", "partition", "account", "home")
_ON_SKYPILOT = ("time", "partition", "account", "home")
CLUSTERS: Mapping[str, Cluster] = {
    "slurm": Cluster(slurm.script, by_command("sbatch"), ("image", "storage")),
    "skypilot": Cluster(skypilot.task, by_command("sky", "jobs", "launch", "--yes"), _ON_SKYPILOT),
    "kubernetes": Cluster(kubernetes.manifest, _APPLY, _ON_KUBERNETES),
    "pytorchjob": Cluster(kubeflow.pytorch_job, _APPLY, _ON_KUBERNETES),
    "trainjob": Cluster(kubeflow.train_job, _APPLY, _ON_KUBERNETES),
    "ray": Cluster(ray.arguments, ray.send, ("partition", "account", "storage")),
}
