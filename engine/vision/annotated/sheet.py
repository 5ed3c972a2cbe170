"""Some training images of each class with their masks or boxes, to be looked at in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.data.threads import in_threads
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.picture import Picture, PictureGroup
from engine.vision.annotated.painting import class_colour
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.contact_sheet import MOST_CLASSES

MOST_ROWS = 400
"""Images among which those of each class are looked for, drawn at random."""
Paint = Callable[[Sequence[int]], Mapping[int, Picture]]
"""Pictures of some rows, by row; rows that cannot be decoded are left out."""


@dataclass(frozen=True)
class AnnotatedSheet:
    """Images of a contact sheet: rows of each class, drawn at random, with all that is on them."""

    fitted: AnnotatedFitted
    rows: int
    """Training images."""
    classes_of: Callable[[int], Sequence[int]]
    """The numbers of the classes that an image has."""
    paint: Paint
    unit: str
    """The unit that is counted of each class: ``mask`` or ``object``."""
    unpainted: int | None
    """The class that is not painted, if there is one."""
    each: int
    """Images a class."""
    seed: int = 0
    """The seed of the choice of images."""

    def groups(self, paint: Paint | None = None) -> list[PictureGroup]:
        """Return a group a class, as the images are stored or as another ``paint`` shows them."""
        chosen = self._rows_by_class()
        rows = sorted({row for found in chosen.values() for row in found})
        pictures = (paint or self.paint)(rows)
        return [
            PictureGroup(
                self._title(number),
                tuple(replace(pictures[row], caption=self._name(number))
                      for row in found if row in pictures),
                None if number == self.unpainted else class_colour(number),
            )
            for number, found in chosen.items()
        ]  # fmt: skip

    def _rows_by_class(self) -> dict[int, list[int]]:
        """Return the drawn rows of the most frequent classes, in the order of all classes."""
        frequent = np.argsort(-np.array(self.fitted.counts), kind="stable")[:MOST_CLASSES]
        found: dict[int, list[int]] = {number: [] for number in sorted(frequent.tolist())}
        drawn = np.random.default_rng(self.seed).permutation(self.rows)[:MOST_ROWS].tolist()
        for row, numbers in zip(drawn, in_threads(self.classes_of, drawn), strict=True):
            for number in numbers:
                if number in found and len(found[number]) < self.each:
                    found[number].append(row)
        return found

    def _name(self, number: int) -> str:
        return plain(self.fitted.classes[number], 40)

    def _title(self, number: int) -> str:
        count = counted(self.fitted.counts[number], self.unit)
        unpainted = ", not painted" if number == self.unpainted else ""
        return f"{self._name(number)}: {count}{unpainted}"
