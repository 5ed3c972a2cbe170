"""The search itself: optuna proposes, ordinary runs answer.

Everything that must survive a crash is in optuna's journal and in the runs' own directories: a
search that begins again goes on with the runs that the one before it has left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from engine.errors import ConfigError, RunError
from engine.runs.directory import RunDirectory
from engine.runs.earlier_base import take_base_from
from engine.sweep import table
from engine.sweep.budget import Budget
from engine.sweep.cost import cost, steps_up
from engine.sweep.directory import SweepDirectory
from engine.sweep.same_base import ATTRIBUTE, key_of, runs_with
from engine.sweep.space import Range, as_texts, place
from engine.sweep.standings import Standings
from engine.sweep.study import (
    best_was_cut,
    distribution,
    grid,
    note,
    open_storage,
    open_study,
    spent,
)
from engine.sweep.trial_run import TrialRun

POLL_SECONDS = 0.3
_TAKE_UP_SECONDS = 2.0
"""Interval of looking for trials of processes that are gone."""


class Search:
    """One process's part in a sweep, from its first trial to the last of all."""

    def __init__(
        self,
        sweep: SweepDirectory,
        runs: Path,
        worker: str,
        places: Sequence[str],
        joined: bool = False,
    ) -> None:
        """Search as ``worker``, with a run at once in each of ``places``, which are GPUs or empty.

        ``joined`` if another process has begun the sweep.
        """
        self._sweep = sweep
        self._worker, self._places, self._joined = worker, places, joined
        self._spec = sweep.config()
        self._base = self._spec.config()
        self._dimensions = self._spec.dimensions()
        self._runs = runs
        self._metric = self._base.task.metric(self._base.train.metric_for_best_model)
        self._storage = open_storage(sweep)
        self._study = open_study(
            self._storage, self._spec, self._metric.higher_is_better, worker if joined else ""
        )
        self._standings = Standings(sweep, self._study, self._metric)
        self._going: list[TrialRun] = []
        self._taken_up = 0.0
        self._budget = None if self._spec.minutes is None else Budget(
            self._spec.minutes, self._points(), self._spec.parallel, spent(self._study)
        )  # fmt: skip

    def run(self) -> None:
        """Search until all trials are done, the time is over or a stop is requested."""
        self._begin()
        self._standings.show()
        self._work()
        if not self._joined and self._budget is not None:
            self._budget.reserves = self._lengthened()
            self._work()
        self._standings.weigh(final=True)
        self._standings.show()

    def _work(self) -> None:
        while self._going or self._another() or self._others_run():
            while (gpu := self._free()) is not None and self._next(gpu):
                self._standings.show()
            ended = [one for one in self._going if one.over(self._study, self._metric)]
            self._going = [going for going in self._going if going not in ended]
            if ended:
                self._learn(ended)
                self._standings.weigh()
                self._standings.show()
            elif self._sweep.asked_to_stop() or self._late():
                for going in self._going:
                    going.stop()
            if time.monotonic() - self._taken_up > _TAKE_UP_SECONDS:
                with self._sweep.changing():
                    self._take_up()
            time.sleep(POLL_SECONDS)

    def _free(self) -> str | None:
        """Return a place for another run; ``None`` when all are taken."""
        free = list(self._places)
        for going in self._going:
            if free:
                free.remove(going.gpu if going.gpu in free else free[-1])
        return free[0] if free else None

    def _others_run(self) -> bool:
        """Return whether another process's trials are left, which may have to be taken up."""
        if self._sweep.asked_to_stop() or self._late():
            return False
        return bool(self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def _another(self) -> bool:
        states = [trial.state for trial in self._study.trials]
        waiting = states.count(TrialState.WAITING)
        exhausted = self._spec.sampler == "grid" and not waiting
        full = len(states) - waiting >= self._spec.trials
        late = self._budget is not None and self._budget.share() is None
        return not (full or exhausted or late or self._sweep.asked_to_stop())

    def _points(self) -> int:
        """Return how many trials there will be at most."""
        sizes = [
            math.inf if isinstance(dimension, Range) else len(dimension.values)
            for dimension in self._dimensions
        ]
        return int(min(self._spec.trials, math.prod(sizes)))

    def _late(self) -> bool:
        return self._budget is not None and self._budget.left < 0

    def _lengthened(self) -> bool:
        """Begin the best trial once more with all the time that is left, if it was cut short."""
        rest = None if self._budget is None else self._budget.rest()
        if rest is None or self._sweep.asked_to_stop() or not best_was_cut(self._study):
            return False
        self._study.enqueue_trial(self._study.best_trial.params)
        self._next(self._places[0], rest)
        return bool(self._going)

    def _begin(self) -> None:
        """Try the preset as it is first; take up what an earlier process has left."""
        own = place(self._base, self._dimensions)
        with self._sweep.changing():
            if not self._study.trials:
                whole = self._spec.sampler == "grid"
                points = grid(self._dimensions) if whole else [own] if own is not None else []
                if self._budget is not None:
                    steps = steps_up(own, self._dimensions, self._spec.trials)
                    points = sorted(points, key=cost) if whole else steps
                for point in points:
                    self._study.enqueue_trial(point, user_attrs={"preset": point == own})
            self._take_up()

    def _take_up(self) -> None:
        """Continue the trials of processes that are gone."""
        self._taken_up = time.monotonic()
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            worker = trial.user_attrs.get("worker", "")
            if worker == self._worker or (worker and self._sweep.workers.searches(worker)):
                continue
            note(self._storage, trial.number, "worker", self._worker)
            run = RunDirectory(self._runs / trial.user_attrs.get("run", ""))
            if "run" in trial.user_attrs and (run.path / "config.toml").is_file():
                self._going.append(TrialRun(trial.number, run, None, self._free() or ""))
                self._going[-1].start_if_new()
            elif len(trial.params) == len(self._dimensions):
                self._start(trial.number, trial.params, self._free() or "")
            else:
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _next(self, gpu: str, seconds: float | None = None) -> bool:
        """Begin a trial if there is to be another, for ``seconds`` or its share of the time."""
        with self._sweep.changing():
            if seconds is None and not self._another():
                return False
            trial = self._study.ask(dict(map(distribution, self._dimensions)))
            trial.set_user_attr("worker", self._worker)
        self._start(trial.number, trial.params, gpu, trial, seconds)
        return True

    def _start(
        self,
        number: int,
        params: Mapping[str, Any],
        gpu: str,
        trial: optuna.Trial | None = None,
        seconds: float | None = None,
    ) -> None:
        """Start the run of a trial."""
        texts = as_texts(self._dimensions, params)
        note(self._storage, number, "values", texts)
        name = f"{self._spec.name[:58]}-{number}"
        assignments = [f"{name}={text}" for name, text in texts.items()]
        if self._budget is not None:
            seconds = self._budget.share() if seconds is None else seconds
            minutes = min((seconds or 0) / 60, self._base.train.max_minutes or math.inf)
            assignments.append(f"train.max_minutes={minutes:.4f}")
        try:
            config = self._base.override([*assignments, f"name={name}"])
        except ConfigError as error:
            note(self._storage, number, "problem", str(error))
            self._study.tell(number, state=TrialState.FAIL)
            return
        run = RunDirectory.create(
            self._runs, config, lambda run: note(self._storage, number, "run", run.id)
        )
        self._share_base(run, key := key_of(config))
        note(self._storage, number, ATTRIBUTE, key)
        going = TrialRun(number, run, trial, gpu, seconds)
        going.start()
        self._going.append(going)

    def _learn(self, ended: Sequence[TrialRun]) -> None:
        """Let the budget know how long runs take, and whether the best one needs more time."""
        if self._budget is None:
            return
        for one in ended:
            if one.seconds is not None:
                self._budget.ended(one.seconds, one.taken)
        self._budget.reserves = best_was_cut(self._study) is not False

    def _share_base(self, run: RunDirectory, key: str) -> None:
        """Let a run take the results of its base from an earlier trial that has them."""
        for name in runs_with(key, self._study):
            earlier = RunDirectory(self._runs / name)
            if earlier.base.path.is_file():
                take_base_from(run, earlier)
                return


def fail(sweep: SweepDirectory, error: RunError | ConfigError) -> None:
    """Let those who watch see why the search ended."""
    before = sweep.table()
    record = before.record() | {"problem": str(error)}
    sweep.write_table(table.SweepTable.from_record(record))
