"""Names in place of images, for tables that people read."""

from __future__ import annotations

import pyarrow as pa

from engine.data.fitted import Fitted
from engine.data.image_record import is_image_record
from engine.reports.note import Note
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.files.column import images_of
from engine.vision.fitted import PixelFitted


def with_image_names(table: pa.Table, fitted: Fitted) -> tuple[pa.Table, list[Note]]:
    """Return rows with the path or the number of each image instead of the image, and notes on it.

    These are the images that the model takes in, and others that are stored as objects of bytes and
    path, such as masks.
    """
    notes = []
    taken = fitted.image if isinstance(fitted, PixelFitted | AnnotatedFitted) else None
    for place, field in enumerate(table.schema):
        if is_image_record(field.type) or (field.name == taken and not _is_text(field.type)):
            images = table.column(place)
            pairs = zip(images_of(table, field.name).names(), images.is_null().to_pylist(),
                        strict=True)  # fmt: skip
            names = [None if missing else name for name, missing in pairs]
            table = table.set_column(place, field.name, pa.array(names, pa.string()))
            why = "the file has the paths or numbers of images, not the images themselves"
            notes.append(Note(why, field.name, kind="converted"))
    return table, notes


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
