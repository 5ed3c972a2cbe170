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


def manifest(job: Job) -> str:
    """The text that ``kubectl apply`` takes; raises :class:`UserError`."""
    if not job.image:
        raise UserError("Kubernetes needs --image, a container that has dltui.")
    if not job.storage:
        raise UserError(
            "Kubernetes needs --storage, the name of a persistent volume claim.",
            "Runs and checkpoints are kept there.",
        )
    # The same experiment has the same name: to apply it again starts it no second time.
    name = f"{job.name}-{hashlib.sha256(job.experiment.encode()).hexdigest()[:8]}"
    metadata = {"name": name, "labels": {"app.kubernetes.io/name": "dltui"}}
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {_FILE: job.experiment},
    }
    made = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": _spec(job, name)}
    if job.config.train.machines == 1:
        return documents(settings, made)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            "selector": {"batch.kubernetes.io/job-name": name},
            # The machines find each other before any of them is ready.
            "publishNotReadyAddresses": True,
        },
    }
    return documents(settings, service, made)


def _spec(job: Job, name: str) -> dict[str, Any]:
    limit = {"activeDeadlineSeconds": job.minutes * 60} if job.minutes else {}
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
    asked = {
        "cpu": f"{job.cpus or ''}",
        "memory": f"{job.memory}G" if job.memory else "",
        "nvidia.com/gpu": f"{job.gpus or ''}",
    }
    several = job.config.train.machines > 1
    environment = {"DLTUI_HOME": HOME}
    if several:
        environment |= {"MASTER_ADDR": f"{name}-0.{name}", "MASTER_PORT": str(_PORT)}
    container = {
        "name": "train",
        "image": job.image,
        "command": ["dltui", "run", f"{_EXPERIMENT}/{_FILE}", "--resume", "auto"],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"limits": {what: size for what, size in asked.items() if size}},
        "volumeMounts": [
            {"name": "home", "mountPath": HOME},
            {"name": "experiment", "mountPath": _EXPERIMENT, "readOnly": True},
        ],
    }
    return {
        **({"subdomain": name} if several else {}),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container],
        "volumes": [
            {"name": "home", "persistentVolumeClaim": {"claimName": job.storage}},
            {"name": "experiment", "configMap": {"name": name}},
        ],
    }
