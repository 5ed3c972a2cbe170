"""The output of a network that is explained."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from torch import Tensor

from engine.errors import DataError
from engine.files.sanitize import plain

_MOST = 20


def likeliest(scores: Tensor, names: Sequence[str]) -> list[str]:
    """Return the names of the highest of ``[outputs]`` scores, at most twenty."""
    order = scores.argsort(descending=True, stable=True)[:_MOST]
    return [names[place] for place in order.tolist()]


def number_of(target: str, names: Sequence[str], scores: Tensor) -> int:
    """Return the place of an output by its name, or of the highest score where none is named.

    Raises :class:`DataError` for an unknown name.
    """
    if not target:
        return int(scores.argmax())
    if target in names:
        return list(names).index(target)
    near = difflib.get_close_matches(target, names, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"There is {', '.join(names[:12])}."
    raise DataError(f"This model has no output {plain(target, 60)!r}.", plain(hint, 400))
