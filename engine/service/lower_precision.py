"""Agreement of predictions in bfloat16 with those in float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_COMPARED = 1024
"""Rows that are predicted in both."""


def agreement(
    inputs: pa.Table, exact: Callable[[pa.Table], pa.Table], lower: Callable[[pa.Table], pa.Table]
) -> Note:
    """Return a note on how far predictions of the first rows differ between two precisions."""
    rows = inputs.slice(0, _COMPARED)
    pair = exact(rows), lower(rows)
    names = [name for name in pair[0].column_names if not name.startswith("score ")]
    found = ", ".join(_difference(name, *(side[name] for side in pair)) for name in names)
    compared = counted(rows.num_rows, "row")
    return Note(
        f"predicted in bfloat16; of the first {compared}, float32 gives {found}",
        rows=inputs.num_rows,
        change="--precision",
        kind="converted",
    )


def _difference(name: str, exact: pa.ChunkedArray, lower: pa.ChunkedArray) -> str:
    name = plain(name, 40)
    if not pa.types.is_floating(exact.type):
        other = pc.sum(pc.not_equal(exact, lower)).as_py()
        return f"another {name} in {other:,}"
    error = np.abs(exact.to_numpy() - lower.to_numpy())
    return f"a {name} that differs by {np.median(error):.2g} (median) and {error.max():.2g} (most)"
