"""The device and the number format of a run."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.config.compute import ComputeConfig
from engine.errors import TrainingError
from engine.hardware.determinism import use_deterministic_algorithms

_USUAL_THREADS = torch.get_num_threads()
"""Number of cores for this process, or ``OMP_NUM_THREADS``."""
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Compute:
    """A device that was chosen and checked."""

    device: torch.device
    dtype: torch.dtype
    """Number format of matrix products; weights stay in float32."""
    threads: int

    @property
    def precision(self) -> str:
        """The name of :attr:`dtype` as in the configuration."""
        return str(self.dtype).removeprefix("torch.")

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """The context in which a forward pass runs."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler | None:
        """Return the gradient scaler for float16; ``None`` for other formats, which need none."""
        return torch.amp.GradScaler(self.device.type) if self.dtype == torch.float16 else None

    def peak_memory(self) -> int:
        """Most bytes held so far: by the allocator on CUDA, by the process elsewhere."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device)
        return _peak_of_process()


def _peak_of_process() -> int:
    try:
        # getrusage would return the parent process's peak, if it was higher.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def choose(config: ComputeConfig, rank: int = 0, processes: int = 1) -> Compute:
    """Pick device and precision; raises :class:`TrainingError` for a missing device.

    Of several ``processes``, each takes the GPU of its ``rank``, or its part of the cores. What is
    set for the whole process (threads, TF32, cuDNN, deterministic algorithms) is set anew each
    time, so that no run inherits it from the one before.
    """
    _set_switches(config)
    torch.set_num_threads(config.threads or max(1, _USUAL_THREADS // processes))
    device = torch.device(_device(config.device))
    if processes > 1 and device.type != "cpu":
        device = _of_several(device.type, rank, processes)
    return Compute(device, _dtype(config.precision, device), torch.get_num_threads())


def _set_switches(config: ComputeConfig) -> None:
    # The older of torch's two interfaces: it sets the state of both, the newer one only its own,
    # and reading the older one then fails. CPUs and the compiler go by the newer one.
    torch.backends.cuda.matmul.allow_tf32 = config.tf32
    torch.backends.cudnn.allow_tf32 = config.tf32
    # Deterministic algorithms too differ in their bits, and a resumed run may choose another.
    torch.backends.cudnn.benchmark = config.cudnn_benchmark and not config.deterministic
    use_deterministic_algorithms(config.deterministic)


def _of_several(kind: str, rank: int, processes: int) -> torch.device:
    _check_number(kind, processes)
    device = torch.device(kind, rank)
    torch.cuda.set_device(device)
    return device


def _check_number(kind: str, processes: int) -> None:
    there = torch.cuda.device_count() if kind == "cuda" else 1
    if there < processes:
        raise TrainingError(
            f"train.devices: {processes} {kind.upper()} devices are requested, this machine has "
            f"{there}.",
            "Ask for fewer, or choose compute.device=cpu.",
        )


def check_devices(config: ComputeConfig, processes: int) -> None:
    """Raise :class:`TrainingError` where ``processes`` on this machine lack a device each."""
    kind = chosen_type(config)
    if kind != "cpu":
        _check_number(kind, processes)


def chosen_type(config: ComputeConfig) -> str:
    """Return the type of the device; raises :class:`TrainingError` for a missing one."""
    return _device(config.device)


def _device(wanted: str) -> str:
    available: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if wanted == "auto":
        return next(name for name, there in available.items() if there())
    if not available[wanted]():
        raise TrainingError(
            f"compute.device: there is no {wanted.upper()} device here.",
            "Choose auto or cpu; `dltui doctor` shows what this machine has.",
        )
    return wanted


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted != "auto":
        return _TYPES[wanted]
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float32
