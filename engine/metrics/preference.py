"""Metrics of preference tuning: the loss, the rewards of the answers, and who wins."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.batches.source import Batch
from engine.config.tasks.preference import PreferenceConfig
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.preference_losses import Likelihoods, joined, losses, rewards
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
        shown: Sequence[View] = ()
        if views and self._rows:
            wrong = _wrongness(given, self._section)
            order = wrong.argsort(descending=True)[:_SHOWN]
            order = order[wrong[order] > 0]
            if len(order):
                rows = pa.concat_tables(self._rows).take(order.tolist())
                shown = self._show(rows, given.of(order))
        return Evaluation(preference_metrics(given, self._section), shown)


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


def untuned_metrics(given: Likelihoods, section: PreferenceConfig) -> dict[str, float]:
    """Return the metrics of the network before the first update.

    Where it is its own reference all rewards are 0: the accuracy is that of its log-probabilities.
    """
    metrics = preference_metrics(given, section)
    if section.has_reference:
        good, bad = good_and_bad(given.answers, given, section)
        metrics["accuracy"] = share_of_wins(good, bad, paired=section.loss != "kto")
    return metrics


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
