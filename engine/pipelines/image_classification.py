"""Data of image classification: images with a class, their size and colour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.image_classification import ImageClassificationConfig
from engine.data.column_roles import ColumnRoles
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.readers.files import root_of
from engine.models.images.preprocessing import preprocessing_of
from engine.pipelines.images import ImagesPipeline
from engine.reports.data_summary import DataSummary
from engine.reports.picture import Picture
from engine.text.classes.flags import with_flags_joined
from engine.text.classes.missing import without_label_codes
from engine.text.classes.names import with_named_classes
from engine.text.classes.spellings import with_label_lists
from engine.text.columns import chosen, find_label, is_list
from engine.vision.contact_sheet import Sheet
from engine.vision.files.bare_names import with_suffixes
from engine.vision.files.column import find_image
from engine.vision.files.list_paths import located
from engine.vision.fitted import ImageFitted
from engine.vision.fitting import classes_in, measure
from engine.vision.images_instead import images_instead
from engine.vision.rows import usable_rows
from engine.vision.summary import image_summary

_PREVIEWED = 8
"""Classes of which a preview shows an image."""


class ImageClassificationPipeline(ImagesPipeline[ImageFitted]):
    """Images of files or of a data set, each with a class or several labels."""

    section: ImageClassificationConfig
    fitted_type = ImageFitted

    def load(self) -> RawData:
        """Rows with an image and a class, in three splits."""
        with images_instead(self.config.data, "image_folder"):
            folder = self._folder()
            raw = with_suffixes(load_texts(self.config.data), self.section.image, folder)
            raw = raw if self.section.label else with_flags_joined(raw)
            image, label = self._columns(raw.train)
        raw = with_label_lists(located(raw, image, folder), label)
        raw = without_label_codes(raw, label, self.section.class_names)
        raw = usable_rows(raw, self.config.data, image, label, folder)
        return with_named_classes(raw, label, self.section.class_names)

    def fit(self, raw: RawData) -> ImageFitted:
        """Find the classes, and size, colour and mean of the images."""
        image, label = self._columns(raw.train)
        classes, counts, multi_label = classes_in(raw.train, label)
        wanted = preprocessing_of(self.config.model)
        measured = measure(raw.train, image, self.section, wanted, self.decoded)
        return ImageFitted(
            image=image, label=label, classes=classes, counts=counts, multi_label=multi_label,
            resize=self.section.resize, **measured,
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: ImageFitted) -> DataSummary:
        """Columns, class balance, sizes."""
        return image_summary(self.config, raw.with_skips(*self.undecoded), fitted)

    def pictures(self, raw: RawData, fitted: ImageFitted) -> Sequence[Picture]:
        """An image of each of the most frequent classes."""
        groups = Sheet(raw.train, fitted, 1, classes=_PREVIEWED).groups()
        return [shown for group in groups for shown in group.pictures]

    def sheet(self, raw: RawData, fitted: ImageFitted, each: int, seed: int) -> Sheet:
        """Images of each class, drawn by ``seed``."""
        return Sheet(raw.train, fitted, each, seed)

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        image, label = self._columns(raw.train)
        if is_list(raw.train, label):
            return ColumnRoles((image, label), image=image)
        return ColumnRoles((image,), label, "classes", image=image)

    def _columns(self, table: pa.Table) -> tuple[str, str]:
        image = chosen(table, self.section.image or find_image(table), "task.image")
        label = self.section.label or find_label(table, [image])
        return image, chosen(table, label, "task.label")

    def _folder(self) -> Path:
        """Return the folder of the data, the highest one that relative paths can start from."""
        return root_of(getattr(self.config.data, "path", ""))
