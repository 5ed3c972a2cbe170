"""Images in place of a file of rows: a folder of them, or one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from engine.data.fitted import Fitted
from engine.data.image_index import images_below
from engine.data.image_suffixes import SUFFIXES
from engine.errors import DataError
from engine.files.paths import is_file, is_folder
from engine.files.sanitize import plain
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.fitted import PixelFitted


def given_images(path: Path, fitted: Fitted) -> pa.Table | None:
    """Return a row for each image below a folder, by name, or for a path that is an image.

    ``None`` for a file of rows, and for models of other inputs. Raises :class:`DataError` for a
    folder without images.
    """
    if not isinstance(fitted, PixelFitted | AnnotatedFitted):
        return None
    whole = path.absolute()
    if is_folder(whole):
        found = sorted(whole / image for image in images_below(whole))
        if not found:
            raise DataError(f"{plain(path)} has no images.", "Give a folder of them, or a table.")
    elif is_file(whole) and whole.suffix.lower()[1:] in SUFFIXES:
        found = [whole]
    else:
        return None
    return pa.table({fitted.image: pa.array(map(str, found), pa.string())})
