"""The section that says what is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engine.config.metric import Metric
from engine.config.registry import TaggedSection


class TaskConfig(TaggedSection):
    """A task's fields, and what can be known of it without loading anything heavy."""

    pipeline: ClassVar[str] = ""
    """``package.module:name`` of its data pipeline, which a preview needs without the network."""
    domain: ClassVar[str] = ""
    """The list that shows it: vision, text, generation, time series or tabular."""
    models: ClassVar[tuple[str, ...]] = ()
    """Kinds of model that suit it; the first is the usual choice."""
    learns_tokens: ClassVar[bool] = False
    """Whether a sample has several tokens to learn, by which batches can be measured."""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """The metrics of an evaluation; the first decides which weights are best."""
    answers_untrained: ClassVar[bool] = False
    """Whether a pre-trained network does the task before it is trained: no part of it is new."""

    by_data: ClassVar[frozenset[str]] = frozenset()
    """Dotted names of fields that go by the data where they are empty."""

    splits_by_column: ClassVar[bool] = False
    """Whether its rows can be split by ``data.group``, ``data.time`` and ``data.folds``."""

    fine_tuning_rate: ClassVar[float] = 5e-5
    """The usual learning rate of a pre-trained network that is trained as a whole."""

    def anchored(self) -> TaskConfig:
        """The same with absolute paths: a run may be resumed from another folder."""
        return self

    converses: ClassVar[bool] = False
    """Whether its models write answers, so that one tries them in a conversation."""

    @property
    def extras(self) -> Mapping[str, str]:
        """The extra of this program that a field asks for as it is set, by the field's name.

        An extra is called as the package that it installs.
        """
        return {}

    @property
    def method(self) -> str:
        """The method by which it learns, where there is a choice of several."""
        return ""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of :attr:`metrics`."""
        return tuple(metric.name for metric in self.metrics)

    def metric(self, name: str = "") -> Metric:
        """The metric called ``name``; the deciding one for an empty name."""
        return next((m for m in self.metrics if m.name == name), self.metrics[0])
