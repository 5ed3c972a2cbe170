"""Windows of one series, as row numbers into it, without copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise, Source


class WindowSource(Source):
    """Each sample is a window and the horizon behind it.

    Inputs are ``past`` ``[batch, window, channels + features]``, ``future`` ``[batch, horizon,
    features]`` and ``time``, int64 ``[batch]``, of the window's last row; targets are ``[batch,
    horizon, targets]``.
    """

    def __init__(
        self,
        series: Tensor,
        times: Tensor,
        *,
        channels: int,
        targets: int,
        window: int,
        horizon: int,
        stride: int = 1,
    ) -> None:
        """``series`` is ``[rows, channels + features]``, targets first; ``times`` ``[rows]``."""
        self._channels = channels
        self._targets = targets
        self._window = window
        self._times = times[window - 1 :: stride]
        # A view [samples, columns, window + horizon] into the series.
        length = window + horizon
        self._windows = (
            series.unfold(0, length, stride) if len(series) >= length else series.new_empty(0)
        )

    def __len__(self) -> int:
        return len(self._windows)

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
            inputs = {
                "past": past,
                "future": coming[..., self._channels :],
                "time": self._times[samples],
            }
            yield Batch(inputs, coming[..., : self._targets], len(rows))
