"""A job for Kubeflow: a ``PyTorchJob`` of its training operator, or a ``TrainJob`` of its trainer.

Both start one process a node and set its rank and the address of the main node (``PET_NODE_RANK``,
``PET_MASTER_ADDR``, ``PET_MASTER_PORT``), which ``dltui run`` takes; it starts the processes of its
GPUs itself. https://www.kubeflow.org/docs/components/trainer.
"""

from __future__ import annotations

from typing import Any

from engine.jobs.job import Job
from engine.jobs.kubernetes import container, deadline, experiment, metadata, name_of, volumes
from engine.jobs.yaml_text import documents

_MOST_TRIES = 20
RUNTIME = "torch-distributed"
"""The runtime that Kubeflow's trainer installs for torch."""


def pytorch_job(job: Job) -> str:
    """Return a manifest with a ``PyTorchJob``; raises :class:`~engine.errors.UserError`."""
    name = name_of(job)
    nodes = job.config.train.machines
    # Its container must be called so, and a port of this name is where the others meet.
    pod = {
        "containers": [container(job) | {"name": "pytorch"}],
        "volumes": volumes(job, name),
    }
    replica = {"restartPolicy": "OnFailure", "template": {"spec": pod}}
    replicas: dict[str, Any] = {"Master": {"replicas": 1, **replica}}
    if nodes > 1:
        replicas["Worker"] = {"replicas": nodes - 1, **replica}
    spec = {
        "nprocPerNode": "1",
        "runPolicy": {"backoffLimit": _MOST_TRIES, "cleanPodPolicy": "Running", **deadline(job)},
        "pytorchReplicaSpecs": replicas,
    }
    made = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": metadata(name),
        "spec": spec,
    }
    return documents(experiment(job, name), made)


def train_job(job: Job) -> str:
    """Return a manifest with a ``TrainJob``; raises :class:`~engine.errors.UserError`."""
    name, wanted = name_of(job), container(job)
    trainer = {
        "image": wanted["image"],
        "command": wanted["command"],
        "env": wanted["env"],
        "numNodes": job.config.train.machines,
        "numProcPerNode": 1,
        "resourcesPerNode": wanted["resources"],
    }
    # The volumes belong to the pods of the runtime, whose container of the trainer is called node.
    pod = {
        "volumes": volumes(job, name),
        "containers": [{"name": "node", "volumeMounts": wanted["volumeMounts"]}],
    }
    patch = {
        "manager": "dltui.dev/submit",
        "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [
            {"name": "node", "template": {"spec": {"template": {"spec": pod}}}},
        ]}}},
    }  # fmt: skip
    made = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": metadata(name),
        "spec": {
            "runtimeRef": {"name": RUNTIME},
            "trainer": trainer,
            "runtimePatches": [patch],
            **deadline(job),
        },
    }
    return documents(experiment(job, name), made)
