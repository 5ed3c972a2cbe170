"""A contact sheet of images with numbers: a group for each range of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from engine.text.numbers_of import numbers_of
from engine.vision.contact_sheet import Sheet
from engine.vision.fitted import ImageFitted, NumberedFitted, PixelFitted

_RANGES = 5
_GROUP = "range"


def number_sheet(table: pa.Table, fitted: NumberedFitted, each: int, seed: int = 0) -> Sheet:
    """Return ``each`` images of every fifth of the numbers, from the lowest on."""
    values = np.array(numbers_of(table, fitted.target), np.float64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _RANGES + 1)))
    places = np.searchsorted(edges[1:-1], values, side="right")
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    names = [f"{place + 1}. {fitted.target} {name}" for place, name in enumerate(names)]
    groups = pa.array([names[place] for place in places.tolist()], pa.string())
    pixels = {name: getattr(fitted, name) for name in PixelFitted.model_fields}
    counts = np.bincount(places, minlength=len(names)).tolist()
    known = ImageFitted(
        **pixels, label=_GROUP, classes=names, counts=counts, multi_label=False
    )  # fmt: skip
    return Sheet(pa.table({fitted.image: table[fitted.image], _GROUP: groups}), known, each, seed)
