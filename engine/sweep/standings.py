"""The results of a sweep so far, as its watchers read them."""

from __future__ import annotations

import optuna
from optuna.trial import FrozenTrial, TrialState

from engine.config.metric import Metric
from engine.sweep import table
from engine.sweep.directory import SweepDirectory
from engine.sweep.study import importance

_SOON_WEIGHED = 200
"""Trials of which a forest is grown in less time than one takes."""
_STATES: dict[TrialState, table.TrialState] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


class Standings:
    """The table of a sweep: all trials of its study, and what made the difference."""

    def __init__(self, sweep: SweepDirectory, study: optuna.Study, metric: Metric) -> None:
        self._sweep = sweep
        self._study = study
        self._metric = metric
        self._importance = sweep.table().importance

    def weigh(self, final: bool = False) -> None:
        """Find what made the difference so far; of very many trials, only at the end."""
        if final or len(self._study.trials) <= _SOON_WEIGHED:
            self._importance = importance(self._study)

    def show(self) -> None:
        """Write the table."""
        with self._sweep.changing():  # what is shown last is what was known last
            trials = [trial for trial in self._study.trials if trial.state != TrialState.WAITING]
            self._sweep.write_table(
                table.SweepTable(
                    metric=self._metric.name,
                    higher_is_better=self._metric.higher_is_better,
                    trials=tuple(map(self._row, trials)),
                    importance=self._importance,
                )
            )

    def _row(self, trial: FrozenTrial) -> table.TrialRow:
        # Of a pruned trial, optuna takes the last evaluation for its value.
        value = trial.value if trial.state == TrialState.COMPLETE else None
        if value is None and trial.intermediate_values:
            best = max if self._metric.higher_is_better else min
            value = best(trial.intermediate_values.values())
        return table.TrialRow(
            number=trial.number,
            state=_STATES.get(trial.state, "running"),
            values=trial.user_attrs.get("values", {}),
            value=value,
            run=trial.user_attrs.get("run", ""),
            preset=bool(trial.user_attrs.get("preset", False)),
        )
