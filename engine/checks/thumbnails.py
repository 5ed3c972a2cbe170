"""Small grey copies of images."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.checks.examined import Places, some_rows
from engine.data.images import decode_all
from engine.data.on_disk import Rows
from engine.vision.files.column import images_of

SIDE = 16
_TIMED = 256
"""Images that stand for the time that all take."""


def thumbnails(table: pa.Table, column: str, places: Places) -> tuple[NDArray[np.float32], Places]:
    """Return ``[images, 256]`` shares of white of the images that can be read, and their rows."""
    some = Rows(table.select([column])).take(places)
    pixels, faults = decode_all(images_of(some, column), SIDE, 1, "stretch")
    whole = np.setdiff1d(np.arange(len(places)), list(faults))
    shares = pixels[whole].reshape(len(whole), -1) / (255 if pixels.dtype == np.uint8 else 1)
    return shares.astype(np.float32), places[whole]


def seconds_of_one(table: pa.Table, column: str) -> float:
    """Return the time that one image takes."""
    places = some_rows(table.select([column]), _TIMED)[1]
    thumbnails(table, column, places[:1])
    begin = time.perf_counter()
    thumbnails(table, column, places)
    return (time.perf_counter() - begin) / max(1, len(places))
