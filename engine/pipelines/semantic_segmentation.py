"""Data of semantic segmentation: images with masks of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.semantic_segmentation import AUTO, SemanticSegmentationConfig
from engine.data.load import load_texts
from engine.data.masks import IGNORED
from engine.data.raw import RawData
from engine.data.readers.files import root_of
from engine.data.threads import in_threads
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.models.images.preprocessing import preprocessing_of
from engine.pipelines.annotated_images import PREVIEWED, AnnotatedImagesPipeline
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.picture import Picture
from engine.text.columns import by_name, chosen
from engine.vision.annotated.fitting import measure_annotated
from engine.vision.annotated.mask_rows import classes_noted, usable_masks, written
from engine.vision.annotated.painted import SIDE, mask_painted
from engine.vision.annotated.run_lengths import RunColumns, run_column, with_drawn_masks
from engine.vision.annotated.sheet import AnnotatedSheet
from engine.vision.annotated.summary import annotated_summary
from engine.vision.annotated_fitted import SegmentationFitted
from engine.vision.files.bare_names import with_suffixes
from engine.vision.files.column import find_image, holds_images, images_of
from engine.vision.files.joined_names import with_names_apart
from engine.vision.files.list_paths import located
from engine.vision.images_instead import images_instead

_MASK_NAMES = (
    "mask", "masks", "label", "labels", "annotation", "segmentation", "segmentation_mask", "target",
)  # fmt: skip


class SemanticSegmentationPipeline(AnnotatedImagesPipeline[SegmentationFitted]):
    """Images of files or of a data set, each with a mask."""

    section: SemanticSegmentationConfig
    fitted_type = SegmentationFitted

    def load(self) -> RawData:
        """Rows with an image and a mask of its size, in three splits."""
        folder = root_of(getattr(self.config.data, "path", ""))
        with images_instead(self.config.data, "image_masks"):
            raw = with_suffixes(load_texts(self.config.data), self.section.image, folder)
            raw = self._with_masks(raw, folder)
            image, mask = self.columns(raw.train)
        for column in (image, mask):
            raw = replace(located(raw, column, folder), files=raw.files)
        return usable_masks(raw, self.config.data, self.section, (image, mask), folder)

    def _with_masks(self, raw: RawData, folder: Path) -> RawData:
        """Return the data with a column of masks, where it has them as run lengths."""
        wanted = self.section.mask
        runs = "" if _named_mask(raw.train) else run_column(raw.train, wanted)
        if not runs:
            return raw
        raw = with_names_apart(raw)
        image = self.section.image or find_image(raw.train)
        order = None if self.section.run_order == AUTO else self.section.run_order
        columns = RunColumns(image, runs, wanted or _MASK_NAMES[0], order)
        return with_drawn_masks(located(raw, image, folder), columns)

    def fit(self, raw: RawData) -> SegmentationFitted:
        """Find the classes, and size and mean of the images."""
        image, mask = self.columns(raw.train)
        found = classes_noted(raw.train)
        wanted = preprocessing_of(self.config.model)
        return SegmentationFitted(
            image=image, mask=mask, classes=list(found.names), counts=list(found.masks),
            values=list(found.values), ignored=found.ignored, coloured=found.coloured,
            greys=found.greys,
            pixels=list(found.pixels),
            **measure_annotated(raw.train, image, self.section, wanted),
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: SegmentationFitted) -> DataSummary:
        """Columns, masks that have each class, and its share of their pixels."""
        shares = zip(fitted.classes, fitted.pixels, strict=True)
        facts = {
            "pixels": ", ".join(f"{plain(name, 40)} {share:.1%}" for name, share in shares),
            "mask values": ", ".join(
                f"{written(value, fitted.coloured)} {plain(name, 40)}"
                for name, value in zip(fitted.classes, fitted.values, strict=True)
            ),
        }
        first = images_of(raw.train.slice(0, 1), fitted.mask).names()[0]
        mask = ColumnSummary(fitted.mask, "image", "mask", example=plain(first, 80))
        whole = raw.with_skips(*self.undecoded)
        return annotated_summary(self.config, whole, fitted, mask, facts)

    def pictures(self, raw: RawData, fitted: SegmentationFitted) -> Sequence[Picture]:
        """The first images below their masks."""
        rows = range(min(PREVIEWED, raw.train.num_rows))
        return list(painted_masks(raw.train, fitted, rows).values())

    def sheet(
        self, raw: RawData, fitted: SegmentationFitted, each: int, seed: int
    ) -> AnnotatedSheet:
        """Images of each class, drawn by ``seed``."""
        images, masks = (images_of(raw.train, name) for name in (fitted.image, fitted.mask))

        def classes_of(row: int) -> list[int]:
            numbers = np.unique(fitted.coding.numbers(masks[row], SIDE, images[row]))
            return [number for number in numbers.tolist() if number != IGNORED]

        paint = partial(painted_masks, raw.train, fitted)
        return AnnotatedSheet(fitted, raw.train.num_rows, classes_of, paint, "mask", 0, each, seed)

    @override
    def columns(self, table: pa.Table) -> tuple[str, str]:
        mask = self.section.mask or _find_mask(table)
        mask = chosen(table, mask, "task.mask")
        image = self.section.image or find_image(table.drop_columns([mask]))
        return chosen(table, image, "task.image"), mask


def painted_masks(
    table: pa.Table, fitted: SegmentationFitted, rows: Sequence[int]
) -> dict[int, Picture]:
    """Return images below their masks, by row; those that cannot be decoded are left out."""
    images, masks = images_of(table, fitted.image), images_of(table, fitted.mask)
    names = images.names()

    def painted(row: int) -> Picture | None:
        mask = fitted.coding.numbers(masks[row], fitted.size, images[row])
        return mask_painted(images[row], mask, fitted, name=plain(names[row], 80))

    found = zip(rows, in_threads(painted, rows), strict=True)
    return {row: one for row, one in found if one is not None}


def _find_mask(table: pa.Table) -> str:
    """Return the column with masks: of those with images, the one that is called so."""
    named = _named_mask(table)
    if named is None:
        shown = _with_images(table) or table.column_names[:10]
        some = ", ".join(plain(name, 40) for name in shown)
        raise DataError(f"Which column holds the masks? There is {some}.", "Set task.mask.")
    return named


def _named_mask(table: pa.Table) -> str | None:
    return by_name(table.select(_with_images(table)), _MASK_NAMES)


def _with_images(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if holds_images(table[name])]
