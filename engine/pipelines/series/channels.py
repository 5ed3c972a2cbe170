"""The state that is fitted on the channels of one or of many series alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.data.series.channels import Values
from engine.data.series.roles import Roles
from engine.data.series.splits import SeriesNote
from engine.errors import DataError
from engine.files.sanitize import plain

_WHOLE = 0.9
"""Share of rows with 0 or 1 in a flag; the others were filled in or averaged."""


def described(note: SeriesNote) -> dict[str, Any]:
    """Return the fields of what is fitted that say how the series were read."""
    roles, frequency = note.roles, note.frequency
    return {
        "time": roles.time,
        "targets": list(roles.targets),
        "inputs": list(roles.inputs),
        "unit": frequency.unit,
        "step": frequency.step,
        "regular": frequency.regular,
        "time_parts": roles.parts,
        "spelling": note.spelling,
        "writing": note.writing,
        "number_formats": dict(note.formats),
        "anchor": frequency.anchor,
        "zone": frequency.zone,
        "known": list(roles.known),
        "categories": dict(roles.categories),
    }


def fit_channels(values: Values, roles: Roles) -> dict[str, Any]:
    """Return ``mean``, ``std`` and ``flags`` of the channels over all rows.

    Raises :class:`DataError` for a target that does not change.
    """
    mean, std = values.mean(0), values.std(0)
    constant = std <= 1e-12 * np.abs(mean)
    for name, same in zip(roles.targets, constant, strict=False):
        if same:
            raise DataError(
                f"The target {plain(name, 60)!r} is the same in all training rows.",
                "Set task.targets to a column that changes.",
            )
    flags = _find_flags(values, roles.past)
    # Flags, and a constant input, which has no information and must not become infinite.
    mean[flags], std[constant] = 0.0, 1.0
    std[flags] = 1.0
    return {"mean": mean.tolist(), "std": std.tolist(), "flags": flags}


def _find_flags(values: Values, first: int) -> list[int]:
    """Return the places of the channels from ``first`` on that are 0 or 1, as a category is."""
    own = values[:, first:]
    between = ((own < 0) | (own > 1)).any(0)
    whole = ((own == 0) | (own == 1)).mean(0) >= _WHOLE if len(own) else ~between
    return (first + np.flatnonzero(~between & whole)).tolist()
