"""Merging of several adapters into one: peft's weighted methods, by peft's names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UserError
from engine.files.slugs import NAME_RULE, is_name

LARGEST_RANK = 4096
"""Rank of an adapter at most."""
METHODS = {
    "cat": "the weighted sum, exactly; the ranks add up",
    "svd": "the weighted sum, brought to a rank",
    "linear": "adds up A and B by themselves: rough",
    "ties": "drops small values and rarer signs (TIES)",
    "ties_svd": "TIES on whole layers, brought to a rank",
    "dare_linear": "drops values at random (DARE)",
    "dare_linear_svd": "DARE on whole layers, brought to a rank",
    "dare_ties": "DARE, then TIES",
    "dare_ties_svd": "both on whole layers, brought to a rank",
    "magnitude_prune": "drops small values",
    "magnitude_prune_svd": "the same on whole layers, brought to a rank",
}
"""With what they do; most people want one of the first two."""
PRUNED = tuple(name for name in METHODS if name.startswith(("ties", "dare", "magnitude")))
"""Those that keep a share of the values only, the density."""
BY_RANK = tuple(name for name in METHODS if name != "cat" and not name.endswith("svd"))
"""Those for adapters of one rank."""


@dataclass(frozen=True, slots=True)
class Combination:
    """The adapters to merge, their weights, and the method."""

    runs: Sequence[str]
    weights: Sequence[float]
    name: str
    """Of the new run."""
    method: str = "cat"
    rank: int | None = None
    """For the methods on whole layers; ``None`` takes the highest of those given."""
    density: float = 0.5
    seed: int = 0
    """For what is dropped at random."""

    def checked(self) -> Combination:
        """The same; raises :class:`UserError` for values that mean nothing."""
        if len(self.runs) < 2 or len(self.runs) != len(self.weights):
            raise UserError("Give at least two adapters, and a weight for each.")
        if not all(math.isfinite(weight) for weight in self.weights):
            raise UserError("A weight must be a number.")
        if not is_name(self.name):
            raise UserError(f"The name must have {NAME_RULE}.")
        if self.method not in METHODS:
            raise UserError(f"There is no method {self.method!r}.", f"Choose {', '.join(METHODS)}.")
        if not 0 < self.density <= 1:
            raise UserError("The density must be above 0 and at most 1.")
        if self.rank is not None and not 1 <= self.rank <= LARGEST_RANK:
            raise UserError(f"The rank must be between 1 and {LARGEST_RANK}.")
        return self
