"""The rows of a file whose images were predicted from: those that cannot be read are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from engine.data.fitted import Fitted
from engine.data.on_disk import Rows
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.files.column import images_of
from engine.vision.fitted import ImageFitted


def predicted_rows(
    whole: pa.Table, taken: pa.Table, fitted: Fitted, records: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """Return the rows of ``whole`` that have a record, in their order.

    ``taken`` has the same rows as the task takes them. Other tasks than those on images have a
    record for each row.
    """
    if len(records) == whole.num_rows or not isinstance(fitted, ImageFitted | AnnotatedFitted):
        return whole
    kept: list[int] = []
    for row, name in enumerate(images_of(taken, fitted.image).names()):
        # Records keep the order of the rows, and a file that is named twice is left out twice.
        if len(kept) < len(records) and records[len(kept)]["image"] == name:
            kept.append(row)
    return Rows(whole).take(np.array(kept, np.int64)) if len(kept) == len(records) else whole
