"""Groups of samples that pairs connect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def clusters(count: int, pairs: Iterable[tuple[int, int]]) -> list[NDArray[np.int64]]:
    """Return groups of at least two connected samples, each in rising order."""
    parents = list(range(count))

    def root(sample: int) -> int:
        while parents[sample] != sample:
            parents[sample] = parents[parents[sample]]
            sample = parents[sample]
        return sample

    connected = set()
    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parents[second] = first
        connected |= {one, other}
    groups: dict[int, list[int]] = defaultdict(list)
    for sample in sorted(connected):
        groups[root(sample)].append(sample)
    return [np.array(group) for group in groups.values()]
