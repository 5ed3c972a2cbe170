"""An LSTM for every CPU and number format."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.torch_private import onednn_has_bfloat16


class Lstm(nn.LSTM):
    """Torch's LSTM, which in mixed precision does not depend on the kind of CPU.

    Torch computes it by oneDNN, which has no LSTM in bfloat16 for CPUs without AVX-512 and none in
    float16, and raises an error. Torch's own implementation has both.
    """

    @override
    def forward(self, input: Tensor, hx: Any = None) -> Any:  # type: ignore[override]
        """Return outputs and states as torch does."""
        if onednn_computes(input):
            return super().forward(input, hx)
        with _without_onednn():
            return super().forward(input, hx)


def onednn_computes(values: Tensor) -> bool:
    """Return whether oneDNN can compute an LSTM on ``values`` in the current number format."""
    if values.device.type != "cpu":
        return True
    autocast = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if autocast else values.dtype
    return dtype == torch.float32 or (dtype == torch.bfloat16 and onednn_has_bfloat16())


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    backend: Any = torch.backends.mkldnn
    before = backend.enabled
    backend.enabled = False
    try:
        yield
    finally:
        backend.enabled = before
