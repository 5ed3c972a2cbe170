"""The network before the first update: evaluated once a run, to compare the trained one with."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from engine.batches.source import Source
from engine.config.metric import Metric
from engine.data.raw import VALIDATION
from engine.errors import TrainingFailed
from engine.metrics.evaluator import Evaluation
from engine.reports.side_by_side import beside_earlier
from engine.reports.views import read_view
from engine.runs.earlier_base import EarlierBase
from engine.runs.events import Log, finite_all
from engine.training.checkpoints.state import Ending
from engine.training.evaluation import Abandoned, SplitEvaluator
from engine.training.model_errors import model_errors
from engine.training.trainer_setup import Setup
from engine.training.validation import Validation


class Untrained:
    """Evaluates the network that a run begins with, as its conclusion evaluates the best one."""

    def __init__(
        self,
        setup: Setup,
        evaluator: SplitEvaluator,
        validation: Validation,
        splits: Mapping[str, Source | None],
    ) -> None:
        """``splits`` are those that decide on the result, the most decisive first."""
        self._setup = setup
        self._evaluator = evaluator
        self._validation = validation
        known = ((name, source) for name, source in splits.items() if source is not None)
        self._decisive = next(known, None)

    def evaluate_if_due(self) -> None:
        """Evaluate unless it was done before, by another run too, or is not wanted."""
        outlets = self._setup.outlets
        if self._setup.state.position.step == 0 and outlets.keep_untrained is not None:
            if (known := outlets.known_untrained()) is not None:
                self._take_over(known)
                return
            self._setup.group.call("evaluate_untrained")
            with model_errors():
                self.evaluate()
            if outlets.interrupted():
                self._setup.state.ending = Ending.INTERRUPTED

    def evaluate(self) -> None:
        """Evaluate, and keep the results unless the run is to end meanwhile."""
        if self._decisive is None:
            return
        begin, (split, source) = time.perf_counter(), self._decisive
        try:
            result = self._evaluator.evaluate(source, split, views=True, to_the_end=False)
        except Abandoned:
            return
        if split == VALIDATION:
            self._validation.run(result.metrics, time.perf_counter() - begin)
        else:
            self._validation.run()
        position = self._setup.state.position
        position.seconds = 0.0  # the time of training begins with the first update
        if position.evaluated_step == 0:
            self._keep(split, result, time.perf_counter() - begin)

    def _take_over(self, known: EarlierBase) -> None:
        """Record what another run has measured of the same network on the same rows."""
        report = self._setup.outlets.report
        report(Log(level="info", message=f"The results before training are those of {known.run}."))
        for event in known.events:
            report(event)
        self._setup.state.position.evaluated_step = 0
        self._write(dict(known.report))

    def _keep(self, split: str, result: Evaluation, seconds: float) -> None:
        self._write(
            {
                "split": split,
                "metrics": finite_all(result.metrics),
                "forgetting": finite_all(self._validation.forgetting),
                "views": [view.record() for view in result.views],
                "seconds": seconds,
            }
        )

    def _write(self, results: dict[str, Any]) -> None:
        keep = self._setup.outlets.keep_untrained
        if keep is None or not self._setup.group.leads:
            return
        try:
            keep(results)
        except OSError as error:
            raise TrainingFailed(f"Cannot write the results: {error.strerror}.") from error


def comparison(
    base: Mapping[str, Any] | None, result: Evaluation, decides: Metric
) -> dict[str, Any]:
    """Return a report's views, and the entry on the network before the first update if it is known.

    ``base`` is what :class:`Untrained` kept, ``result`` the evaluation of the same rows at the end.
    """
    views = [view.record() for view in result.views]
    if base is None:
        return {"base": None, "views": views}
    before, after = base["metrics"].get(decides.name), result.metrics.get(decides.name, math.nan)
    known = {name: base[name] for name in ("split", "metrics", "forgetting", "seconds")}
    better = before is None or decides.improves(after, before)
    earlier = [view for record in base["views"] if (view := read_view(record)) is not None]
    shown = [view.record() for view in beside_earlier(result.views, earlier)]
    return {"base": known | {"improved": better}, "views": shown}
