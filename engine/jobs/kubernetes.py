"""A job for Kubernetes: https://kubernetes.io/docs/concepts/workloads/controllers/job.

One of several machines is an indexed job: each pod reads its index as its node rank, and a headless
service gives the first node a name in the cluster's network.
"""

from __future__ import annotations

import hashlib
from typing import Any

from engine.errors import UserError
from engine.jobs.job import Job
from engine.jobs.yaml_text import documents

HOME = "/dltui"
"""Mount point of the volume with the runs."""
_EXPERIMENT = "/etc/dltui"
_FILE = "experiment.toml"
GRACE_SECONDS = 120
_MOST_TRIES = 20
_PORT = 29500
_NAME_LENGTH = 35
"""Characters of a name before its hash: those of pods, which have more behind it, have 63."""


def manifest(job: Job) -> str:
    """The text that ``kubectl apply`` takes; raises :class:`UserError`."""
    name = name_of(job)
    about, settings = metadata(name), experiment(job, name)
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": _spec(job, name)}
    if job.config.train.machines == 1:
        return documents(settings, made)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {
            "clusterIP": "None",
            "selector": {"batch.kubernetes.io/job-name": name},
            # The machines find each other before any of them is ready.
            "publishNotReadyAddresses": True,
        },
    }
    return documents(settings, service, made)


def name_of(job: Job) -> str:
    """Return the name of a job that has all it needs; raises :class:`UserError`.

    It begins with a letter, as names of services must, of which Kubeflow makes one for each job.
    The same experiment has the same name: to apply it again starts it no second time.
    """
    if not job.image:
        raise UserError("Kubernetes needs --image, a container that has dltui.")
    if not job.storage:
        raise UserError(
            "Kubernetes needs --storage, the name of a persistent volume claim.",
            "Runs and checkpoints are kept there.",
        )
    name = f"run-{job.name}" if job.name[0].isdigit() else job.name
    name = name[:_NAME_LENGTH].rstrip("-")
    return f"{name}-{hashlib.sha256(job.experiment.encode()).hexdigest()[:8]}"


def experiment(job: Job, name: str) -> dict[str, Any]:
    """Return the ``ConfigMap`` with the experiment."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(name),
        "data": {_FILE: job.experiment},
    }


def container(job: Job, **environment: str) -> dict[str, Any]:
    """Return the container that trains."""
    asked = {
        "cpu": f"{job.cpus or ''}",
        "memory": f"{job.memory}G" if job.memory else "",
        "nvidia.com/gpu": f"{job.gpus or ''}",
    }
    variables = {"DLTUI_HOME": HOME} | environment
    return {
        "name": "train",
        "image": job.image,
        "command": ["dltui", "run", f"{_EXPERIMENT}/{_FILE}", "--resume", "auto"],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "resources": {"limits": {what: size for what, size in asked.items() if size}},
        "volumeMounts": [
            {"name": "home", "mountPath": HOME},
            {"name": "experiment", "mountPath": _EXPERIMENT, "readOnly": True},
            *([{"name": "memory", "mountPath": "/dev/shm"}] if _shares_memory(job) else []),
        ],
    }


def volumes(job: Job, name: str) -> list[dict[str, Any]]:
    """Return the volumes with the runs and the experiment."""
    return [
        {"name": "home", "persistentVolumeClaim": {"claimName": job.storage}},
        {"name": "experiment", "configMap": {"name": name}},
        *([{"name": "memory", "emptyDir": {"medium": "Memory"}}] if _shares_memory(job) else []),
    ]


def _shares_memory(job: Job) -> bool:
    """Return whether processes share memory: NCCL needs more than the 64 MB of a container."""
    return max(job.gpus, job.config.train.devices) > 1


def deadline(job: Job) -> dict[str, int]:
    """Return the field with the time limit; empty for none."""
    return {"activeDeadlineSeconds": job.minutes * 60} if job.minutes else {}


def metadata(name: str) -> dict[str, Any]:
    """Return the name and the labels of what is made for a job."""
    return {"name": name, "labels": {"app.kubernetes.io/name": "dltui"}}


def _spec(job: Job, name: str) -> dict[str, Any]:
    limit = deadline(job)
    nodes = job.config.train.machines
    several = {"completions": nodes, "parallelism": nodes, "completionMode": "Indexed"}
    return {
        "backoffLimit": _MOST_TRIES,
        **limit,
        **(several if nodes > 1 else {}),
        # A run that failed would fail again; one whose node was taken away is resumed.
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": "train", "operator": "In", "values": [1, 2]},
                },
            ]
        },
        "template": {"spec": _pod(job, name)},
    }


def _pod(job: Job, name: str) -> dict[str, Any]:
    several = job.config.train.machines > 1
    meeting = {"MASTER_ADDR": f"{name}-0.{name}", "MASTER_PORT": str(_PORT)} if several else {}
    return {
        **({"subdomain": name} if several else {}),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container(job, **meeting)],
        "volumes": volumes(job, name),
    }
