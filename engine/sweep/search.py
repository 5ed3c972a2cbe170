"""The search itself: optuna proposes, ordinary runs answer.

Everything that must survive a crash is in optuna's journal and in the runs' own directories: a
search that begins again goes on with the runs that the one before it has left.
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from engine.errors import ConfigError, Problem, RunError
from engine.launch.start import start
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.events import TIME_LIMIT, Evaluated, Finished
from engine.runs.follower import Follower
from engine.runs.history import History
from engine.runs.status import State
from engine.sweep import table
from engine.sweep.budget import Budget
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Dimension, Range, as_texts, place

POLL_SECONDS = 0.3
_RESTARTS = 3
"""Times that a run which was lost or interrupted is taken up again."""
_WARM_UP = 4
"""Trials that go to their end before one is pruned."""
_WHOLE = 100
"""Length of a run as a pruner counts it …"""
_SPARED = 25
"""… and the part of it in which none is pruned: who begins slowly may be the best in the end."""
_SOON_WEIGHED = 200
"""Trials of which a forest is grown in less time than one takes."""
_STATES: dict[TrialState, table.TrialState] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass
class _Going:
    """A trial whose run has not ended."""

    number: int
    run: RunDirectory
    trial: optuna.Trial | None
    """None for one that an earlier process began: it is not pruned."""
    follower: Follower
    history: History = field(default_factory=History)
    pruned: bool = False
    restarts: int = 0


class Search:
    """One sweep, from its first trial to its last."""

    def __init__(self, sweep: SweepDirectory, runs: Path) -> None:
        self._sweep = sweep
        self._spec = sweep.config()
        self._base = self._spec.config()
        self._dimensions = self._spec.dimensions()
        self._runs = runs
        self._metric = self._base.task.metric(self._base.train.metric_for_best_model)
        self._study = _study(sweep, self._spec, self._metric.higher_is_better)
        self._going: list[_Going] = []
        self._importance = sweep.table().importance
        self._budget = None if self._spec.minutes is None else Budget(
            self._spec.minutes, self._points(), self._spec.parallel, _spent(self._study)
        )  # fmt: skip

    def run(self) -> None:
        """Search until all trials are done, the time is over or a stop is requested."""
        self._begin()
        self._show()
        self._work()
        if self._lengthened():
            self._work()
        self._weigh(final=True)
        self._show()

    def _work(self) -> None:
        while self._going or self._another():
            while len(self._going) < self._spec.parallel and self._another():
                self._next()
                self._show()
            ended = [going for going in self._going if self._over(going)]
            self._going = [going for going in self._going if going not in ended]
            if ended:
                self._weigh()
                self._show()
            elif self._sweep.asked_to_stop() or self._late():
                for going in self._going:
                    going.run.requests.send(Request(control.STOP))
            time.sleep(POLL_SECONDS)

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
        done = self._study.get_trials(states=(TrialState.COMPLETE,))
        if rest is None or not done or self._sweep.asked_to_stop():
            return False
        best = self._study.best_trial
        if not best.user_attrs.get("cut"):
            return False
        self._study.enqueue_trial(best.params)
        self._next(rest)
        return bool(self._going)

    def _begin(self) -> None:
        """Try the preset as it is first; take up what an earlier process has left."""
        own = place(self._base, self._dimensions)
        if not self._study.trials:
            grid = self._spec.sampler == "grid"
            points = _grid(self._dimensions) if grid else [own] if own is not None else []
            for point in points:
                self._study.enqueue_trial(point, user_attrs={"preset": point == own})
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            run = RunDirectory(self._runs / trial.user_attrs.get("run", ""))
            if "run" in trial.user_attrs and run.path.is_dir():
                self._going.append(_Going(trial.number, run, None, Follower(run.events.path)))
            else:
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _next(self, seconds: float | None = None) -> None:
        """Begin a trial, which takes ``seconds`` or its share of the time."""
        trial = self._study.ask(dict(map(_distribution, self._dimensions)))
        texts = as_texts(self._dimensions, trial.params)
        trial.set_user_attr("values", texts)
        name = f"{self._spec.name[:58]}-{trial.number}"
        assignments = [f"{name}={text}" for name, text in texts.items()]
        if self._budget is not None:
            seconds = self._budget.share() if seconds is None else seconds
            minutes = min((seconds or 0) / 60, self._base.train.max_minutes or math.inf)
            assignments.append(f"train.max_minutes={minutes:.4f}")
        try:
            config = self._base.override([*assignments, f"name={name}"])
        except ConfigError as error:
            trial.set_user_attr("problem", str(error))
            self._study.tell(trial, state=TrialState.FAIL)
            return
        run = RunDirectory.create(self._runs, config)
        trial.set_user_attr("run", run.id)
        start(run)
        self._going.append(_Going(trial.number, run, trial, Follower(run.events.path)))

    def _over(self, going: _Going) -> bool:
        """Read the run's events; returns whether it is over and reported to the study."""
        ended = going.run.status.state()  # before reading, so that no final event is missed
        for event in going.follower.new():
            going.history.apply(event)
            if isinstance(event, Evaluated) and event.split == "validation":
                self._report(going, event)
        if not ended.ended:
            return False
        if ended in (State.LOST, State.INTERRUPTED) and going.restarts < _RESTARTS:
            going.restarts += 1
            start(going.run)
            return False
        best = going.history.best
        value = best.metrics.get(self._metric.name) if best is not None else None
        ending = going.history.ending
        if going.trial is not None and isinstance(ending, Finished):
            going.trial.set_user_attr("cut", ending.reason == TIME_LIMIT)
        if going.pruned:
            self._study.tell(going.number, state=TrialState.PRUNED)
        elif ended in (State.FINISHED, State.STOPPED) and value is not None:
            self._study.tell(going.number, value)
        else:
            self._study.tell(going.number, state=TrialState.FAIL)
        return True

    def _report(self, going: _Going, event: Evaluated) -> None:
        """Report to the pruner; stop the run if it decides so."""
        value = event.metrics.get(self._metric.name)
        trained = going.history.trained
        if going.trial is None or going.pruned or value is None or trained is None:
            return
        # By the share that is done: one with larger batches makes fewer updates.
        going.trial.report(value, round(_WHOLE * event.step / max(1, trained.steps)))
        if going.trial.should_prune():
            going.pruned = True
            going.run.requests.send(Request(control.STOP))

    def _weigh(self, final: bool = False) -> None:
        """Find what made the difference so far; of very many trials, only at the end."""
        if final or len(self._study.trials) <= _SOON_WEIGHED:
            self._importance = _importance(self._study)

    def _show(self) -> None:
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
        value = trial.value
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


def _study(sweep: SweepDirectory, spec: SweepConfig, higher_is_better: bool) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(sweep.journal)))
    study = optuna.create_study(
        storage=storage,
        study_name="sweep",
        direction="maximize" if higher_is_better else "minimize",
        load_if_exists=True,
    )
    # A continued search must not propose the same first trials again.
    study.sampler = _sampler(spec, spec.seed + len(study.trials))
    study.pruner = _PRUNERS[spec.pruner]()
    return study


def _spent(study: optuna.Study) -> float:
    """Return the seconds of all trials that ended."""
    return sum(trial.duration.total_seconds() for trial in study.trials if trial.duration)


def _sampler(spec: SweepConfig, seed: int) -> optuna.samplers.BaseSampler:
    if spec.sampler != "tpe":  # the points of a grid are all known before
        return optuna.samplers.RandomSampler(seed=seed)
    # Trials that run at the same time keep away from each other.
    return optuna.samplers.TPESampler(seed=seed, constant_liar=spec.parallel > 1)


_PRUNERS: dict[str, Callable[[], optuna.pruners.BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": lambda: optuna.pruners.MedianPruner(
        n_startup_trials=_WARM_UP, n_warmup_steps=_SPARED
    ),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=_WHOLE),
}


def _grid(dimensions: list[Dimension]) -> list[dict[str, str | float]]:
    """The points of a grid; raises :class:`ConfigError` for a range."""
    choices = [dimension for dimension in dimensions if not isinstance(dimension, Range)]
    if len(choices) < len(dimensions):
        text = "a grid needs single values, such as 1e-4,3e-4,1e-3"
        raise ConfigError([Problem(d.field, text) for d in dimensions if isinstance(d, Range)])
    names = [choice.field for choice in choices]
    return [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(choice.values for choice in choices))
    ]


def _distribution(dimension: Dimension) -> tuple[str, BaseDistribution]:
    if not isinstance(dimension, Range):
        return dimension.field, CategoricalDistribution(list(dimension.values))
    if dimension.whole:
        low, high = int(dimension.low), int(dimension.high)
        return dimension.field, IntDistribution(low, high, log=dimension.log)
    return dimension.field, FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _importance(study: optuna.Study) -> dict[str, float]:
    """By fANOVA (Hutter et al. 2014); empty where there are too few trials."""
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if len(complete) < _WARM_UP or len({trial.value for trial in complete}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = optuna.importance.get_param_importances(study)
    return {name: round(float(share), 4) for name, share in found.items()}


def fail(sweep: SweepDirectory, error: RunError | ConfigError) -> None:
    """Let those who watch see why the search ended."""
    before = sweep.table()
    record = before.record() | {"problem": str(error)}
    sweep.write_table(table.SweepTable.from_record(record))
