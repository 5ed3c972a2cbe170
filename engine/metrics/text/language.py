"""Metrics of next-token prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.reports.views import View


class LanguageEvaluator(Evaluator):
    """Sums nats, hits, tokens and characters on the device."""

    shows_first_batch = True

    def __init__(
        self,
        measure: Callable[[nn.Module, Batch], Tensor],
        views: Callable[[nn.Module, Batch], Sequence[View]],
    ) -> None:
        """``measure`` gives nats, hits and tokens of a batch, see :func:`token_sums`.

        ``views`` shows what the network makes of a batch; it is asked for the first one.
        """
        self._measure = measure
        self._views = views
        self._first: tuple[nn.Module, Batch] | None = None
        self._sums: Tensor | None = None
        self._characters = 0.0

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._first = self._first or (network, batch)
        sums = self._measure(network, batch)
        self._sums = sums if self._sums is None else self._sums + sums
        self._characters += batch.targets["characters"]

    def compute(self, views: bool = False) -> Evaluation:
        """Loss in nats a token, and what follows from it."""
        if self._sums is None or self._first is None:
            return Evaluation({})
        nats, hits, tokens = self._sums.tolist()
        metrics = language_metrics(nats, tokens, self._characters)
        metrics["accuracy"] = hits / tokens if tokens else math.nan
        return Evaluation(metrics, self._views(*self._first) if views else ())


def language_metrics(nats: float, tokens: float, characters: float) -> dict[str, float]:
    """Means over tokens and over characters, and the perplexity."""
    loss = nats / tokens if tokens else math.nan
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "nats_per_character": nats / characters if characters else math.nan,
    }


def frequency_metrics(
    seen: NDArray[np.int32], tokens: NDArray[np.int32], vocabulary: int, characters: float
) -> dict[str, float]:
    """Metrics of foretelling each token by how often it was ``seen``, with one more for each."""
    counts = np.bincount(seen, minlength=vocabulary) + 1.0
    surprise = -np.log(counts / counts.sum())
    metrics = language_metrics(float(surprise[tokens].sum()), len(tokens), characters)
    return metrics | {"accuracy": float((tokens == counts.argmax()).mean())}
