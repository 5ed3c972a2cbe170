"""The small data sets that scikit-learn carries, as tables."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from sklearn import datasets as sk

from engine.data.class_labels import with_class_names
from engine.data.image_record import IMAGE_RECORD, of_bytes
from engine.data.raw import TRAIN, RawData


def digits() -> RawData:
    """Handwritten digits as PNG images with their labels."""
    return RawData({TRAIN: _digits()})


@cache
def _digits() -> pa.Table:
    """Return the digits, which every request of a process would otherwise encode again."""
    bunch = sk.load_digits()
    pixels = (bunch.images * (255 / 16)).round().astype(np.uint8)
    images = [of_bytes(_png(image)) for image in pixels]
    table = pa.table({
        "image": pa.array(images, IMAGE_RECORD),
        "label": pa.array(bunch.target, pa.int64()),
    })  # fmt: skip
    return with_class_names(table, "label", [str(n) for n in range(10)])


def iris() -> RawData:
    """Three species of iris by four measures."""
    return _measures(sk.load_iris(), "species")


def wine() -> RawData:
    """Three growers of wine by thirteen measures."""
    return _measures(sk.load_wine(), "grower")


def breast_cancer() -> RawData:
    """Malignant and benign tumours by thirty measures."""
    return _measures(sk.load_breast_cancer(), "diagnosis")


def diabetes() -> RawData:
    """Progression of diabetes after one year by ten measures, as they were taken."""
    return _measures(sk.load_diabetes(scaled=False), "progression")


def _measures(bunch: Any, target: str) -> RawData:
    columns = {str(name): bunch.data[:, i] for i, name in enumerate(bunch.feature_names)}
    names = getattr(bunch, "target_names", None)
    goal = bunch.target if names is None else np.asarray(names, dtype=object)[bunch.target]
    return RawData({TRAIN: pa.table(columns | {target: goal})})


def _png(image: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
