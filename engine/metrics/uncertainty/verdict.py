"""The verdict on a network beside its baseline: the difference, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DRAWS = 1000
_SHARE = 0.95
_ROUNDING = 1e-6
"""Differences of errors in standard deviations that are those of float32."""


@dataclass(frozen=True)
class Verdict:
    """Relative difference of mean errors, with the ends of its interval of 95 %."""

    baseline: str
    difference: float
    low: float
    high: float

    @property
    def hardness(self) -> float:
        """A number by which verdicts on several baselines are ordered."""
        return self.difference

    @property
    def outcome(self) -> str:
        """One of ``better``, ``worse`` and ``open``, where the interval has 0 in it."""
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "open"

    @property
    def text(self) -> str:
        """The verdict as a sentence."""
        if self.outcome == "open":
            return (
                f"It is open whether the network is better than {self.baseline}: its scaled mean "
                f"absolute error differs by {_percent(self.difference)} "
                f"(95 % interval {_percent(self.low)} to {_percent(self.high)})."
            )
        ends = sorted(abs(end) for end in (self.low, self.high))
        interval = f"95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"
        side = "below" if self.outcome == "better" else "above"
        return (
            f"The network is {self.outcome} than {self.baseline}: its scaled mean absolute error "
            f"is {100 * abs(self.difference):.1f} % {side} ({interval})."
        )

    def record(self) -> dict[str, Any]:
        """The verdict for a report."""
        return asdict(self) | {"outcome": self.outcome, "text": self.text}


def _percent(value: float) -> str:
    return f"{100 * value:+.1f} %"


@dataclass(frozen=True)
class ExactVerdict:
    """Difference to a baseline without errors in most windows, where no ratio means anything.

    In standard deviations, with the ends of its interval of 95 %.
    """

    baseline: str
    difference: float
    low: float
    high: float
    without: float
    """Share of the windows in which the baseline makes no error."""

    @property
    def hardness(self) -> float:
        """A number by which verdicts on several baselines are ordered: nothing is harder."""
        return math.inf if self.outcome == "worse" else self.difference

    @property
    def outcome(self) -> str:
        """One of ``better``, ``worse`` and ``open``, where the interval has 0 in it."""
        if self.high < -_ROUNDING:
            return "better"
        return "worse" if self.low > _ROUNDING else "open"

    @property
    def text(self) -> str:
        """The verdict as a sentence."""
        share = "all" if self.without == 1 else f"{math.floor(100 * self.without)} % of the"
        which = f"{self.baseline}, which makes no error in {share} windows"
        if self.outcome == "open":
            said = f"It is open whether the network is better than {which}"
        else:
            said = f"The network is {self.outcome} than {which}"
        side = "above" if self.difference >= 0 else "below"
        ends = f"{self.low:.3g} to {self.high:.3g}"
        return (
            f"{said}: the mean absolute error is {abs(self.difference):.3g} standard deviations "
            f"{side} (95 % interval of the difference {ends})."
        )

    def record(self) -> dict[str, Any]:
        """The verdict for a report."""
        return asdict(self) | {"outcome": self.outcome, "text": self.text}


def judge(
    baseline: str, errors: NDArray[np.float64], theirs: NDArray[np.float64], block: int = 1
) -> Verdict | ExactVerdict | None:
    """Compare errors of the same windows by a paired bootstrap; ``None`` where nothing is known.

    Windows next to each other overlap, so they are drawn in blocks of ``block`` (circular block
    bootstrap, Politis and Romano 1992). Errors, in standard deviations, that are not numbers are
    left out in pairs.
    """
    if len(errors) != len(theirs):
        return None
    known = np.isfinite(errors) & np.isfinite(theirs)
    errors, theirs = errors[known], theirs[known]
    if len(errors) < 2:
        return None
    drawn = _drawn_means(errors, theirs, block)
    if (drawn[1] > 0).all():
        low, high = _interval(drawn[0] / drawn[1] - 1)
        return Verdict(baseline, float(errors.mean() / theirs.mean() - 1), low, high)
    # A baseline that is exact in nearly all windows has draws without any error.
    low, high = _interval(drawn[0] - drawn[1])
    difference = float(errors.mean() - theirs.mean())
    return ExactVerdict(baseline, difference, low, high, float((theirs == 0).mean()))


def _drawn_means(
    errors: NDArray[np.float64], theirs: NDArray[np.float64], block: int
) -> NDArray[np.float64]:
    """Mean errors of the windows that were drawn, ``[2, draws]``."""
    block = min(max(1, block), max(1, len(errors) // 2))
    sums = [_block_sums(part, block) for part in (errors, theirs)]
    generator = np.random.default_rng(0)
    draws = -(-len(errors) // block)
    chosen = (generator.integers(len(errors), size=draws) for _ in range(_DRAWS))
    return np.array([[part[at].mean() / block for part in sums] for at in chosen]).T


def _interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return float(low), float(high)


def _block_sums(values: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """The sum of each value and the ``block - 1`` behind it, around the end."""
    totals = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values[: block - 1]]))])
    sums: NDArray[np.float64] = totals[block:] - totals[:-block]
    return sums
