"""The check of a data set, answered in the helper process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.checks.examine import examine
from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.pipelines.abilities import learns_answers
from engine.pipelines.create import create_pipeline
from engine.pipelines.pipeline import DataPipeline
from engine.service.data_cache import loaded, row_numbers
from engine.service.row_check import row_notes


def answer(values: Mapping[str, Any], pictures: bool = False) -> dict[str, Any]:
    """Answer ``data check``, with ``pictures`` of rows that are images where they are wanted.

    ``data`` is the summary with notes on how everything was read; for language models, on all rows
    that are not learned as they are. Raises ``ConfigError`` and ``DataError``.
    """
    pipeline = create_pipeline(RunConfig.parse(values))
    check = examine(pipeline, pictures=pictures).record()
    return check | {"data": _summary(pipeline)}


def _summary(pipeline: DataPipeline[Any]) -> dict[str, Any]:
    """Return the summary, or the reason why nothing can be learned, beside which findings stand."""
    try:
        raw, fitted = loaded(pipeline)
        summary = pipeline.summary(raw, fitted)
        if learns_answers(pipeline, fitted):
            summary = summary.with_notes(*row_notes(pipeline, raw, fitted, row_numbers(pipeline)))
    except DataError as error:
        return {"notes": [str(error)]}
    return summary.record()
