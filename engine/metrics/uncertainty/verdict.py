"""The verdict on a network beside its baseline: the difference, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.metrics.uncertainty.window_draws import WindowPlaces, draws_of

_SHARE = 0.95
_SMALLEST = 1e-9
"""A ratio of errors that is as good as none."""
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
    baseline: str,
    errors: NDArray[np.float64],
    theirs: NDArray[np.float64],
    block: int = 1,
    places: WindowPlaces | None = None,
) -> Verdict | ExactVerdict | None:
    """Compare errors of the same windows by a paired bootstrap; ``None`` where nothing is known.

    Windows next to each other overlap, so they are drawn in blocks of ``block``. Those of several
    series, which ``places`` tell apart, are drawn by time and by series: the wider interval counts.
    Errors, in standard deviations, that are not numbers are left out in pairs.
    """
    if len(errors) != len(theirs):
        return None
    known = np.isfinite(errors) & np.isfinite(theirs)
    errors, theirs = errors[known], theirs[known]
    if len(errors) < 2:
        return None
    drawn = [*draws_of(errors, theirs, block, None if places is None else places.chosen(known))]
    if all((draws.means[1] > 0).all() for draws in drawn):
        middle = float(errors.mean() / theirs.mean())
        # Of logarithms, as a ratio that is widened stays above 0.
        ends = [
            _interval(_log(draws.means[0] / draws.means[1]), float(_log(middle)), draws.widening)
            for draws in drawn
        ]
        low, high = np.exp(max(ends, key=_width)) - 1
        return Verdict(baseline, middle - 1, float(low), float(high))
    # A baseline that is exact in nearly all windows has draws without any error.
    difference = float(errors.mean() - theirs.mean())
    ends = [
        _interval(draws.means[0] - draws.means[1], difference, draws.widening) for draws in drawn
    ]
    low, high = max(ends, key=_width)
    return ExactVerdict(baseline, difference, low, high, float((theirs == 0).mean()))


def _log(ratio: Any) -> NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(ratio, _SMALLEST)), np.float64)


def _interval(drawn: NDArray[np.float64], middle: float, widening: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return middle + widening * float(low - middle), middle + widening * float(high - middle)


def _width(ends: tuple[float, float]) -> float:
    return ends[1] - ends[0]
