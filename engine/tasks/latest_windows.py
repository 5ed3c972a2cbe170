"""Bands of windows by the errors of the forecasts before them, made again from the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.batches.source import Batch
from engine.data.series.panel_windows import PanelWindowSource
from engine.data.series.windows import WindowSource
from engine.metrics.forecasts.bands import Bands
from engine.metrics.forecasts.recent_bands import (
    FEWEST,
    RECENT,
    kept_every,
    known_before,
    recent_bands,
)

_BATCH = 256
_TOGETHER = 4096
"""Windows whose forecasts are in memory at once."""
_MOST = 250_000
"""Windows that are forecast to fit the bands of a prediction; of more, none is."""

Forward = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class LatestWindows:
    """Forecasts windows of a source again, for the bands of those behind them."""

    bands: Bands
    source: WindowSource | PanelWindowSource
    forward: Forward

    def at(self, windows: Tensor, apart: int) -> Bands:
        """Return bands with factors for each of the ``windows``, as an evaluation has them.

        ``apart`` is the number of windows after which the truth of a window is known.
        """
        if self.bands.factors is None:
            return self.bands
        begins = self.source.begins(windows)
        ends = [known_before(step, apart) for step in (windows - begins).tolist()]
        pairs = zip(begins.tolist(), ends, strict=True)
        return self.following([(begin, 0, max(0, end)) for begin, end in pairs])

    def following(self, known: Sequence[tuple[int, int, int]]) -> Bands:
        """Return bands with factors for each of some windows.

        Of each, ``known`` has the number of the first window of its series, and which of this
        series' windows, from the first to the one behind the last, have shown their truth.
        """
        assert self.bands.factors is not None
        every = self._every() if any(end - begin >= FEWEST for _, begin, end in known) else 1
        wanted = [self._kept(first, begin, end, every) for first, begin, end in known]
        factors: list[Tensor] = []
        done = 0
        while done < len(wanted):
            size, last = 0, done
            while last < len(wanted) and (size == 0 or size + len(wanted[last]) <= _TOGETHER):
                size, last = size + len(wanted[last]), last + 1
            factors += self._factors(wanted[done:last], known[done:last], every)
            done = last
        return replace(self.bands, factors=torch.stack(factors))

    def _every(self) -> int:
        [batch] = self.source.read([torch.tensor([0])])
        return kept_every(self.forward(batch)[0].numel())

    def _kept(self, first: int, begin: int, end: int, every: int) -> Tensor:
        """The windows that stand for the latest: every ``every``-th of the series."""
        if end - begin < FEWEST:
            return torch.empty(0, dtype=torch.int64)
        last = -(-end // every)
        least = max(-(-begin // every), last - RECENT // every)
        return first + every * torch.arange(least, last)

    def _factors(
        self, wanted: Sequence[Tensor], known: Sequence[tuple[int, int, int]], every: int
    ) -> list[Tensor]:
        static = self.bands.factors
        assert static is not None
        numbers = torch.unique(torch.cat([*wanted]))
        if not len(numbers):
            return [static] * len(wanted)
        kept = self._forecasts(numbers)
        factors = []
        for own, (_, begin, end) in zip(wanted, known, strict=True):
            places = torch.searchsorted(numbers, own)
            latest = kept[0][places], kept[1][places], kept[2][places]
            found = recent_bands(self.bands, latest, end - begin, every) if len(own) else self.bands
            factors.append(static if found.factors is None else found.factors)
        return factors

    def _forecasts(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The network's outputs for windows, their truths, and which of these count."""
        kept: list[tuple[Tensor, Tensor, Tensor]] = []
        with torch.inference_mode():
            for batch in self.source.read(torch.split(numbers, _BATCH)):
                truth = batch.targets
                known = batch.inputs.get("known", torch.ones_like(truth, dtype=torch.bool))
                kept.append((self.forward(batch).float().cpu(), truth.cpu(), known.cpu()))
        forecast, truth, known = (torch.cat(part) for part in zip(*kept, strict=True))
        return forecast, truth, known


def by_latest(latest: LatestWindows, after: Tensor) -> tuple[dict[int, Tensor], str]:
    """Return factors of bands for what follows the series of the source, and a sentence on them.

    They go by the windows that forecast what comes ``after`` the training rows, a time for each
    series, ``[series]``. Only series with enough of them are in the result, by their numbers.
    """
    counts, ends = latest.source.newest(RECENT, after)
    follow = counts >= FEWEST
    series = int(follow.sum())
    most, several = int(counts.max()) if len(counts) else 0, len(counts) > 1
    if not series:
        where = "a series of the file has at most" if several else "the file has"
        return {}, (
            "The bands are fitted on the validation rows. They follow the latest errors once "
            f"{FEWEST:,} windows after the training rows have known values; {where} {most:,}."
        )
    if int(counts[follow].sum()) // kept_every(1) > _MOST:
        return {}, (
            f"The bands are those of the validation rows: {series:,} series are too many to "
            "forecast their past again."
        )
    ends, counts, numbers = ends[follow], counts[follow], follow.nonzero().flatten().tolist()
    begins = latest.source.begins(ends - 1)
    parts = (begins, ends - begins - counts, ends - begins)
    known = list(zip(*(part.tolist() for part in parts), strict=True))
    found = latest.following(known).factors
    factors = {} if found is None else dict(zip(numbers, found, strict=True))
    if not several:
        return factors, (
            f"The bands follow the errors of the last {most:,} forecasts in the past of the file."
        )
    others = len(follow) - series
    said = f"The bands of {series:,} series follow the errors of their own latest forecasts"
    return factors, said + (
        f"; those of {others:,} are of the validation rows, as they have fewer than {FEWEST:,} "
        "after the training rows."
        if others
        else "."
    )
