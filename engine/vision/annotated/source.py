"""Splits of images with masks or boxes: in memory where they fit, else read batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
from engine.data.image_limits import ImageFault
from engine.data.images import Pixels, in_threads, threads
from engine.data.raw import Skip
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.vision.augmentation.placement import PlacedAugmentation, Placement
from engine.vision.preparation import Normalisation
from engine.vision.source import RESIDENT_BYTES

Target = NDArray[Any]


@dataclass(frozen=True)
class Annotated:
    """Images to read: their names, sizes in pixels, and what gives pixels and target of a row.

    ``read`` raises :class:`ImageFault`; a target is ``None`` where rows serve predictions.
    ``weigh`` gives the terms of a target in the loss.
    """

    names: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    read: Callable[[int], tuple[Pixels, Target | None]]
    pixel_bytes: int
    weigh: Callable[[Target], float]

    def __len__(self) -> int:
        return len(self.names)

    def without(self, rows: set[int]) -> Annotated:
        """The same without some rows."""
        kept = [row for row in range(len(self)) if row not in rows]
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
        skipped: Callable[[str, str], None],
    ) -> None:
        """``skipped`` hears name and fault of what is left out; raises :class:`DataError`."""
        self._preparation = preparation
        self._device = device
        self._skipped = skipped
        self._faulty: set[int] = set()
        self._held: tuple[Tensor, Tensor | None] | None = None
        self._weights: list[float] = []
        self._images = images
        self.slow = len(images) * images.pixel_bytes > RESIDENT_BYTES
        if not self.slow:
            self._hold()

    def __len__(self) -> int:
        return len(self._images)

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
        """Yield the batches; outside of training, with numbers, names and sizes of their images."""
        with ThreadPoolExecutor(self.threads or threads()) as pool:
            for position, rows in enumerate(plan[start:], start):
                kept, images, targets, weight = self._taken(rows, pool)
                inputs, targets = self._preparation(
                    images, targets, noise.at(position) if noise else None
                )
                shown = None if noise else self._rows(kept)
                yield Batch(inputs, targets, max(weight, LEAST_WEIGHT), shown)

    def _rows(self, rows: Sequence[int]) -> pa.Table:
        widths, heights = zip(*(self._images.sizes[row] for row in rows), strict=True)
        names = [self._images.names[row] for row in rows]
        return pa.table({"row": rows, "name": names, "width": widths, "height": heights})

    def _taken(
        self, rows: Tensor, pool: ThreadPoolExecutor
    ) -> tuple[list[int], Tensor, Tensor | None, float]:
        numbers: list[int] = rows.tolist()
        if self._held is not None:
            images, targets = self._held
            places = rows.to(images.device)
            weight = sum(self._weights[number] for number in numbers)
            return numbers, images[places], None if targets is None else targets[places], weight
        kept, images, targets, weights = self._stacked(numbers, list(pool.map(self._one, numbers)))
        put = [moved(tensor, self._device, self.pinned) for tensor in (images, targets)]
        return kept, put[0], put[1], sum(weights)

    def _hold(self) -> None:
        numbers = list(range(len(self._images)))
        found = list(in_threads(self._one, numbers))
        _, images, targets, self._weights = self._stacked(numbers, found)
        self._images = self._images.without(self._faulty)
        self._held = (
            images.to(self._device), None if targets is None else targets.to(self._device)
        )  # fmt: skip

    def _one(self, row: int) -> tuple[Pixels, Target | None] | None:
        try:
            return self._images.read(row)
        except ImageFault as fault:
            if row not in self._faulty:
                self._faulty.add(row)
                self._skipped(self._images.names[row], plain(fault))
            return None

    def _stacked(
        self, rows: Sequence[int], found: Sequence[tuple[Pixels, Target | None] | None]
    ) -> tuple[list[int], Tensor, Tensor | None, list[float]]:
        """Return the rows that were read, their images and targets, and the weight of each."""
        kept = [row for row, one in zip(rows, found, strict=True) if one is not None]
        whole = [one for one in found if one is not None]
        if not whole:
            name = plain(self._images.names[rows[0]])
            raise DataError(f"None of {len(rows):,} images from {name} on can be decoded.")
        images = torch.from_numpy(np.stack([pixels for pixels, _ in whole])).permute(0, 3, 1, 2)
        targets = [target for _, target in whole if target is not None]
        weights = [1.0 if target is None else self._images.weigh(target) for _, target in whole]
        return kept, images, torch.from_numpy(np.stack(targets)) if targets else None, weights


def skips_of(left_out: Sequence[tuple[str, str]]) -> list[Skip]:
    """Count names and faults of what was left out by the fault."""
    by_fault: dict[str, list[str]] = {}
    for name, fault in left_out:
        by_fault.setdefault(fault, []).append(name)
    return [Skip(fault, len(names), names[0]) for fault, names in by_fault.items()]
