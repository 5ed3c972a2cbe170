"""The fields of sequence-to-sequence tasks."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import Metric
from engine.config.tasks.plain_texts import PlainTextsConfig


class Seq2SeqConfig(PlainTextsConfig):
    """Columns, lengths, and how texts are written."""

    kind: Literal["seq2seq"] = "seq2seq"
    title = "Translation and summarisation"
    implementation = "engine.tasks.seq2seq:Seq2Seq"
    pipeline = "engine.pipelines.seq2seq:Seq2SeqPipeline"
    splits_by_column = True
    domain = "generation"
    models = ("transformer",)
    learns_tokens = True
    answers_untrained = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("bleu", help="BLEU of the texts written, 0 to 100, by sacrebleu"),
        Metric("chrf", help="chrF of the texts written, 0 to 100, by sacrebleu"),
        Metric("exact_match", percent=True, help="share of texts that are the reference"),
        Metric("loss", higher_is_better=False, help="cross-entropy in nats a token"),
    )

    source: str = option("", "Source column; empty finds it", column=True)
    target: str = option("", "Target column; empty finds it", column=True)
    prefix: str = option(
        "", "Prefix of each source, as in T5: translate English to French:", max_length=1000
    )
    source_language: str = option(
        "",
        "Language of the sources, for models of many languages: en, en_XX, eng_Latn; empty is the "
        "tokenizer's own",
        max_length=40,
        advanced=True,
    )
    target_language: str = option(
        "",
        "Language of the targets, for models of many languages: de, de_DE, deu_Latn; empty is the "
        "tokenizer's own",
        max_length=40,
        advanced=True,
    )
    max_source_length: int = option(
        128, "Maximum source length; longer ones are truncated", ge=4, le=1_000_000, unit="tokens"
    )
    max_target_length: int = option(
        128, "Maximum target length; longer ones are truncated", ge=2, le=1_000_000, unit="tokens"
    )
    label_smoothing: float = option(
        0.0, "Label smoothing: probability that is spread over all tokens", ge=0, lt=1
    )
    max_new_tokens: int = option(
        128, "Maximum number of generated tokens", ge=1, le=100_000, unit="tokens"
    )
    num_beams: int = option(
        1, "Beams of beam search, for results and predictions; 1 is greedy decoding", ge=1, le=100
    )
    length_penalty: float = option(
        1.0,
        "Length penalty of beam search: larger values give longer texts",
        ge=-10,
        le=10,
        advanced=True,
    )
    eval_rows: int = option(
        200, "Rows to generate in evaluations, by greedy decoding; 0 evaluates the loss only", ge=0
    )
    final_rows: int = option(2000, "Rows to generate for the final result", ge=0, advanced=True)
    bleu_tokenizer: Literal["13a", "intl", "zh", "char", "none"] = option(
        "13a", "Tokenizer of sacrebleu for BLEU", advanced=True
    )

    def metric(self, name: str = "") -> Metric:
        """Return the metric of this name; without generated texts the loss decides."""
        return super().metric(name or ("" if self.eval_rows else "loss"))
