"""Evaluations on the validation split during training: the best weights, and early stopping."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict
from statistics import median
from typing import Any

from engine.batches.source import Source
from engine.config.metric import LOSS, Metric
from engine.data.raw import VALIDATION
from engine.runs.events import FORGETTING, Evaluated, SamplePictures, Samples, finite, finite_all
from engine.tasks.task import Task
from engine.training.checkpoints.state import Best, Ending
from engine.training.evaluation import Abandoned, SplitEvaluator
from engine.training.lr_schedule import Schedule
from engine.training.progress import ProgressReports
from engine.training.trainer_setup import Setup

_NEWEST = 5
"""Validations by which the time of the next one is estimated."""


class Validation:
    """Evaluates when it is due, keeps the best weights, counts evaluations without improvement."""

    def __init__(
        self,
        setup: Setup,
        source: Source | None,
        schedule: Schedule,
        progress: ProgressReports,
        evaluator: SplitEvaluator,
        forgetting: Source | None = None,
    ) -> None:
        """``forgetting`` is a text of another kind, which decides nothing."""
        self._setup = setup
        self._state = setup.state
        self._source = source
        self._other_text = forgetting
        self.seconds = self.total_seconds = 0.0
        """Seconds of a validation, and of all of this process in the run's own time.

        It is the median of the newest: a single one may have waited for the disk.
        """
        self._newest: deque[float] = deque(maxlen=_NEWEST)
        self.forgetting: dict[str, float] = {}
        """Metrics on that text at the newest evaluation."""
        self._schedule = schedule
        self._progress = progress
        self._evaluator = evaluator
        self._metric = deciding_metric(setup.task)
        self._pictured = False

    def due(self) -> bool:
        """Return whether the network is to be evaluated after the updates so far."""
        position, every = self._state.position, self._setup.config.eval_steps
        if position.step == 0:
            return False
        due = position.step % every == 0 if every else position.batch == 0
        return due or position.step >= self._schedule.steps

    def stopped_improving(self) -> bool:
        """Return whether there were as many evaluations without improvement as are allowed."""
        patience = self._setup.config.early_stopping_patience
        return patience > 0 and self._state.position.stale >= patience

    def run(self, known: dict[str, float] | None = None, seconds: float = 0.0) -> None:
        """Evaluate and report; returns early when the run is to end.

        ``known`` are the metrics on the validation split, where these weights were evaluated on it
        just before, in ``seconds``.
        """
        begin = time.perf_counter() - seconds
        self._progress.tick()
        trained = self._state.position.seconds
        try:
            metrics = self._metrics(self._source, VALIDATION) if known is None else known
            self.forgetting = self._metrics(self._other_text, FORGETTING)
        except Abandoned:
            return
        position = self._state.position
        again, position.evaluated_step = position.evaluated_step == position.step, position.step
        self._progress.tick()
        self._report(metrics, again)
        self._report_forgetting(self.forgetting)
        if self._source is not None:
            self._show_samples(self._source)
        self._newest.append(time.perf_counter() - begin)
        self.seconds = median(self._newest)
        self._progress.tick()
        self.total_seconds += self._state.position.seconds - trained
        self._progress.meter.restart_clock()

    def _metrics(self, source: Source | None, split: str) -> dict[str, float]:
        """Evaluate a split, if there is one. Raises :class:`Abandoned`."""
        if source is None:
            return {}
        return self._evaluator.evaluate(source, split, to_the_end=False).metrics

    def _report_forgetting(self, metrics: dict[str, float]) -> None:
        position = self._state.position
        if metrics:
            self._setup.outlets.report(
                Evaluated(
                    step=position.step,
                    epoch=self._schedule.epochs_done,
                    split=FORGETTING,
                    metrics=finite_all(metrics),
                    seconds=position.seconds,
                )
            )

    def _report(self, metrics: dict[str, float], again: bool) -> None:
        position = self._state.position
        train_loss = position.loss_sum / position.loss_weight if position.loss_weight else None
        position.loss_sum = position.loss_weight = 0.0
        self._setup.outlets.report(
            Evaluated(
                step=position.step,
                epoch=self._schedule.epochs_done,
                split=VALIDATION,
                metrics=finite_all(metrics),
                train_loss=None if train_loss is None else finite(train_loss),
                best=self._note_best(metrics, again),
                seconds=position.seconds,
            )
        )

    def _note_best(self, metrics: dict[str, float], again: bool) -> bool:
        """Keep the weights if they are the best so far; ``again`` if they were evaluated before.

        A request for another evaluation of the same weights does not take from the patience.
        """
        state = self._state
        if state.position.step == 0:
            return False  # a run keeps the best of what it trained, and says so if none is better
        value = metrics.get(self._metric.name, float("nan"))
        before = None if state.best is None else state.best.value
        improved = self._setup.group.decision(self._metric.improves(value, before))
        best = improved or self._setup.group.decision(self._equal_with_less_loss(value, metrics))
        if best:
            step, epoch = state.position.step, self._schedule.epochs_done
            state.best = Best(value, step, epoch, state.weights(), metrics)
        counts = bool(metrics) and not again
        state.position.stale = 0 if improved else state.position.stale + counts
        if not improved and self.stopped_improving() and state.ending is None:
            state.ending = Ending.EARLY
        return best

    def _equal_with_less_loss(self, value: float, metrics: dict[str, float]) -> bool:
        """Return whether these weights are as good as the best, at a lower loss.

        On few rows, or early, many evaluations have one accuracy, or a BLEU of 0.
        """
        best = self._state.best
        before = None if best is None else best.metrics.get(LOSS.name)
        if best is None or before is None or value != best.value:
            return False
        return LOSS.improves(metrics.get(LOSS.name, float("nan")), before)

    def _show_samples(self, source: Source) -> None:
        try:
            shown = self._evaluator.samples(source, VALIDATION)
        except Abandoned:
            return
        if not shown.texts:
            return
        if shown.inputs and not self._pictured:  # the same at each evaluation
            self._setup.outlets.report(SamplePictures(pictures=list(map(asdict, shown.inputs))))
        self._pictured = True
        self._setup.outlets.report(
            Samples(
                step=self._state.position.step,
                split=VALIDATION,
                items=list(shown.texts),
                pictures=list(map(asdict, shown.outputs)),
            )
        )


def deciding_metric(task: Task[Any]) -> Metric:
    """Return the metric that decides on the best weights."""
    return task.config.task.metric(task.config.train.metric_for_best_model)
