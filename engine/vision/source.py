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
from engine.data.images import Pixels
from engine.data.raw import Skip
from engine.data.threads import threads
from engine.vision.augmentation.crops import Crop
from engine.vision.files.pixel_cache import PixelCache
from engine.vision.left_out import LeftOut
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
        rows: Sequence[int] | None = None,
    ) -> None:
        """``pixels`` are ``[rows, size, size, channels]``, ``names`` identify the images.

        ``rows`` are those that they are of, where other rows were left out.
        """
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
        super().__init__(images, None if targets is None else targets.to(device))
        self._images = images
        self._preparation = preparation
        self._names = names
        self._kept = range(len(names)) if rows is None else rows

    @override
    def rows_of(self, numbers: Tensor) -> list[int]:
        return [self._kept[number] for number in numbers.tolist()]

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
                batch.numbers = plan[position]
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
        skipped: Callable[[Skip], None],
        cache: PixelCache | None = None,
    ) -> None:
        """``decoded`` is the image of a row, or a part of it, or raises :class:`ImageFault`.

        ``skipped`` hears what is left out, each reason once in a pass.
        """
        self._decode = decoded
        self._names = names
        self._targets = targets
        self._preparation = preparation
        self._device = device
        self._cache = cache
        self._unread = LeftOut(names, skipped)

    def __len__(self) -> int:
        return len(self._names)

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; images that cannot be decoded are left out.

        So is a batch without others, except in training, where images behind it take their place.
        Raises :class:`DataError` where no image can be decoded.
        """
        try:
            with ThreadPoolExecutor(self.threads or threads()) as pool:
                batches = self._decoded(pool, plan[start:], noise)
                for position, (pixels, rows) in enumerate(batches, start):
                    if len(rows):
                        yield self._prepared(pixels, rows, noise, position)
            self._unread.check()
        finally:
            self._unread.tell()

    def _prepared(
        self, pixels: Sequence[Pixels], rows: Tensor, noise: Noise | None, position: int
    ) -> Batch:
        stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        images = moved(stacked, self._device, self.pinned)
        targets = None if self._targets is None else self._targets[rows].to(self._device)
        if noise is None:
            names = name_table(self._names, rows)
            return Batch(self._preparation(images), targets, len(rows), names, rows)
        images, targets = self._preparation.train(images, targets, noise, position)
        return Batch(images, targets, len(rows))

    def _decoded(
        self, pool: ThreadPoolExecutor, plan: Sequence[Tensor], noise: Noise | None
    ) -> Iterator[tuple[list[Pixels], Tensor]]:
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
                yield self._kept(*ahead.popleft(), noise)
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
        return self._unread.tried(row, lambda: self._decode(row, crop))

    def _kept(
        self, rows: Tensor, futures: list[Future[list[Pixels | None]]], noise: Noise | None
    ) -> tuple[list[Pixels], Tensor]:
        """Return the images that can be decoded, and their rows."""
        numbers = rows.tolist()
        decoded = (image for future in futures for image in future.result())
        whole = [
            (row, image) for row, image in zip(numbers, decoded, strict=True) if image is not None
        ]
        if noise is not None and len(whole) < len(numbers):
            self._unread.fill(whole, numbers, lambda row: self._some(torch.tensor([row]), noise)[0])
        kept = torch.tensor([row for row, _ in whole], dtype=torch.int64)
        return [image for _, image in whole], kept


def name_table(names: Sequence[str], rows: Tensor) -> pa.Table:
    """The names of some images and their numbers in the source, one a row."""
    numbers = rows.tolist()
    return pa.table({"name": [names[row] for row in numbers], "row": numbers})
