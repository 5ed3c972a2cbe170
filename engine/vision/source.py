"""Splits of images: all on the device, or decoded batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise, Source, TensorSource, moved
from engine.data.images import ImageFault, Pixels, threads
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.vision.augmentation import Augmentation

RESIDENT_BYTES = 1 << 30
"""Images up to this size together stay on the device."""
_AHEAD = 3
"""Batches that are decoded at a time: the one that is waited for, and those after it."""


@dataclass(frozen=True)
class Preparation:
    """From ``[batch, channels, size, size]`` of bytes or shares to what the network takes in."""

    mean: Sequence[float]
    std: Sequence[float]
    augmentation: Augmentation | None = None

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Float images, with noise where a generator is given, normalised."""
        bytes_ = images.dtype == torch.uint8
        scaled = images.to(torch.float32).div_(255.0) if bytes_ else images
        if generator is not None and self.augmentation is not None:
            scaled = self.augmentation(scaled, generator)
        mean = torch.tensor(self.mean, device=images.device)[:, None, None]
        std = torch.tensor(self.std, device=images.device)[:, None, None]
        # Convolutions are faster with the channels innermost, on CPUs and GPUs alike.
        return ((scaled - mean) / std).contiguous(memory_format=torch.channels_last)


class ResidentImages(TensorSource):
    """Decoded images on the device."""

    def __init__(
        self,
        pixels: Pixels,
        targets: Tensor | None,
        preparation: Preparation,
        device: torch.device,
        names: Sequence[str],
    ) -> None:
        """``pixels`` are ``[rows, size, size, channels]``, ``names`` identify the images."""
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
        super().__init__(images, None if targets is None else targets.to(device))
        self._images = images
        self._preparation = preparation
        self._names = names

    @override
    def resident_bytes(self, count: int) -> int:
        """Return the bytes; 0 for more than fits, which is decoded batch by batch."""
        if self._images.nbytes * count // max(1, len(self)) > RESIDENT_BYTES:
            return 0
        return super().resident_bytes(count)

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; outside of training, they carry their images' names."""
        for position, batch in enumerate(super().read(plan, start), start):
            batch.inputs = self._preparation(batch.inputs, noise.at(position) if noise else None)
            if noise is None:
                batch.rows = name_table(self._names, plan[position])
            yield batch


class StoredImages(Source):
    """Images that are decoded by threads and prefetched a few batches ahead."""

    def __init__(
        self,
        decoded: Callable[[int], Pixels],
        names: Sequence[str],
        targets: Tensor | None,
        preparation: Preparation,
        device: torch.device,
        skipped: Callable[[str, str], None],
    ) -> None:
        """``decoded`` is the image of a row, or raises :class:`ImageFault`.

        ``skipped`` hears name and fault of what is left out.
        """
        self._decode = decoded
        self._names = names
        self._targets = targets
        self._preparation = preparation
        self._device = device
        self._skipped = skipped
        self._faulty: set[int] = set()

    def __len__(self) -> int:
        return len(self._names)

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; images that cannot be decoded are left out."""
        with ThreadPoolExecutor(self.threads or threads()) as pool:
            for position, (images, rows) in enumerate(self._decoded(pool, plan[start:]), start):
                inputs = self._preparation(
                    moved(images, self._device, self.pinned),
                    noise.at(position) if noise else None,
                )
                targets = None if self._targets is None else self._targets[rows].to(self._device)
                names = None if noise else name_table(self._names, rows)
                yield Batch(inputs, targets, len(rows), names)

    def _decoded(
        self, pool: ThreadPoolExecutor, plan: Sequence[Tensor]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        ahead: deque[tuple[Tensor, list[Future[Pixels | None]]]] = deque()
        most = 1 if self.threads == 0 else _AHEAD
        coming = iter(plan)
        try:
            while True:
                while len(ahead) < most and (rows := next(coming, None)) is not None:
                    ahead.append((rows, [pool.submit(self._one, row) for row in rows.tolist()]))
                if not ahead:
                    return
                yield self._batch(*ahead.popleft())
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()

    def _one(self, row: int) -> Pixels | None:
        try:
            return self._decode(row)
        except ImageFault as fault:
            if row not in self._faulty:
                self._faulty.add(row)
                self._skipped(self._names[row], str(fault))
            return None

    def _batch(self, rows: Tensor, futures: list[Future[Pixels | None]]) -> tuple[Tensor, Tensor]:
        decoded: list[Pixels | None] = [future.result() for future in futures]
        kept = [index for index, image in enumerate(decoded) if image is not None]
        whole = [image for image in decoded if image is not None]
        if not kept:
            name, count = plain(self._names[int(rows[0])]), len(rows)
            raise DataError(f"None of {count} images from {name} on can be decoded.")
        tensor = torch.from_numpy(np.stack(whole)).permute(0, 3, 1, 2)
        return tensor, rows[kept]


def name_table(names: Sequence[str], rows: Tensor) -> pa.Table:
    """The names of some images and their numbers in the source, one a row."""
    numbers = rows.tolist()
    return pa.table({"name": [names[row] for row in numbers], "row": numbers})
