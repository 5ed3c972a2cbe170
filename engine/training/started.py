"""The event with which a training starts or resumes."""

from __future__ import annotations

from importlib.metadata import version

import torch

from engine.hardware.device import Compute
from engine.runs.events import Started


def started(compute: Compute, step: int) -> Started:
    """Return the event for a training on ``compute`` that continues after update ``step``."""
    name = str(compute.device)
    if compute.device.type == "cuda":
        name = torch.cuda.get_device_name(compute.device)
    return Started(
        device=name,
        precision=compute.precision,
        threads=compute.threads,
        versions={name: version(name) for name in ("torch", "numpy")},
        resumed_step=step,
    )
