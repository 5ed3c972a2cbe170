"""Metrics of generated texts against references: BLEU and chrF by sacrebleu, exact match."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import sacrebleu
import torch
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF, CHRFScore
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.labels import IGNORED
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.uncertainty.drawn_scores import SummedScore
from engine.metrics.uncertainty.intervals import Floats, Interval, bootstrap, share_interval
from engine.metrics.uncertainty.paired import ScoredRows, text_keys
from engine.models.language.token_losses import summed_sequence_loss
from engine.reports.views import Cell, Table, Texts, View
from engine.text.generation.writing import sources_of

_SHOWN = 10
_CELL = 300
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """A source, what was written for it, and what is right."""

    source: str
    generated: str
    reference: str

    @property
    def chrf(self) -> float:
        """Sentence-level chrF, 0 to 100."""
        return float(sacrebleu.sentence_chrf(self.generated, [self.reference]).score)

    def record(self) -> dict[str, str]:
        """Return the record that samples and views show."""
        shown = {"source": self.source, "generated": self.generated, "reference": self.reference}
        return {name: text[:_CELL] or "—" for name, text in shown.items()}


def evaluate_texts(
    texts: Sequence[Written], tokenize: str = "13a", views: bool = False
) -> Evaluation:
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015) of all texts, 0 to 100; exact match.

    ``tokenize`` is how sacrebleu cuts words for BLEU. With ``views``, intervals too.
    """
    if not texts:
        return Evaluation({})
    generated = [text.generated for text in texts]
    references = [text.reference for text in texts]
    exact = sum(text.generated.strip() == text.reference.strip() for text in texts) / len(texts)
    bleu = _bleu(references, tokenize)
    chrf = CHRF()
    found = _chrf_score(chrf, generated, references, views)
    metrics = {
        "bleu": float(bleu.corpus_score(generated, [references]).score),
        "chrf": float(found.score),
        "exact_match": exact,
    }
    rows = _words_found(texts, bleu)
    if not views:
        return Evaluation(metrics, rows=rows)
    intervals = _bleu_interval(rows.score) | _chrf_interval(chrf, found)
    intervals |= {"exact_match": share_interval(exact, len(texts))}
    return Evaluation(metrics, text_views(texts), intervals=intervals, rows=rows)


def _words_found(texts: Sequence[Written], bleu: BLEU) -> ScoredRows[SummedScore]:
    """Return the n-grams that each text has in common with its reference, of which BLEU is made."""
    each = [bleu.corpus_score([text.generated], [[text.reference]]) for text in texts]
    parts = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in each]

    def formula(means: Floats) -> Floats:
        order, sums = bleu.max_ngram_order, means * len(texts)
        scores = []
        for row in sums.round().astype(np.int64).tolist():
            *counts, said, wanted = row
            right, whole = counts[:order], counts[order:]
            scores.append(
                BLEU.compute_bleu(
                    right, whole, said, wanted, smooth_method="exp", max_ngram_order=order
                ).score
            )
        return np.array(scores) / 100

    score = SummedScore(np.array(parts, np.float64), formula)
    keys = text_keys([text.source for text in texts])
    return ScoredRows("BLEU", score.parts[:, -1], score, keys)


def _bleu_interval(score: SummedScore) -> dict[str, Interval]:
    found = bootstrap(list(score.parts.T), {"bleu": score.formula})
    return {name: (100 * low, 100 * high) for name, (low, high) in found.items()}


def _chrf_score(
    chrf: CHRF, generated: Sequence[str], references: Sequence[str], views: bool
) -> CHRFScore:
    """Return the score, with ``views`` also sacrebleu's interval, where it can compute one."""
    if views:
        try:
            drawn: CHRFScore = chrf.corpus_score(generated, [references], n_bootstrap=_DRAWS)
            return drawn
        except TypeError:
            pass  # sacrebleu 2.6 cannot average scores of which some are 0 and others are not
    alone: CHRFScore = CHRF().corpus_score(generated, [references])
    return alone


def _chrf_interval(chrf: CHRF, found: CHRFScore) -> dict[str, Interval]:
    """Return the interval that sacrebleu found by its own bootstrap."""
    scores = json.loads(found.format(width=6, signature=str(chrf.get_signature()), is_json=True))
    middle, half = scores.get("confidence_mean"), scores.get("confidence_var")
    return {} if half is None else {"chrf": (float(middle - half), float(middle + half))}


def _bleu(references: Sequence[str], tokenize: str) -> BLEU:
    """BLEU of up to four words in a row, or of as many as the longest reference has.

    With four, texts that are all shorter have 0 however right they are, and no network would be
    better than another.
    """
    # ``force`` only suppresses the warning that texts look tokenised.
    bleu = BLEU(tokenize=tokenize, force=True)
    longest = max(len(bleu.tokenizer(reference).split()) for reference in references)
    return BLEU(tokenize=tokenize, force=True, max_ngram_order=min(4, max(1, longest)))


def text_views(texts: Sequence[Written]) -> list[View]:
    """Some texts beside their references, and those that are furthest from theirs."""
    if not texts:
        return []
    furthest = sorted(((text.chrf, text) for text in texts), key=lambda pair: pair[0])[:_SHOWN]
    rows: list[list[Cell]] = [[round(chrf, 1), *text.record().values()] for chrf, text in furthest]
    return [
        Texts("Generated texts", [text.record() for text in texts[:_SHOWN]]),
        Table("Furthest from their references", ["chrf", "source", "generated", "reference"], rows),
    ]


@dataclass(frozen=True, slots=True)
class Held:
    """A row that texts are to be written for."""

    place: int
    """Its place in a random order of all rows."""
    tokens: Tensor
    """The source's."""
    source: str
    reference: str


Write = Callable[[nn.Module, Sequence[Tensor], bool], list[str]]
"""Generates texts for the tokens of some sources; the flag marks the final evaluation."""


class TranslationEvaluator(Evaluator):
    """Sums nats with given targets (teacher forcing), then generates texts for some rows."""

    def __init__(
        self,
        write: Write,
        pairs: Callable[[pa.Table], tuple[Sequence[str], Sequence[str]]],
        rows: tuple[int, int],
        tokenize: str = "13a",
    ) -> None:
        """``pairs`` has sources and references of rows.

        ``rows`` is the number of generated texts: during training, and in the final evaluation.
        """
        self._write = write
        self._pairs = pairs
        self._rows = rows
        self._tokenize = tokenize
        self._network: nn.Module | None = None
        self._held: list[Held] = []
        self._sums: Tensor | None = None

    def update(self, network: nn.Module, batch: Batch) -> None:
        """Take in one batch."""
        self._network = network
        labels = batch.targets["labels"]
        nats = summed_sequence_loss(network, batch.inputs, labels)
        sums = torch.stack([nats, (labels != IGNORED).sum()])
        # Many small sums stay exact beside a large one.
        sums = sums.to(torch.float32 if sums.device.type == "mps" else torch.float64)
        self._sums = sums if self._sums is None else self._sums + sums
        self._hold(batch)

    def _hold(self, batch: Batch) -> None:
        rows = zip(
            batch.targets["places"],
            sources_of(batch.inputs),
            *self._pairs(batch.rows),
            strict=True,
        )
        self._held += [Held(*row) for row in rows if row[0] < max(self._rows)]

    def compute(self, views: bool = False) -> Evaluation:
        """Loss in nats a token; for some rows BLEU, chrF and exact match."""
        if self._sums is None or self._network is None:
            return Evaluation({})
        nats, tokens = self._sums.tolist()
        rows = self._rows[1] if views else self._rows[0]
        held = sorted((one for one in self._held if one.place < rows), key=lambda one: one.place)
        generated = self._write(self._network, [one.tokens for one in held], views) if held else []
        texts = [
            Written(one.source, text, one.reference)
            for one, text in zip(held, generated, strict=True)
        ]
        result = evaluate_texts(texts, self._tokenize, views)
        result.metrics["loss"] = nats / tokens
        return result
