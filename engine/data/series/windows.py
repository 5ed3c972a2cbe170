"""Windows of one series, as row numbers into it, without copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from typing_extensions import override

from engine.batches.source import LEAST_WEIGHT, Batch, Noise, Source
from engine.data.series.filled_past import FilledPast


class WindowSource(Source):
    """Each sample is a window and the horizon behind it.

    Inputs are ``past`` ``[batch, window, channels + features]``, ``future`` ``[batch, horizon,
    features]`` and ``time``, int64 ``[batch]``, of the window's last row; targets are ``[batch,
    horizon, targets]``. Where targets were filled in, ``known`` ``[batch, horizon, targets]`` and
    ``past_known`` ``[batch, window, targets]`` mark the others, and the batch weighs as much as its
    horizons have of them.
    """

    def __init__(
        self,
        series: Tensor,
        times: Tensor,
        known: Tensor | None = None,
        filled: FilledPast | None = None,
        *,
        channels: int,
        targets: int,
        window: int,
        horizon: int,
        stride: int = 1,
    ) -> None:
        """``series`` is ``[rows, channels + features]``, targets first; ``times`` ``[rows]``.

        ``known``, bool ``[rows, targets]``, marks the targets that were not filled in; ``filled``
        has the rows of all channels that were.
        """
        self._series, self._filled = series, filled
        self._channels = channels
        self._targets = targets
        self._window = window
        self._stride = stride
        self._times = times[window - 1 :: stride]
        # A view [samples, columns, window + horizon] into the series.
        length = window + horizon
        self._windows = (
            series.unfold(0, length, stride) if len(series) >= length else series.new_empty(0)
        )

        self._known: Tensor | None = None
        if known is not None and len(self._windows):
            self._known = known.unfold(0, length, stride)
            self._shares = self._known[..., window:].float().mean((1, 2)).cpu()

    def __len__(self) -> int:
        return len(self._windows)

    def latest(self, apart: int, most: int) -> Tensor:
        """Return the numbers of the last windows, the newest first: ``most``, ``apart`` rows apart.

        They are apart by whole strides at least.
        """
        step = max(1, apart // self._stride)
        return torch.arange(len(self) - 1, -1, -step)[:most]

    def begins(self, windows: Tensor) -> Tensor:
        """Return, for each of some windows, the number of the first one of its series: 0."""
        return torch.zeros_like(windows)

    def newest(self, most: int, after: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many windows count, and the number behind the last, of the one series.

        Those count that forecast what comes after a time, int64 ``[1]``; of more than ``most``, the
        newest do.
        """
        times = self._times[: len(self)].cpu()
        return (times >= after).sum()[None].clamp(max=most), torch.tensor([len(self)])

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; nothing is augmented."""
        del noise
        for rows in plan[start:]:
            samples = rows.to(self._windows.device)
            windows = self._windows[samples].transpose(1, 2)
            past, coming = windows.tensor_split([self._window], dim=1)
            if self._filled is not None:
                first = samples * self._stride + self._window
                before = first[:, None] + torch.arange(-self._window, 0, device=samples.device)
                past = self._filled.shown(past, self._series, before, first)
            inputs = {
                "past": past,
                "future": coming[..., self._channels :],
                "time": self._times[samples],
            }
            weight = float(len(rows))
            if self._known is not None:
                marks = self._known[samples].transpose(1, 2)
                inputs["past_known"], inputs["known"] = marks.tensor_split([self._window], dim=1)
                # A batch without truths has a loss of 0, whatever it counts.
                weight = max(float(self._shares[rows.cpu()].sum()), LEAST_WEIGHT)
            yield Batch(inputs, coming[..., : self._targets], weight)
