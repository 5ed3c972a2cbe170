"""Some training images of each class, to be looked at before a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.image_limits import ImageFault
from engine.data.images import Pixels
from engine.data.on_disk import Rows
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.picture import Picture, PictureGroup
from engine.text.classes.labels import labels_of, names_in
from engine.vision.files.column import images_of
from engine.vision.fitted import ImageFitted
from engine.vision.pictures import SIDE, decoded, picture, pictures_of

MOST_CLASSES = 30
_LOOKED_AT = 200_000
"""Rows among which images are drawn, evenly spread."""
Change = Callable[[Sequence[Pixels]], Sequence[Pixels]]
"""A function that augments images of the network's size, ``[size, size, channels]`` each."""


@dataclass(frozen=True)
class Sheet:
    """The images of a contact sheet: rows of each class, drawn at random."""

    table: pa.Table
    fitted: ImageFitted
    each: int
    """Images a class."""
    seed: int = 0
    """The seed of the choice of images."""
    classes: int = MOST_CLASSES
    """Classes that are shown, the most frequent ones."""

    def groups(self, change: Change | None = None) -> list[PictureGroup]:
        """Return a group a class, as the images are stored or as ``change`` makes them."""
        chosen = self._rows_by_class()
        rows = np.unique(np.concatenate([np.empty(0, np.int64), *chosen.values()]))
        images = images_of(self.table, self.fitted.image)
        some = [images[row] for row in rows.tolist()]
        found = pictures_of(some, self.fitted)
        if change is not None:
            found = self._changed(some, found, change)
        by_row = dict(zip(rows.tolist(), found, strict=True))
        counts = dict(zip(self.fitted.classes, self.fitted.counts, strict=True))
        return [
            PictureGroup(
                f"{plain(name, 40)}: {counted(counts[name], 'image')}",
                tuple(_of_class(name, [by_row[row] for row in places.tolist()])),
            )
            for name, places in chosen.items()
        ]

    def _rows_by_class(self) -> dict[str, NDArray[np.int64]]:
        """Return the drawn rows of the most frequent classes, in the order of all classes."""
        fitted = self.fitted
        frequent = np.argsort(-np.array(fitted.counts), kind="stable")[: self.classes]
        rows: dict[str, list[int]] = {fitted.classes[i]: [] for i in sorted(frequent.tolist())}
        step = -(-self.table.num_rows // _LOOKED_AT) or 1
        places = np.arange(0, self.table.num_rows, step)
        labels = labels_of(Rows(self.table.select([fitted.label])).take(places), fitted.label)
        for row, label in zip(places.tolist(), labels, strict=True):
            for name in names_in(label):
                if name in rows:
                    rows[name].append(row)
        draw = np.random.default_rng(self.seed)
        return {
            name: np.sort(draw.permutation(np.array(found, np.int64))[: self.each])
            for name, found in rows.items()
        }

    def _changed(
        self, images: Sequence[object], stored: Sequence[Picture | None], change: Change
    ) -> list[Picture | None]:
        """Return the same pictures of the images as ``change`` makes them."""
        whole: dict[int, Pixels] = {}
        for place, known in enumerate(stored):
            if known is not None:
                try:
                    whole[place] = decoded(images[place], self.fitted, self.fitted.size)
                except ImageFault:
                    continue
        changed = dict(zip(whole, change(list(whole.values())), strict=True))
        return [
            replace(picture(changed[place], SIDE), name=known.name, size=known.size)
            if known is not None and place in changed
            else None
            for place, known in enumerate(stored)
        ]


def _of_class(name: str, found: Sequence[Picture | None]) -> Iterator[Picture]:
    caption = plain(name, 40)
    yield from (replace(shown, caption=caption) for shown in found if shown is not None)
