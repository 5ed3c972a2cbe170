"""The rule by which the decision threshold of two classes is set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

RULES = ("f1", "precision 0.9", "recall 0.9", "cost 5:1")
"""Examples of rules that choose a threshold on the validation rows."""
Aim = Literal["value", "f1", "precision", "recall", "cost"]


@dataclass(frozen=True, slots=True)
class ThresholdRule:
    """A threshold, or what one is chosen for."""

    aim: Aim
    value: float = 0.0
    """The threshold, the precision or recall that is wanted, or the cost of a false positive."""
    missed: float = 0.0
    """The cost of a false negative."""


def parse_rule(text: str) -> ThresholdRule:
    """Return the rule of a text such as ``precision 0.9``. Raises ``ValueError``."""
    aim, _, rest = text.strip().partition(" ")
    if aim == "f1" and not rest:
        return ThresholdRule("f1")
    if aim == "precision":
        return ThresholdRule("precision", _share(rest))
    if aim == "recall":
        return ThresholdRule("recall", _share(rest))
    if aim == "cost":
        positive, _, negative = rest.partition(":")
        costs = _number(positive), _number(negative)
        if not all(0 < cost < math.inf for cost in costs):  # nan is neither
            raise ValueError("both costs must be above 0 and finite, such as cost 5:1")
        return ThresholdRule("cost", *costs)
    return ThresholdRule("value", _share(text))


def _share(text: str) -> float:
    value = _number(text)
    if not 0 < value < 1:
        raise ValueError(f"{text.strip()} must be above 0 and below 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        examples = ", ".join(RULES)
        raise ValueError(f"{text.strip()!r} is not a number; give 0.3, or {examples}") from None
