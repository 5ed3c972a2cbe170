"""Create the data pipeline of the task that a configuration names."""

from __future__ import annotations

from typing import Any

from engine.config.registry import implementation, resolve
from engine.config.run_config import RunConfig
from engine.pipelines.pipeline import DataPipeline


def create_pipeline(config: RunConfig) -> DataPipeline[Any]:
    """The data pipeline of ``config.task``.

    A plug-in for version 0.1 names none: its task has the methods, for one more release.
    """
    pipeline: DataPipeline[Any]
    if config.task.pipeline:
        pipeline = resolve(config.task.pipeline)(config)
    else:
        pipeline = implementation(config.task, "create")(config).pipeline
    return pipeline
