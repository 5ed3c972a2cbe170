"""Lengths of texts, formatted for the user."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from engine.reports.counted import counted

_BARS = "▁▂▃▄▅▆▇█"
_BINS = 16


def length_facts(lengths: Sequence[int], limit: int) -> dict[str, str]:
    """The middle, the tail and the shape of some lengths, and how many are above ``limit``."""
    if not len(lengths):
        return {}
    values = np.asarray(lengths)
    middle, long, longest = (int(q) for q in np.quantile(values, [0.5, 0.95, 1.0]).round())
    facts = {
        "tokens": f"median {middle:,}, 95 % up to {long:,}, longest {longest:,}",
        "length histogram": f"1 {histogram(values)} {longest:,}",
    }
    if longest > limit:
        facts["cut"] = f"{(values > limit).mean():.1%} are longer than {limit:,} tokens"
    return facts


def packing_fact(lengths: Sequence[int], limit: int, samples: int, batch: int | None) -> str:
    """Return what packing makes of ``samples``, of which some have these ``lengths``.

    ``batch`` is the number of samples in one; ``None`` where batches go by their tokens.
    """
    mean = float(np.minimum(lengths, limit).mean())
    rows = math.ceil(samples * mean / limit)
    fact = f"the tokens of {counted(samples, 'sample')} fill {counted(rows, 'row')} of {limit:,}"
    if batch is None:
        return f"{fact}; a batch is one row without padding"
    return f"{fact}; a batch is one row of about {min(batch, samples) * mean:,.0f} tokens"


def windows_not_cut(facts: Mapping[str, str]) -> dict[str, str]:
    """The same facts for texts that are not cut off where they are too long, but read in parts."""
    return {"windows" if name == "cut" else name: fact for name, fact in facts.items()}


def histogram(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
    """A bar for each sixteenth of the range from 0 to the largest value."""
    counts, _ = np.histogram(values, bins=_BINS, range=(0, max(1, int(values.max()))))
    heights = np.ceil(counts / max(1, counts.max()) * len(_BARS)).astype(int)
    return "".join(_BARS[height - 1] if height else " " for height in heights)
