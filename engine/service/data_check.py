"""The check of a data set, answered in the helper process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.checks.examine import examine
from engine.config.run_config import RunConfig
from engine.pipelines.create import create_pipeline


def answer(values: Mapping[str, Any], pictures: bool = False) -> dict[str, Any]:
    """Answer ``data check``, with ``pictures`` of rows that are images where they are wanted.

    Raises ``ConfigError`` and ``DataError``.
    """
    return examine(create_pipeline(RunConfig.parse(values)), pictures=pictures).record()
