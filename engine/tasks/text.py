"""Shared base of tasks on text: tokenizer, transformer, and how both are saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
from torch import Tensor, nn
from typing_extensions import override

from engine.batches.source import Batch, Source
from engine.models.build import build_model
from engine.models.shapes import TextHead, TextShape
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.explanation import Explanation
from engine.tasks.deployment import Deployment
from engine.tasks.explanations.text import explain_text
from engine.tasks.network_files import NetworkFiles
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.task import Task
from engine.text.tokens.any_tokenizer import content_of, vocabulary_of

_SHOWN = 5
"""Samples for the monitor."""
F = TypeVar("F", bound=TextFitted)


class TextTask(Task[F]):
    """A task on a transformer. Subclasses define its head and its classes."""

    pipeline: TextPipeline[F]
    head: ClassVar[TextHead]

    def labels(self, fitted: F) -> Sequence[str]:
        """Names of the classes, for heads that classify."""
        del fitted
        return ()

    def shape(self, fitted: F) -> TextShape:
        """Return the shapes of the network's inputs and outputs."""
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        return TextShape(
            head=self.head,
            vocabulary=vocabulary_of(tokenizer),
            max_length=fitted.max_length,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            labels=tuple(self.labels(fitted)),
        )

    def cache_key(self, fitted: F) -> list[object]:
        """Return what tokenised data depends on besides the rows."""
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        reading = "plain" if tokenizer.split_special_tokens else "special"
        return [self.head, fitted.max_length, content_of(tokenizer), reading]

    def build_network(self, fitted: F) -> nn.Module:
        """The network of the model section, with this task's head."""
        return build_model(self.config.model, self.shape(fitted))

    @override
    def files(self, fitted: F) -> NetworkFiles:
        """A folder as transformers writes it, with the tokenizer."""
        return NetworkFiles(
            of_library=True,
            companions=lambda folder: self.pipeline.tokenizer(fitted.tokenizer).save_pretrained(
                folder
            ),
        )

    @override
    def deployment(self) -> Deployment:
        """By the names that transformers has."""
        return Deployment(arguments=lambda batch: ((), dict(batch.inputs)))

    def samples(self, network: nn.Module, source: Source, fitted: F) -> ShownSamples:
        """The first few rows, what the network makes of them, and what is true."""
        plan = source.plan(_SHOWN)[:1]
        batch = next(source.read(plan), None)
        if batch is None or batch.rows is None:
            return ShownSamples()
        records = self.predict(network, batch, fitted)
        return ShownSamples(self.shown(batch.rows, records, fitted)[:_SHOWN])

    def explained_columns(self, fitted: F) -> Sequence[str]:
        """Return the one or two columns of text whose words are weighed; empty for none."""
        del fitted
        return ()

    def probabilities(self, fitted: F) -> Callable[[Tensor], Tensor] | None:
        """Return what makes probabilities of logits ``[…, classes]``; ``None`` if they are none."""
        del fitted
        return None

    @override
    def explain(
        self, network: nn.Module, batch: Batch, fitted: F, target: str
    ) -> Explanation | None:
        columns = self.explained_columns(fitted)
        if not columns or batch.rows is None:
            return None
        texts = [str(batch.rows[name][0].as_py() or "") for name in columns]
        names = list(self.labels(fitted))
        tokenizer = self.pipeline.tokenizer(fitted.tokenizer)
        read = (tokenizer, texts)
        return explain_text(network, batch.inputs, read, names, target, self.probabilities(fitted))

    def shown(
        self, rows: pa.Table, records: list[dict[str, Any]], fitted: F
    ) -> list[dict[str, str]]:
        """Rows beside their predictions, as short texts."""
        raise NotImplementedError
