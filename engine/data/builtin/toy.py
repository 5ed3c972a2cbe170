"""The small data sets that scikit-learn carries, as tables.

Its files are read without importing it: that would take as long as importing torch.
"""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from engine.data.class_labels import with_class_names
from engine.data.raw import TRAIN, RawData

_IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
_WINE = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols",
    "flavanoids", "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue",
    "od280/od315_of_diluted_wines", "proline",
)  # fmt: skip
_OF_A_TUMOUR = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
    "concave points", "symmetry", "fractal dimension",
)  # fmt: skip
_TUMOURS = (
    *(f"mean {name}" for name in _OF_A_TUMOUR),
    *(f"{name} error" for name in _OF_A_TUMOUR),
    *(f"worst {name}" for name in _OF_A_TUMOUR),
)
_PATIENTS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def digits() -> RawData:
    """Handwritten digits as PNG images with their labels."""
    return RawData({TRAIN: _digits()})


@cache
def _digits() -> pa.Table:
    """Encode them; kept, as every request of a process would do it again."""
    rows = np.loadtxt(_file("digits.csv.gz"), delimiter=",")
    pixels = (rows[:, :-1].reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    images = [{"bytes": _png(image), "path": None} for image in pixels]
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({
        "image": pa.array(images, image_type),
        "label": pa.array(rows[:, -1].astype(np.int64)),
    })  # fmt: skip
    return with_class_names(table, "label", [str(n) for n in range(10)])


def iris() -> RawData:
    """Three species of iris by four measures."""
    return _classes("iris.csv", _IRIS, "species")


def wine() -> RawData:
    """Three growers of wine by thirteen measures."""
    return _classes("wine_data.csv", _WINE, "grower")


def breast_cancer() -> RawData:
    """Malignant and benign tumours by thirty measures."""
    return _classes("breast_cancer.csv", _TUMOURS, "diagnosis")


def diabetes() -> RawData:
    """Progression of diabetes after one year by ten measures, as they were taken."""
    measures = np.loadtxt(_file("diabetes_data_raw.csv.gz"))
    return _table(_PATIENTS, measures, "progression", np.loadtxt(_file("diabetes_target.csv.gz")))


def _file(name: str) -> Path:
    """Return where scikit-learn keeps a file of data."""
    found = find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    return Path(found.submodule_search_locations[0], "datasets", "data", name)


def _classes(name: str, columns: tuple[str, ...], target: str) -> RawData:
    """Read a file whose first line tells the numbers of rows and measures, and the classes."""
    with _file(name).open() as lines:
        names = next(lines).strip().split(",")[2:]
        rows = np.loadtxt(lines, delimiter=",")
    labels = np.asarray(names, dtype=object)[rows[:, -1].astype(np.int64)]
    return _table(columns, rows[:, :-1], target, labels)


def _table(
    columns: tuple[str, ...], measures: NDArray[np.float64], target: str, goal: NDArray[Any]
) -> RawData:
    values = dict(zip(columns, measures.T, strict=True))
    return RawData({TRAIN: pa.table(values | {target: goal})})


def _png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
