"""torch's devices on this machine, in a process of its own: ``python -m engine.hardware.probe``."""

from __future__ import annotations

import json
import platform
from typing import Any

import torch

from engine.config.compute import ComputeConfig
from engine.hardware.device import choose
from engine.reports.counted import counted


def probe() -> dict[str, Any]:
    """The devices, and what a run takes that leaves the choice to the program."""
    chosen = choose(ComputeConfig())
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "devices": [*_cuda(), *_mps(), _cpu()],
        "chosen": f"{chosen.device}, {chosen.precision}",
    }


def _cuda() -> list[dict[str, Any]]:
    return [
        {
            "device": f"cuda:{index}",
            "name": torch.cuda.get_device_name(index),
            "memory": torch.cuda.get_device_properties(index).total_memory,
        }
        for index in range(torch.cuda.device_count())
    ]


def _mps() -> list[dict[str, Any]]:
    if not torch.backends.mps.is_available():
        return []
    return [{"device": "mps", "name": "Apple GPU", "memory": None}]


def _cpu() -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    threads = counted(torch.get_num_threads(), "thread")
    return {"device": "cpu", "name": f"{name}, {threads}", "memory": None}


if __name__ == "__main__":
    print(json.dumps(probe()))  # noqa: T201 — the answer
