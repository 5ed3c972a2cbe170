"""A job for Ray, by its job API: https://docs.ray.io/en/latest/cluster/running-applications.

The text is what ``JobSubmissionClient.submit_job`` takes, as YAML. The cluster is the one of
``RAY_ADDRESS`` (``http://127.0.0.1:8265``).
"""

from __future__ import annotations

import os
from typing import Any

import yaml

from engine.errors import UserError
from engine.jobs.job import Job, here_document, single_machine
from engine.jobs.yaml_text import documents


def arguments(job: Job) -> str:
    """Return the arguments of the submission; raises :class:`UserError`."""
    single_machine(job, "Ray")
    if job.minutes:
        raise UserError("Ray has no time limit for jobs.", "Set train.max_minutes in its place.")
    entrypoint = (
        "experiment=$(mktemp --suffix=.toml) || exit 1\n"
        + here_document('"$experiment"', job.experiment)
        + 'exec dltui run "$experiment" --resume auto\n'
    )
    runtime: dict[str, Any] = {}
    if job.home:
        runtime["env_vars"] = {"DLTUI_HOME": job.home}
    if job.image:
        runtime["image_uri"] = job.image
    asked = {
        "entrypoint_num_gpus": job.gpus,
        "entrypoint_num_cpus": job.cpus,
        "entrypoint_memory": job.memory * 10**9,
        "entrypoint_resources": {f"accelerator_type:{job.gpu_type}": 0.001} if job.gpu_type else {},
        "runtime_env": runtime,
    }
    return documents(
        {
            "entrypoint": entrypoint,
            "metadata": {"name": job.name},
            **{name: value for name, value in asked.items() if value},
        }
    )


def send(text: str) -> str:
    """Submit a job; returns what to do next. Raises :class:`UserError`."""
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise UserError(
            "Jobs of Ray need the package ray.", "Install it with: pip install 'dltui[ray]'."
        ) from error
    address = os.environ.get("RAY_ADDRESS", "http://127.0.0.1:8265")
    try:
        job = JobSubmissionClient(address).submit_job(**yaml.safe_load(text))
    except (ConnectionError, RuntimeError) as error:
        lines = str(error).strip().splitlines()
        reason = lines[-1][-300:] if lines else type(error).__name__
        raise UserError(
            f"Ray at {address} did not take the job: {reason}",
            "Set RAY_ADDRESS to the address of its dashboard.",
        ) from error
    return f"{job}: `ray job logs --follow {job}` shows its output, `ray job stop {job}` ends it."
