"""A job as a task of SkyPilot: https://docs.skypilot.co/en/latest/reference/yaml-spec.html."""

from __future__ import annotations

from typing import Any

from engine.errors import UserError
from engine.jobs.job import Job, here_document, single_machine
from engine.jobs.yaml_text import documents

HOME = "/dltui"
"""Folder of the runs on the job's machine."""


def task(job: Job) -> str:
    """The text that ``sky jobs launch`` takes; raises :class:`UserError`."""
    single_machine(job, "SkyPilot")
    if job.gpus and not job.gpu_type:
        raise UserError("SkyPilot needs --gpu-type, such as A100 or L4.")
    asked = {
        "accelerators": f"{job.gpu_type}:{job.gpus}" if job.gpus else "",
        "cpus": f"{job.cpus}+" if job.cpus else "",
        "memory": f"{job.memory}+" if job.memory else "",
        "image_id": f"docker:{job.image}" if job.image else "",
    }
    content: dict[str, Any] = {"name": job.name}
    if any(asked.values()):
        content["resources"] = {name: value for name, value in asked.items() if value}
    content["envs"] = {"DLTUI_HOME": HOME}
    if job.storage:
        # After a preemption, the next machine finds the checkpoints there.
        content["file_mounts"] = {HOME: {"source": job.storage, "mode": "MOUNT"}}
    if not job.image:
        content["setup"] = "pip install dltui"
    content["run"] = (
        here_document("experiment.toml", job.experiment)
        + "exec dltui run ./experiment.toml --resume auto\n"
    )
    return documents(content)
