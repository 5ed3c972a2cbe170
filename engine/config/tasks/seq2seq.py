"""The fields of sequence-to-sequence tasks."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.base import TaskConfig


class Seq2SeqConfig(TaskConfig):
    """Columns, lengths, and how texts are written."""

    kind: Literal["seq2seq"] = "seq2seq"
    title = "Translation and summarisation"
    implementation = "engine.tasks.seq2seq:Seq2Seq"
    domain = "generation"
    models = ("transformer",)
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("bleu", help="BLEU of the texts written, 0 to 100, by sacrebleu"),
        Metric("chrf", help="chrF of the texts written, 0 to 100, by sacrebleu"),
        Metric("exact_match", percent=True, help="share of texts that are the reference"),
        Metric("loss", higher_is_better=False, help="cross-entropy in nats a token"),
    )

    source: str = option("", "Column to read; empty finds it", column=True)
    target: str = option("", "Column to write; empty finds it", column=True)
    prefix: str = option(
        "", "Put before each source, as T5 has it: translate English to French:", max_length=1000
    )
    max_source_length: int = option(
        128, "Longer sources are cut", ge=4, le=1_000_000, unit="tokens"
    )
    max_target_length: int = option(
        128, "Longer targets are cut", ge=2, le=1_000_000, unit="tokens"
    )
    label_smoothing: float = option(
        0.0, "Share of the target that is spread over all tokens", ge=0, lt=1
    )
    max_new_tokens: int = option(
        128, "Longest text that is written", ge=1, le=100_000, unit="tokens"
    )
    num_beams: int = option(
        1, "Beams for results and predictions; 1 takes the likeliest token", ge=1, le=100
    )
    length_penalty: float = option(
        1.0, "With beams: the larger, the longer the texts", ge=-10, le=10, advanced=True
    )
    eval_rows: int = option(
        200, "Rows that are written, without beams, in evaluations; 0 goes by the loss", ge=0
    )
    final_rows: int = option(2000, "Rows that are written for the end result", ge=0, advanced=True)
    bleu_tokenizer: Literal["13a", "intl", "zh", "char", "none"] = option(
        "13a", "How sacrebleu cuts words for BLEU", advanced=True
    )

    def metric(self, name: str = "") -> Metric:
        """As :meth:`TaskConfig.metric`; without written texts the loss decides."""
        return super().metric(name or ("" if self.eval_rows else "loss"))
