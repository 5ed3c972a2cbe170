"""Bands of a forecast by the errors of those that the past of its file allows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from engine.batches.source import Batch
from engine.data.series.windows import WindowSource
from engine.metrics.bands import Bands
from engine.metrics.recent_bands import FEWEST, RECENT, recent_bands
from engine.reports.counted import counted

_BATCH = 256


def by_latest(
    bands: Bands, source: WindowSource, forward: Callable[[Batch], Tensor]
) -> tuple[Bands, str]:
    """Return bands by the errors of the last windows of a source, and a sentence on it."""
    count = min(len(source), RECENT)
    if count < FEWEST:
        return bands, (
            f"The bands are those of the validation rows: the file has {counted(count, 'window')} "
            f"with a truth, and from {FEWEST:,} on bands follow the latest errors."
        )
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    plan = torch.split(torch.arange(len(source) - count, len(source)), _BATCH)
    with torch.inference_mode():
        for batch in source.read(plan):
            truth = batch.targets
            known = batch.inputs.get("known", torch.ones_like(truth, dtype=torch.bool))
            kept.append((forward(batch).float().cpu(), truth.cpu(), known.cpu()))
    forecast, truth, known = (torch.cat(part) for part in zip(*kept, strict=True))
    said = f"The bands follow the errors of the last {count:,} forecasts in the past of the file."
    return recent_bands(bands, (forecast, truth, known), count), said
