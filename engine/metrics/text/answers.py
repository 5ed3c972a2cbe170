"""Answers from a network's outputs for windows, and their metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.batches.source import Batch
from engine.files.sanitize import plain
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.gathered import Gathered
from engine.metrics.text.squad import answer_f1, exact_match
from engine.metrics.uncertainty.drawn_scores import ratio, summed_intervals
from engine.metrics.uncertainty.intervals import mean_interval
from engine.metrics.uncertainty.paired import PairedRows, text_keys
from engine.reports.views import Cell, Table, Texts, View

_SHOWN = 20
_AROUND = 60
"""Characters of the context that are shown on both sides of an answer."""


@dataclass(frozen=True, slots=True)
class Span:
    """An answer as characters of its context; empty where there is none."""

    start: int
    end: int
    score: float
    """Probability that the network gives to it in its window."""


def best_spans(
    start: Tensor, end: Tensor, allowed: Tensor, longest: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The pair of tokens with the largest sum of logits in each window: sum, first, last.

    ``start``, ``end`` are ``[windows, tokens]``, ``allowed`` says which tokens an answer may have.
    All pairs are considered, not only those of a few likeliest tokens.
    """
    width = start.shape[1]
    sums = start.unsqueeze(2) + end.unsqueeze(1)
    possible = torch.ones(width, width, dtype=torch.bool, device=start.device)
    possible = possible.triu() & ~possible.triu(longest)
    both = allowed.unsqueeze(2) & allowed.unsqueeze(1) & possible
    best, place = sums.masked_fill(~both, -torch.inf).flatten(1).max(1)
    return best, place // width, place % width


class Answers:
    """The best answer of each window, kept on the device until it is asked for."""

    def __init__(self, longest: int, may_lack: bool) -> None:
        """``longest`` answer in tokens; ``may_lack`` allows that a question has none."""
        self._longest = longest
        self._may_lack = may_lack
        self._windows: list[tuple[Tensor, list[int]]] = []

    def add(self, start: Tensor, end: Tensor, targets: dict[str, Tensor]) -> None:
        """Take in the logits of windows; ``targets`` are those of the batch."""
        starts, ends = targets["starts"], targets["ends"]
        best, first, last = best_spans(start, end, starts >= 0, self._longest)
        null = targets["null"].unsqueeze(1)
        lacking = (start.gather(1, null) + end.gather(1, null)).squeeze(1)
        likelihood = best - start.logsumexp(1) - end.logsumexp(1)
        columns = (
            best, lacking, likelihood,
            starts.gather(1, first.unsqueeze(1)).squeeze(1),
            ends.gather(1, last.unsqueeze(1)).squeeze(1),
        )  # fmt: skip
        kept = torch.stack([column.double() for column in columns], 1)
        self._windows.append((kept, list(targets["row"])))

    def spans(self) -> list[Span]:
        """One a question, in the order in which they came."""
        found: list[Span] = []
        for windows, questions in self._windows:
            grouped: list[list[list[float]]] = [[] for _ in range(max(questions, default=-1) + 1)]
            for window, question in zip(windows.tolist(), questions, strict=True):
                grouped[question].append(window)
            found += [self._chosen(group) for group in grouped]
        return found

    def _chosen(self, windows: list[list[float]]) -> Span:
        best, _, likelihood, start, end = max(windows)
        lacking = min(window[1] for window in windows)
        if best == -torch.inf or (self._may_lack and lacking > best):
            return Span(0, 0, 0.0)
        return Span(int(start), int(end), float(torch.tensor(likelihood).exp()))


def position_loss(start: Tensor, end: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Mean over windows of the cross-entropies of first and last token, halved."""
    return (F.cross_entropy(start, targets["first"]) + F.cross_entropy(end, targets["last"])) / 2


def window_losses(start: Tensor, end: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Return the terms of :func:`position_loss`, ``[windows]``."""
    first = F.cross_entropy(start, targets["first"], reduction="none")
    return (first + F.cross_entropy(end, targets["last"], reduction="none")) / 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its context and its references."""

    question: str
    context: str
    references: list[str]


class AnswerEvaluator(Evaluator):
    """Exact match and F1 by the definition of SQuAD."""

    def __init__(
        self, longest: int, may_lack: bool, asked_of: Callable[[pa.Table], list[Asked]]
    ) -> None:
        self._answers = Answers(longest, may_lack)
        self._asked_of = asked_of
        self._asked: list[Asked] = []
        self._losses = Gathered()
        self._windows: list[int] = []

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in the windows of some questions."""
        output = network(**batch.inputs)
        start, end = output.start_logits.float(), output.end_logits.float()
        self._answers.add(start, end, batch.targets)
        self._losses.add(window_losses(start, end, batch.targets))
        self._windows += [len(self._asked) + row for row in batch.targets["row"]]
        self._asked += self._asked_of(batch.rows)

    def compute(self, views: bool = False) -> Evaluation:
        """Metrics are means over questions, the loss is one over windows."""
        spans = self._answers.spans()
        said = [
            one.context[span.start : span.end] for one, span in zip(self._asked, spans, strict=True)
        ]
        losses = self._losses.joined().double().numpy()
        matches, scores = _scored(self._asked, said)
        result = _evaluation(self._asked, matches, scores)
        result.metrics["loss"] = float(losses.mean())
        if not views:
            return result
        questions = len(self._asked)
        windows = [np.bincount(self._windows, weights, questions) for weights in (losses, None)]
        own = summed_intervals(np.stack(windows, 1), {"loss": ratio(0, 1)})
        intervals = mean_interval("f1", np.array(scores)) | mean_interval(
            "exact_match", np.array(matches)
        )
        shown = _views(self._asked, said, spans, matches, scores)
        return replace(result, views=shown, intervals=intervals | own)


def evaluate_answers(asked: Sequence[Asked], said: Sequence[str]) -> Evaluation:
    """Return the metrics of what was answered, means over the questions."""
    return _evaluation(asked, *_scored(asked, said))


def _evaluation(
    asked: Sequence[Asked], matches: Sequence[float], scores: Sequence[float]
) -> Evaluation:
    rows = PairedRows(
        "lost", np.array([len(one.references) for one in asked]), 1 - np.array(scores), "F1",
        text_keys([f"{one.question}\0{one.context}" for one in asked]),
    )  # fmt: skip
    return Evaluation({"f1": _mean(scores), "exact_match": _mean(matches)}, rows=rows)


def _scored(asked: Sequence[Asked], said: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return exact match and F1 of each answer."""
    pairs = list(zip(said, asked, strict=True))
    return (
        [exact_match(text, one.references) for text, one in pairs],
        [answer_f1(text, one.references) for text, one in pairs],
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _views(
    asked: Sequence[Asked],
    said: Sequence[str],
    spans: Sequence[Span],
    matches: Sequence[float],
    scores: Sequence[float],
) -> list[View]:
    def rows() -> list[list[Cell]]:
        result: list[list[Cell]] = []
        for name, has in (("with an answer", True), ("without an answer", False)):
            kept = [i for i, one in enumerate(asked) if bool(one.references) is has]
            if kept:
                means = [_mean([part[i] for i in kept]) for part in (matches, scores)]
                result.append([name, *(round(mean, 4) for mean in means), len(kept)])
        return result

    def items(numbers: Sequence[int]) -> list[dict[str, str]]:
        return [
            {
                "question": asked[i].question,
                "predicted": said[i] or "—",
                "reference": " / ".join(dict.fromkeys(asked[i].references)) or "—",
                "context": _extract(asked[i], spans[i]),
            }
            for i in numbers
        ]

    # Mistakes whose answers it found likeliest come first.
    wrong = sorted((i for i in range(len(asked)) if not scores[i]), key=lambda i: -spans[i].score)
    right = [i for i in range(len(asked)) if matches[i]]
    return [
        Table("Questions", ["kind", "exact match", "f1", "questions"], rows()),
        Texts("Worst mistakes", items(wrong[:_SHOWN])),
        Texts("Right answers", items(right[:_SHOWN])),
    ]


def _extract(one: Asked, span: Span) -> str:
    """The context around an answer, with an ellipsis where it is cut off."""
    begin, end = max(0, span.start - _AROUND), span.end + _AROUND
    before, after = "…" * (begin > 0), "…" * (end < len(one.context))
    return plain(before + one.context[begin:end] + after, 4 * _AROUND)
