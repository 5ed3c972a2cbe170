"""Windows of several series in one flat array, gathered when they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from torch import Tensor
from typing_extensions import override

from engine.batches.source import LEAST_WEIGHT, Batch, Noise, Source
from engine.data.series.filled_past import FilledPast
from engine.data.series.window_plan import WindowPlan


@dataclass(frozen=True)
class SeriesFacts:
    """The static features of each series."""

    places: Tensor
    """int64 ``[series]``: the number of each in the order of training."""
    shift: Tensor
    """``[series, targets]``: the mean that was taken from its values."""
    scale: Tensor
    """``[series, targets]``: the deviation that they were divided by."""
    keys: pa.Table | None = None
    """One row a series, for predictions: the columns that tell it apart."""
    static: Tensor | None = None
    """``[series, features]``: what is the same in all rows, behind the other features."""


class PanelWindowSource(Source):
    """Windows of several series, as :class:`engine.data.series.windows.WindowSource` gives them.

    Besides its inputs there are ``series`` and ``order``, int64 ``[batch]``: the number of each
    window's series in training, and among those of the source; ``seen``, int64 ``[batch]``: the
    rows of the series before the horizon; and of this series ``shift`` and ``scale`` ``[batch, 1,
    targets]``. A window that reaches back before the first row of its series
    repeats this row. ``rows`` of a batch has the keys.
    """

    def __init__(
        self,
        values: Tensor,
        times: Tensor,
        known: Tensor | None,
        plan: WindowPlan,
        facts: SeriesFacts,
        filled: FilledPast | None = None,
        *,
        channels: int,
    ) -> None:
        """``values`` is ``[rows, channels + features]``, ``times`` ``[rows]``.

        ``known``, bool ``[rows, targets]``, marks the targets that were not filled in; ``filled``
        has the rows of all channels that were.
        """
        self._filled = filled
        device = values.device
        self._values, self._times, self._known = values, times, known
        self._facts, self._channels, self._stride = facts, channels, plan.stride
        self._starts, self._first, self._counts = (
            torch.as_tensor(part, device=device) for part in (plan.starts, plan.first, plan.counts)
        )
        self._ends = self._counts.cumsum(0)
        self._window = plan.window
        length = plan.window + plan.horizon
        reaches_back = bool((plan.first - plan.window < plan.starts)[plan.counts > 0].any())
        # A view [rows, columns, window + horizon], where every window lies within its series:
        # gathering from it takes a tenth of the time of gathering single rows.
        gathers_rows = reaches_back or len(values) < length
        self._windows = None if gathers_rows else values.unfold(0, length, 1)
        self._past = torch.arange(-plan.window, 0, device=device)
        self._coming = torch.arange(plan.horizon, device=device)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def latest(self, apart: int, most: int) -> Tensor:
        """Return the number of the last window of each series that has one.

        Earlier ones, ``apart`` rows apart, follow until there are ``most`` in all.
        """
        step = max(1, apart // self._stride)
        last, counts = (part.cpu() for part in (self._ends - 1, self._counts))
        found, back = last[counts > 0], step
        while 0 < len(found) < most and (such := counts > back).any():
            found = torch.cat([found, (last - back)[such]])
            back += step
        return found

    def begins(self, windows: Tensor) -> Tensor:
        """Return, for each of some windows, the number of the first one of its series."""
        ends, counts = self._ends.cpu(), self._counts.cpu()
        series = torch.searchsorted(ends, windows, right=True)
        return (ends - counts)[series]

    def newest(self, most: int, after: Tensor) -> tuple[Tensor, Tensor]:
        """Return for each series how many of its windows count, and the number behind the last.

        Those count that forecast what comes after a time, int64 ``[series]``; of more than
        ``most``, the newest do.
        """
        ends, counts = self._ends.cpu(), self._counts.cpu()
        first, times = self._first.cpu(), self._times.cpu()
        series = torch.repeat_interleave(torch.arange(len(counts)), counts)
        steps = torch.arange(len(series)) - (ends - counts)[series]
        rows = first[series] + steps * self._stride
        such = times[rows - 1] >= after[series]
        found = torch.zeros_like(counts).index_add_(0, series, such.long())
        return found.clamp(max=most), ends

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; nothing is augmented."""
        del noise
        for rows in plan[start:]:
            yield self._batch(rows.to(self._ends.device))

    def _batch(self, samples: Tensor) -> Batch:
        facts = self._facts
        series = torch.searchsorted(self._ends, samples, right=True)
        before = self._ends[series] - self._counts[series]
        first = self._first[series] + (samples - before) * self._stride
        past, future = self._gathered(series, first)
        if self._filled is not None:
            past = self._filled.shown(past, self._values, self._rows(series, first)[0], first)
        count = facts.shift.shape[1]
        inputs = {
            "past": self._with_static(past, series),
            "future": self._with_static(future[..., self._channels :], series),
            "time": self._times[first - 1],
            "series": facts.places[series],
            "order": series,
            "seen": first - self._starts[series],
            "shift": facts.shift[series][:, None],
            "scale": facts.scale[series][:, None],
        }
        weight = float(len(samples))
        if self._known is not None:
            past_rows, rows = self._rows(series, first)
            inputs["past_known"] = self._known[past_rows]
            inputs["known"] = known = self._known[rows]
            weight = max(float(known.float().mean((1, 2)).sum()), LEAST_WEIGHT)
        keys = None if facts.keys is None else facts.keys.take(series.tolist())
        return Batch(inputs, future[..., :count], weight, keys)

    def _with_static(self, rows: Tensor, series: Tensor) -> Tensor:
        """``[batch, steps, columns]`` with the static features of the series in each step."""
        static = self._facts.static
        if static is None or not static.shape[1]:
            return rows
        return torch.cat([rows, static[series][:, None].expand(-1, rows.shape[1], -1)], 2)

    def _gathered(self, series: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows before and from ``first``, ``[batch, rows, columns]``."""
        if self._windows is not None:
            whole = self._windows[first - self._window].transpose(1, 2)
            past, future = whole.tensor_split([self._window], dim=1)
            return past, future
        before, coming = self._rows(series, first)
        return self._values[before], self._values[coming]

    def _rows(self, series: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return the numbers of the rows before and from ``first``, ``[batch, rows]``."""
        before = (first[:, None] + self._past).maximum(self._starts[series][:, None])
        return before, first[:, None] + self._coming
