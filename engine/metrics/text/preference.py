"""Metrics of preference tuning: the loss, the rewards of the answers, and who wins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.batches.source import Batch
from engine.config.tasks.preference import PreferenceConfig
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.text.preference_losses import Likelihoods, joined, losses, rewards
from engine.metrics.uncertainty.drawn_scores import Formula, ratio, summed_intervals
from engine.metrics.uncertainty.intervals import (
    Interval,
    area_interval,
    area_values,
    mean_interval,
    share_interval,
)
from engine.metrics.uncertainty.paired import PairedRows
from engine.reports.views import View

Measure = Callable[[nn.Module, Batch], Likelihoods]
Show = Callable[[pa.Table, Likelihoods], Sequence[View]]
"""Views of some rows, given the worst first."""
_SHOWN = 10


class PreferenceEvaluator(Evaluator):
    """Keeps the log-probabilities of all answers, of which the metrics are functions."""

    def __init__(self, section: PreferenceConfig, measure: Measure, show: Show) -> None:
        self._section = section
        self._measure = measure
        self._show = show
        self._parts: list[Likelihoods] = []
        self._rows: list[pa.Table] = []

    @override
    def update(self, network: nn.Module, batch: Batch) -> None:
        self._parts.append(self._measure(network, batch))
        if batch.rows is not None:
            self._rows.append(batch.rows)

    @override
    def compute(self, views: bool = False) -> Evaluation:
        if not self._parts:
            return Evaluation({})
        given = joined(self._parts)
        metrics = preference_metrics(given, self._section)
        rows = judged_answers(given, self._section, rewards(given, self._section))
        if not views:
            return Evaluation(metrics, rows=rows)
        shown: Sequence[View] = ()
        if self._rows:
            wrong = _wrongness(given, self._section)
            order = wrong.argsort(descending=True)[:_SHOWN]
            order = order[wrong[order] > 0]
            if len(order):
                worst = pa.concat_tables(self._rows).take(order.tolist())
                shown = self._show(worst, given.of(order))
        intervals = preference_intervals(given, self._section)
        return Evaluation(metrics, shown, intervals=intervals, rows=rows)


def preference_metrics(given: Likelihoods, section: PreferenceConfig) -> dict[str, float]:
    """Return the metrics over all rows; those of answers that are missing are not numbers."""
    good, bad = good_and_bad(rewards(given, section), given, section)
    logps = good_and_bad(given.answers, given, section)
    return {
        "loss": _mean(losses(given, section)),
        "accuracy": share_of_wins(good, bad, paired=section.loss != "kto"),
        "margin": _mean(good) - _mean(bad),
        "chosen_reward": _mean(good),
        "rejected_reward": _mean(bad),
        "chosen_logp": _mean(logps[0]),
        "rejected_logp": _mean(logps[1]),
    }


_FORMULAS: Mapping[str, Formula] = {
    "margin": lambda means: means[:, 0] / means[:, 4] - means[:, 1] / means[:, 5],
    "chosen_reward": ratio(0, 4),
    "rejected_reward": ratio(1, 5),
    "chosen_logp": ratio(2, 4),
    "rejected_logp": ratio(3, 5),
}
"""By sums of rewards and of log-probabilities of both sides, and by their numbers of answers."""


def preference_intervals(given: Likelihoods, section: PreferenceConfig) -> dict[str, Interval]:
    """Return intervals of the metrics over the rows."""
    values, sides = rewards(given, section), torch.ones_like(given.answers)
    if section.loss == "kto":
        good = given.desirable
        sides = torch.stack([good, ~good], 1).to(values)
        both = [part[:, :1].expand(-1, 2) for part in (values, given.answers)]
    else:
        both = [values, given.answers]
    parts = torch.cat([*(part * sides for part in both), sides], 1).double().numpy()
    found = summed_intervals(parts, _FORMULAS)
    return found | _loss_interval(given, section) | _accuracy_interval(given, section, values)


def _loss_interval(given: Likelihoods, section: PreferenceConfig) -> dict[str, Interval]:
    """Return the interval of the loss; that of ORPO has a mean over tokens in it."""
    rows = losses(given, section).double()
    if section.loss != "orpo":
        return mean_interval("loss", rows.numpy())
    text, tokens = given.text.double(), given.text_tokens.double()
    apart = rows - text.sum() / tokens.sum().clamp(min=1)
    parts = torch.stack([text, tokens, apart], 1).numpy()
    return summed_intervals(parts, {"loss": lambda means: means[:, 0] / means[:, 1] + means[:, 2]})


def _accuracy_interval(
    given: Likelihoods, section: PreferenceConfig, values: Tensor
) -> dict[str, Interval]:
    good, bad = good_and_bad(values, given, section)
    accuracy = share_of_wins(good, bad, paired=section.loss != "kto")
    if section.loss != "kto":
        return {"accuracy": share_interval(accuracy, len(good))}
    if not len(good) or not len(bad):
        return {}
    scores = np.stack([-values[:, 0].numpy(), values[:, 0].numpy()], 1)
    area = area_interval(scores, given.desirable.numpy().astype(np.int64), accuracy)
    return {} if area is None else {"accuracy": area}


def judged_answers(
    given: Likelihoods, section: PreferenceConfig, values: Tensor
) -> PairedRows | None:
    """Return which rows are right by ``values`` of the answers, to be held against others.

    Rows are known by their log-probabilities before the first update, which both evaluations have.
    """
    known = given.reference.double().numpy()
    keys = known.view(np.uint64)[:, 0] ^ known.view(np.uint64)[:, 1] * np.uint64(3)
    if section.loss == "kto":
        good = given.desirable.numpy()
        if good.all() or not good.any():
            return None
        lost = 1 - area_values(values[:, 0].double().numpy(), good)
        return PairedRows("lost", good.astype(np.int64), lost, keys=keys)
    wrong = (values[:, 0] <= values[:, 1]).double().numpy()
    return PairedRows("wrong", given.tokens.numpy(), wrong, keys=keys)


def evaluate_untuned(given: Likelihoods, section: PreferenceConfig) -> Evaluation:
    """Evaluate the network before the first update.

    Where it is its own reference all rewards are 0: the accuracy is that of its log-probabilities.
    """
    metrics = preference_metrics(given, section)
    values = given.answers if section.has_reference else rewards(given, section)
    good, bad = good_and_bad(values, given, section)
    metrics["accuracy"] = share_of_wins(good, bad, paired=section.loss != "kto")
    return Evaluation(metrics, rows=judged_answers(given, section, values))


def good_and_bad(
    values: Tensor, given: Likelihoods, section: PreferenceConfig
) -> tuple[Tensor, Tensor]:
    """Return values of both answers, ``[rows, 2]``, as those of good and of bad answers."""
    if section.loss == "kto":
        return values[given.desirable, 0], values[~given.desirable, 0]
    return values[:, 0], values[:, 1]


def share_of_wins(good: Tensor, bad: Tensor, paired: bool) -> float:
    """Return the share of pairs in which the good answer has the higher value.

    Where answers are not paired, that is of all pairs (the area under the ROC curve); ties win half
    there.
    """
    if paired:
        return _mean((good > bad).float())
    ordered = bad.sort().values
    below, until = (torch.searchsorted(ordered, good, right=right) for right in (False, True))
    return _mean((below + until).double() / 2) / len(bad) if len(bad) else math.nan


def _wrongness(given: Likelihoods, section: PreferenceConfig) -> Tensor:
    """Return how far each row is from what is wanted: the margin the wrong way round."""
    values = rewards(given, section)
    if section.loss == "kto":
        return torch.where(given.desirable, -values[:, 0], values[:, 0])
    return values[:, 1] - values[:, 0]


def _mean(values: Tensor) -> float:
    return float(values.double().mean()) if len(values) else math.nan
