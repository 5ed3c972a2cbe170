"""Splits of images: all on the device, or decoded batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from typing_extensions import override

from engine.batches.source import Batch, Noise, Source, TensorSource, moved
from engine.data.image_limits import ImageFault
from engine.data.images import Pixels, threads
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.vision.augmentation.crops import Crop
from engine.vision.files.pixel_cache import PixelCache
from engine.vision.preparation import Preparation

RESIDENT_BYTES = 1 << 30
"""Images up to this size together stay on a GPU."""
_AHEAD = 3
"""Batches that are decoded at a time: the one that is waited for, and those after it."""
_PIECE = 8
"""Images that a thread decodes at a time."""


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
            if noise is None:
                batch.inputs = self._preparation(batch.inputs)
                batch.rows = name_table(self._names, plan[position])
            else:
                batch.inputs, batch.targets = self._preparation.train(
                    batch.inputs, batch.targets, noise, position
                )
            yield batch


class StoredImages(Source):
    """Images that are decoded by threads, a few batches ahead, and cached on the disk."""

    def __init__(
        self,
        decoded: Callable[[int, Crop | None], Pixels],
        names: Sequence[str],
        targets: Tensor | None,
        preparation: Preparation,
        device: torch.device,
        skipped: Callable[[str, str], None],
        cache: PixelCache | None = None,
    ) -> None:
        """``decoded`` is the image of a row, or a part of it, or raises :class:`ImageFault`.

        ``skipped`` hears name and fault of what is left out.
        """
        self._decode = decoded
        self._names = names
        self._targets = targets
        self._preparation = preparation
        self._device = device
        self._skipped = skipped
        self._cache = cache
        self._faulty: set[int] = set()

    def __len__(self) -> int:
        return len(self._names)

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; images that cannot be decoded are left out."""
        with ThreadPoolExecutor(self.threads or threads()) as pool:
            batches = self._decoded(pool, plan[start:], noise)
            for position, (pixels, rows) in enumerate(batches, start):
                images = moved(pixels, self._device, self.pinned)
                targets = None if self._targets is None else self._targets[rows].to(self._device)
                if noise is None:
                    names = name_table(self._names, rows)
                    yield Batch(self._preparation(images), targets, len(rows), names)
                else:
                    images, targets = self._preparation.train(images, targets, noise, position)
                    yield Batch(images, targets, len(rows))

    def _decoded(
        self, pool: ThreadPoolExecutor, plan: Sequence[Tensor], noise: Noise | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        ahead: deque[tuple[Tensor, list[Future[list[Pixels | None]]]]] = deque()
        most = 1 if self.threads == 0 else _AHEAD
        coming = iter(plan)
        try:
            while True:
                while len(ahead) < most and (rows := next(coming, None)) is not None:
                    pieces = torch.split(rows, _PIECE)
                    ahead.append((rows, [pool.submit(self._some, rows, noise) for rows in pieces]))
                if not ahead:
                    return
                yield self._batch(*ahead.popleft())
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()

    def _some(self, rows: Tensor, noise: Noise | None) -> list[Pixels | None]:
        least = self._preparation.least_crop
        if noise is None or not least:
            return [self._whole(row) for row in rows.tolist()]
        crops = [Crop(least, noise.seed, noise.epoch, row) for row in rows.tolist()]
        return [self._one(crop.row, crop) for crop in crops]

    def _whole(self, row: int) -> Pixels | None:
        """Return the image of a row, from the cache where it is held."""
        if self._cache is None:
            return self._one(row)
        image = self._cache.get(row)
        if image is None and (image := self._one(row)) is not None:
            self._cache.put(row, image)
        return image

    def _one(self, row: int, crop: Crop | None = None) -> Pixels | None:
        if row in self._faulty:
            return None
        try:
            return self._decode(row, crop)
        except ImageFault as fault:
            self._faulty.add(row)
            self._skipped(self._names[row], str(fault))
            return None

    def _batch(
        self, rows: Tensor, futures: list[Future[list[Pixels | None]]]
    ) -> tuple[Tensor, Tensor]:
        decoded = [image for future in futures for image in future.result()]
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
