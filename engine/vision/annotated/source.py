"""Splits of images with masks or boxes: in memory where they fit, else read batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from typing_extensions import override

from engine.batches.source import LEAST_WEIGHT, Batch, Noise, Source, moved
from engine.data.images import Pixels
from engine.data.raw import Skip
from engine.data.threads import in_threads, threads
from engine.vision.augmentation.placement import PlacedAugmentation, Placement
from engine.vision.left_out import LeftOut
from engine.vision.preparation import Normalisation
from engine.vision.source import RESIDENT_BYTES

Target = NDArray[Any]
_Read = tuple[Pixels, Target | None]


@dataclass(frozen=True)
class Annotated:
    """Images to read: their names, sizes in pixels, and what gives pixels and target of a row.

    ``read`` raises :class:`ImageFault`; a target is ``None`` where rows serve predictions.
    ``weigh`` gives the terms of a target in the loss.
    """

    names: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    read: Callable[[int], _Read]
    pixel_bytes: int
    weigh: Callable[[Target], float]

    def __len__(self) -> int:
        return len(self.names)

    def only(self, kept: Sequence[int]) -> Annotated:
        """Some rows of the same."""
        return Annotated(
            [self.names[row] for row in kept], [self.sizes[row] for row in kept],
            lambda row: self.read(kept[row]), self.pixel_bytes, self.weigh,
        )  # fmt: skip


@dataclass(frozen=True)
class PlacedPreparation:
    """From bytes or shares of white to what the network takes in, with the targets that go along.

    ``move`` moves targets to a placement.
    """

    normalisation: Normalisation
    move: Callable[[Placement, Tensor], Tensor]
    augmentation: PlacedAugmentation

    def __call__(
        self, images: Tensor, targets: Tensor | None, generator: Generator | None
    ) -> tuple[Tensor, Tensor | None]:
        """Normalised images ``[batch, channels, size, size]``, with noise where it is asked for."""
        bytes_ = images.dtype == torch.uint8
        scaled = images.to(torch.float32).div_(255.0) if bytes_ else images
        if generator is not None:
            placement = self.augmentation.place(len(images), generator)
            if placement is not None:
                scaled = placement.images(scaled, self.normalisation.mean(scaled))
                targets = None if targets is None else self.move(placement, targets)
            scaled = self.augmentation.colours(scaled, generator)
        return self.normalisation(scaled), targets


class AnnotatedImages(Source):
    """Images with masks or boxes."""

    def __init__(
        self,
        images: Annotated,
        preparation: PlacedPreparation,
        device: torch.device,
        skipped: Callable[[Skip], None],
    ) -> None:
        """``skipped`` hears what is left out, each reason once in a pass.

        Raises :class:`DataError` where no image can be decoded.
        """
        self._preparation = preparation
        self._device = device
        self._unread = LeftOut(images.names, skipped)
        self._kept: Sequence[int] = range(len(images))
        self._held: tuple[Tensor, Tensor | None] | None = None
        self._weights: list[float] = []
        self._images = images
        self.slow = len(images) * images.pixel_bytes > RESIDENT_BYTES
        if not self.slow:
            self._hold()

    def __len__(self) -> int:
        return len(self._images)

    @override
    def rows_of(self, numbers: Tensor) -> list[int]:
        return [self._kept[number] for number in numbers.tolist()]

    @override
    def resident_bytes(self, count: int) -> int:
        if self._held is None:
            return 0
        bytes_ = sum(tensor.nbytes for tensor in self._held if tensor is not None)
        return bytes_ * count // max(1, len(self))

    @override
    def read(
        self, plan: Sequence[Tensor], start: int = 0, noise: Noise | None = None
    ) -> Iterator[Batch]:
        """Yield the batches; outside of training, with numbers, names and sizes of their images.

        Images that cannot be decoded are left out, and so is a batch without others, except in
        training, where images behind it take their place.
        """
        try:
            with ThreadPoolExecutor(self.threads or threads()) as pool:
                for position, rows in enumerate(plan[start:], start):
                    kept, images, targets, weight = self._taken(rows, pool, noise)
                    if not kept:
                        continue
                    inputs, targets = self._preparation(
                        images, targets, noise.at(position) if noise else None
                    )
                    shown = None if noise else self._rows(kept)
                    weight = max(weight, LEAST_WEIGHT)
                    yield Batch(inputs, targets, weight, shown, torch.tensor(kept))
            self._unread.check()
        finally:
            self._unread.tell()

    def _rows(self, rows: Sequence[int]) -> pa.Table:
        widths, heights = zip(*(self._images.sizes[row] for row in rows), strict=True)
        names = [self._images.names[row] for row in rows]
        return pa.table({"row": rows, "name": names, "width": widths, "height": heights})

    def _taken(
        self, rows: Tensor, pool: ThreadPoolExecutor, noise: Noise | None
    ) -> tuple[list[int], Tensor, Tensor | None, float]:
        numbers: list[int] = rows.tolist()
        if self._held is not None:
            images, targets = self._held
            places = rows.to(images.device)
            weight = sum(self._weights[number] for number in numbers)
            return numbers, images[places], None if targets is None else targets[places], weight
        found = zip(numbers, pool.map(self._one, numbers), strict=True)
        whole = [(row, one) for row, one in found if one is not None]
        if noise is not None and len(whole) < len(numbers):
            self._unread.fill(whole, numbers, self._one)
        if not whole:
            return [], torch.empty(0), None, 0.0
        stacked = _stacked([one for _, one in whole])
        images, targets = (moved(tensor, self._device, self.pinned) for tensor in stacked)
        weight = sum(self._weight(one) for _, one in whole)
        return [row for row, _ in whole], images, targets, weight

    def _weight(self, one: _Read) -> float:
        _, target = one
        return 1.0 if target is None else self._images.weigh(target)

    def _hold(self) -> None:
        found = list(in_threads(self._one, range(len(self._images))))
        self._unread.check()
        self._unread.tell()
        whole = [one for one in found if one is not None]
        images, targets = _stacked(whole)
        self._weights = [self._weight(one) for one in whole]
        self._kept = [row for row in self._kept if row not in self._unread.rows]
        self._images = self._images.only(self._kept)
        self._held = (
            images.to(self._device), None if targets is None else targets.to(self._device)
        )  # fmt: skip

    def _one(self, row: int) -> _Read | None:
        return self._unread.tried(row, lambda: self._images.read(row))


def _stacked(found: Iterable[_Read]) -> tuple[Tensor, Tensor | None]:
    """Return images ``[rows, channels, size, size]`` and targets one behind the other."""
    pixels, targets = zip(*found, strict=True)
    given = [target for target in targets if target is not None]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return images, torch.from_numpy(np.stack(given)) if given else None
