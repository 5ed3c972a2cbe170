"""Data of object detection: images with boxes around objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.object_detection import ObjectDetectionConfig
from engine.data.boxes.records import OBJECTS, box_classes
from engine.data.load import load_texts
from engine.data.raw import RawData
from engine.data.readers.files import root_of
from engine.data.threads import in_threads
from engine.files.sanitize import plain
from engine.models.images.preprocessing import preprocessing_of
from engine.pipelines.annotated_images import PREVIEWED, AnnotatedImagesPipeline
from engine.reports.counted import counted
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.picture import Picture
from engine.text.columns import chosen
from engine.vision.annotated.box_columns import find_objects
from engine.vision.annotated.box_rows import ObjectRows, count_objects, named_boxes, usable_boxes
from engine.vision.annotated.fitting import measure_annotated
from engine.vision.annotated.one_box_rows import boxes_beside
from engine.vision.annotated.painted import boxes_painted
from engine.vision.annotated.sheet import AnnotatedSheet
from engine.vision.annotated.summary import annotated_summary
from engine.vision.annotated_fitted import DetectionFitted
from engine.vision.files.bare_names import with_suffixes
from engine.vision.files.column import find_image, images_of
from engine.vision.files.list_paths import located
from engine.vision.images_instead import images_instead


class ObjectDetectionPipeline(AnnotatedImagesPipeline[DetectionFitted]):
    """Images of files or of a data set, each with the boxes of its objects."""

    section: ObjectDetectionConfig
    fitted_type = DetectionFitted

    def load(self) -> RawData:
        """Rows with an image and its objects, in three splits."""
        folder = root_of(getattr(self.config.data, "path", ""))
        format = self.section.box_format
        with images_instead(self.config.data, "image_boxes"):
            raw = with_suffixes(load_texts(self.config.data), self.section.image, folder)
            boxes = None if self.section.objects else boxes_beside(raw.train, format)
            if boxes is not None:
                own = self.section.image or find_image(raw.train)
                raw = boxes.joined(located(raw, own, folder), own)
                format = format if boxes.in_cells else "xyxy"
            image, objects = self.columns(raw.train)
        columns = ObjectRows(image, objects, format)
        return usable_boxes(located(raw, image, folder), self.config.data, columns, folder)

    def fit(self, raw: RawData) -> DetectionFitted:
        """Find the classes, and size and mean of the images."""
        image, objects = self.columns(raw.train)
        classes = box_classes(raw.train)
        found = count_objects(raw.train, objects)
        wanted = preprocessing_of(self.config.model)
        return DetectionFitted(
            image=image, objects=objects, classes=classes,
            counts=[found[name] for name in classes],
            **measure_annotated(raw.train, image, self.section, wanted),
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: DetectionFitted) -> DataSummary:
        """Columns, objects of each class, objects an image, and images without any."""
        counts = [len(cell) for cell in raw.train[fitted.objects].to_pylist()]
        facts = {
            "objects": f"{sum(counts):,}, {sum(counts) / len(counts):.2f} an image on average, "
            f"{max(counts):,} at most",
            "background": f"{counted(counts.count(0), 'image')} without objects",
        }
        example = named_boxes(raw.train[fitted.objects].slice(0, 1).to_pylist())[0]
        column = ColumnSummary(fitted.objects, "list", "objects", example=example[:80])
        whole = raw.with_skips(*self.undecoded)
        return annotated_summary(self.config, whole, fitted, column, facts)

    def pictures(self, raw: RawData, fitted: DetectionFitted) -> Sequence[Picture]:
        """The first images with their boxes."""
        rows = range(min(PREVIEWED, raw.train.num_rows))
        return list(painted_boxes(raw.train, fitted, rows).values())

    def sheet(self, raw: RawData, fitted: DetectionFitted, each: int, seed: int) -> AnnotatedSheet:
        """Images of each class, drawn by ``seed``."""
        numbers = {name: number for number, name in enumerate(fitted.classes)}
        objects = raw.train[fitted.objects]

        def classes_of(row: int) -> list[int]:
            return sorted({numbers[one["label"]] for one in objects[row].as_py()})

        paint = partial(painted_boxes, raw.train, fitted)
        return AnnotatedSheet(
            fitted, raw.train.num_rows, classes_of, paint, "object", None, each, seed
        )

    @override
    def shown(self, table: pa.Table) -> pa.Table:
        """Rows with the objects counted by class."""
        for name in table.column_names:
            if table.schema.field(name).type == OBJECTS:
                texts = pa.array(named_boxes(table[name].to_pylist()), pa.string())
                table = table.set_column(table.column_names.index(name), name, texts)
        return table

    @override
    def columns(self, table: pa.Table) -> tuple[str, str]:
        objects = self.section.objects or find_objects(table)
        objects = chosen(table, objects, "task.objects")
        image = self.section.image or find_image(table.drop_columns([objects]))
        return chosen(table, image, "task.image"), objects


def painted_boxes(
    table: pa.Table, fitted: DetectionFitted, rows: Sequence[int]
) -> dict[int, Picture]:
    """Return images with their boxes, by row; those that cannot be decoded are left out."""
    images, some = images_of(table, fitted.image), list(rows)
    cells = table[fitted.objects].take(pa.array(some, pa.int64())).to_pylist()
    names, texts = images.names(), named_boxes(cells)

    def painted(place: int) -> Picture | None:
        name, text = plain(names[some[place]], 80), plain(texts[place], 80)
        return boxes_painted(images[some[place]], cells[place], fitted, name=name, caption=text)

    found = zip(some, in_threads(painted, range(len(some))), strict=True)
    return {row: one for row, one in found if one is not None}
