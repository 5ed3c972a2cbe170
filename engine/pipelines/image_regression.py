"""Data of image regression: images with a number, their size and colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.image_regression import ImageRegressionConfig
from engine.data.column_roles import ColumnRoles
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.readers.files import root_of
from engine.models.images.preprocessing import preprocessing_of
from engine.pipelines.images import ImagesPipeline
from engine.pipelines.target_scale import check_steps, target_scale
from engine.reports.data_summary import DataSummary
from engine.reports.picture import Picture
from engine.text.columns import chosen
from engine.text.numbers_of import find_numbers, numbers_of, with_named_numbers, with_numbers
from engine.vision.contact_sheet import Sheet
from engine.vision.files.bare_names import with_suffixes
from engine.vision.files.column import find_image
from engine.vision.files.list_paths import located
from engine.vision.fitted import NumberedFitted
from engine.vision.fitting import measure
from engine.vision.images_instead import images_instead
from engine.vision.number_sheet import number_sheet
from engine.vision.rows import usable_numbers
from engine.vision.summary import number_summary

_TARGETS = (
    "target", "label", "age", "score", "count", "value", "rating", "quality", "number", "y",
)  # fmt: skip
_PREVIEWED = 2
"""Images of each range of numbers in a preview."""


class ImageRegressionPipeline(ImagesPipeline[NumberedFitted]):
    """Images of files or of a data set, each with a number."""

    section: ImageRegressionConfig
    fitted_type = NumberedFitted

    def load(self) -> RawData:
        """Rows with an image and a number, in three splits."""
        with images_instead(self.config.data, "image_folder"):
            folder = root_of(getattr(self.config.data, "path", ""))
            raw = with_suffixes(load_texts(self.config.data), self.section.image, folder)
            image, target = self._columns(raw.train)
        raw = with_numbers(with_named_numbers(located(raw, image, folder), target), target)
        return usable_numbers(raw, self.config.data, image, target, folder)

    def fit(self, raw: RawData) -> NumberedFitted:
        """Find the scale of the numbers, and size, colour and mean of the images."""
        image, target = self._columns(raw.train)
        values = np.array(numbers_of(raw.train, target), np.float64)
        mean, std = target_scale(target, values)
        check_steps(target, values, std)
        wanted = preprocessing_of(self.config.model)
        return NumberedFitted(
            image=image, target=target, names=[target], target_mean=mean, target_std=std,
            lowest=float(values.min()), highest=float(values.max()), resize=self.section.resize,
            **measure(raw.train, image, self.section, wanted, self.decoded),
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: NumberedFitted) -> DataSummary:
        """Columns, range of the numbers, sizes."""
        return number_summary(self.config, raw.with_skips(*self.undecoded), fitted)

    def pictures(self, raw: RawData, fitted: NumberedFitted) -> Sequence[Picture]:
        """A few images of each range of numbers."""
        groups = number_sheet(raw.train, fitted, _PREVIEWED).groups()
        return [shown for group in groups for shown in group.pictures]

    def sheet(self, raw: RawData, fitted: NumberedFitted, each: int, seed: int) -> Sheet:
        """Images of each range of numbers, drawn by ``seed``."""
        return number_sheet(raw.train, fitted, each, seed)

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        image, target = self._columns(raw.train)
        return ColumnRoles((image,), target, "numbers", image=image)

    def _columns(self, table: pa.Table) -> tuple[str, str]:
        image = chosen(table, self.section.image or find_image(table), "task.image")
        target = self.section.target or find_numbers(table, _TARGETS, [image])
        return image, chosen(table, target, "task.target")
