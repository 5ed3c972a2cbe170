"""A job as a task of SkyPilot: https://docs.skypilot.co/en/latest/reference/yaml-spec.html."""

from __future__ import annotations

from typing import Any

from engine.errors import UserError
from engine.jobs.job import Job, here_document
from engine.jobs.yaml_text import documents

HOME = "/dltui"
"""Folder of the runs on the job's machine."""
# SkyPilot runs the same on each node, and sets its rank and the addresses of all.
_SEVERAL = """\
export NODE_RANK="$SKYPILOT_NODE_RANK"
export MASTER_ADDR="$(echo "$SKYPILOT_NODE_IPS" | head -n 1)" MASTER_PORT=29500
"""


def task(job: Job) -> str:
    """The text that ``sky jobs launch`` takes; raises :class:`UserError`."""
    nodes = job.config.train.machines
    if nodes > 1 and (not job.storage or _is_bucket(job)):
        raise UserError(
            "Several machines need --storage, the name of a volume of SkyPilot that all mount.",
            "A bucket shows a file to other machines only once it is closed. "
            "`sky volumes apply` makes a volume.",
        )
    if job.gpus and not job.gpu_type:
        raise UserError("SkyPilot needs --gpu-type, such as A100 or L4.")
    asked = {
        "accelerators": f"{job.gpu_type}:{job.gpus}" if job.gpus else "",
        "cpus": f"{job.cpus}+" if job.cpus else "",
        "memory": f"{job.memory}+" if job.memory else "",
        "image_id": f"docker:{job.image}" if job.image else "",
    }
    content: dict[str, Any] = {"name": job.name}
    if nodes > 1:
        content["num_nodes"] = nodes
    if any(asked.values()):
        content["resources"] = {name: value for name, value in asked.items() if value}
    content["envs"] = {"DLTUI_HOME": HOME}
    if job.storage:
        # After a preemption, the next machine finds the checkpoints there.
        content |= _storage(job)
    if not job.image:
        content["setup"] = "pip install dltui"
    content["run"] = (
        here_document("experiment.toml", job.experiment)
        + (_SEVERAL if nodes > 1 else "")
        + "exec dltui run ./experiment.toml --resume auto\n"
    )
    return documents(content)


def _is_bucket(job: Job) -> bool:
    """Return whether the storage is a bucket (``s3://…``), rather than the name of a volume."""
    return "://" in job.storage


def _storage(job: Job) -> dict[str, Any]:
    """Return the field that mounts the folder of the runs.

    The events of a run are appended to a file, which buckets take only with a cache (``MOUNT``
    has neither appending nor random writes).
    """
    if _is_bucket(job):
        return {"file_mounts": {HOME: {"source": job.storage, "mode": "MOUNT_CACHED"}}}
    return {"volumes": {HOME: job.storage}}
