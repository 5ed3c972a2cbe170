"""Resource use of the machine during a run: CPU, memory and GPUs, every few seconds."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psutil
import pynvml

from engine.runs.events import Event, Resources

INTERVAL_SECONDS = 5.0
_MOMENT = 0.2


@contextmanager
def watch_resources(report: Callable[[Event], None]) -> Iterator[None]:
    """Report resources from a thread of its own while the block runs."""
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(report, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure() -> Resources:
    """Measure the current use; the CPU's load is that since the previous call."""
    memory = psutil.virtual_memory()
    return Resources(
        cpu_percent=psutil.cpu_percent(),
        memory=memory.total - memory.available,
        memory_total=memory.total,
        process_memory=psutil.Process().memory_info().rss,
        gpus=gpus(),
    )


@cache
def begin() -> None:
    """Let the first load of the CPU be measured from a moment ago, not from nothing."""
    psutil.cpu_percent()
    time.sleep(_MOMENT)


def gpus() -> list[dict[str, Any]]:
    """Read name, memory, load, temperature and power of each GPU, as far as NVML has them."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def assignable(visible: str | None, cards: Sequence[str]) -> list[str]:
    """Return the GPUs to assign: those of the machine that ``CUDA_VISIBLE_DEVICES`` allows."""
    if visible is None:
        return list(cards)
    return [name for part in visible.split(",") if (name := part.strip()) and name != "-1"]


def gpu_names() -> list[str]:
    """Return the names by which this process may assign the GPUs of this machine."""
    cards = [str(number) for number in range(len(gpus()))]
    return assignable(os.environ.get("CUDA_VISIBLE_DEVICES"), cards)


def _gpu(index: int) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    questions: dict[str, Callable[[], Any]] = {
        "name": lambda: str(pynvml.nvmlDeviceGetName(handle)),
        "memory": lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).used),
        "memory_total": lambda: int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        "load_percent": lambda: pynvml.nvmlDeviceGetUtilizationRates(handle).gpu,
        "temperature": lambda: pynvml.nvmlDeviceGetTemperature(handle, 0),
        "power_watts": lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,
    }
    answers = {}
    for name, ask in questions.items():
        try:
            answers[name] = ask()
        except pynvml.NVMLError:
            continue  # MIG slices and some cards do not report all values
    return answers


def _watch(report: Callable[[Event], None], ended: threading.Event) -> None:
    psutil.cpu_percent()
    while not ended.wait(INTERVAL_SECONDS):
        with contextlib.suppress(OSError):  # a full disk ends the run by its next word
            report(measure())
