"""Prefetching: a thread reads batches while the network is computing.

Their order and content are those of the source, so a run is the same with and without it.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from engine.batches.source import Batch, Noise, Source

T = TypeVar("T")

_AHEAD = 2
"""Number of prefetched batches, at most."""


def batches_of(
    source: Source,
    plan: Sequence[Tensor],
    device: torch.device,
    start: int = 0,
    noise: Noise | None = None,
) -> Iterator[Batch]:
    """Yield the batches of :meth:`Source.read`, prefetched where the source says that it pays."""
    batches = source.read(plan, start, noise)
    wanted = source.threads if source.threads is not None else int(device.type != "cpu")
    return ahead(batches, device) if source.slow and wanted else batches


def ahead(items: Iterator[T], device: torch.device | None = None) -> Generator[T]:
    """Yield the same items in the same order, prefetched by a thread; re-raises its exceptions.

    The thread ends with the generator.
    """
    ready: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(_AHEAD)
    ended = threading.Event()
    thread = threading.Thread(target=_make, args=(items, ready, ended, device), daemon=True)
    thread.start()
    try:
        while (made := ready.get()) is not None:
            if isinstance(made, BaseException):
                raise made
            yield made[0]
    finally:
        ended.set()
        with contextlib.suppress(queue.Empty):  # it may be waiting for room in the queue
            while True:
                ready.get_nowait()
        thread.join()


def _make(
    items: Iterator[T],
    ready: queue.Queue[tuple[T] | BaseException | None],
    ended: threading.Event,
    device: torch.device | None,
) -> None:
    try:
        if device is not None and device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)  # which is each thread's own
        for item in items:
            ready.put((item,))
            if ended.is_set():
                break
        else:
            ready.put(None)
    except BaseException as error:  # noqa: BLE001 — raised again by the one who waits
        ready.put(error)
    finally:
        if isinstance(items, Generator):
            items.close()
