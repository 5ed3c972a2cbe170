"""The results of a sweep so far."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

TrialState = Literal["running", "complete", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial: what it tried and what came of it."""

    number: int
    state: TrialState
    values: dict[str, str]
    """By field, as on a command line."""
    value: float | None = None
    """The best value of the validation data so far."""
    run: str = ""
    preset: bool = False
    """Whether it is the preset as it is."""


@dataclass(frozen=True, slots=True)
class SweepTable:
    """All trials, and their joint results."""

    metric: str = ""
    higher_is_better: bool = True
    trials: tuple[TrialRow, ...] = ()
    importance: dict[str, float] = field(default_factory=dict)
    """Importance by field: its share of the variance; empty until it can be computed."""
    problem: str = ""
    """Reason why the search ended early."""

    def ranked(self) -> list[TrialRow]:
        """The best first; those without a value last, in their order."""
        sign = -1.0 if self.higher_is_better else 1.0
        return sorted(
            self.trials,
            key=lambda row: (row.value is None, sign * (row.value or 0.0), row.number),
        )

    @property
    def best(self) -> TrialRow | None:
        """The best trial that went to its end."""
        return next((row for row in self.ranked() if row.state == "complete"), None)

    @property
    def preset(self) -> TrialRow | None:
        """The trial of the preset as it is, if it lies in the space."""
        return next((row for row in self.trials if row.preset), None)

    def record(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Any) -> SweepTable:
        """Read back :meth:`record`; raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        values = dict(record)
        trials = tuple(TrialRow(**row) for row in values.pop("trials"))
        return cls(trials=trials, **values)
