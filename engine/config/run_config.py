"""The one schema of an experiment: presets, forms, command lines and records are all this type.

    config = RunConfig.parse({"data": {...}, "task": {...}, "model": {...}})
    config.train.learning_rate
    config = config.override(["train.learning_rate=3e-4", "model.kind=mlp"])

Every wrong value becomes one :class:`~engine.errors.Problem` with the dotted name of its field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engine.config.adapter import AdapterConfig
from engine.config.compute import ComputeConfig
from engine.config.data.base import DataConfig
from engine.config.data.registry import DATA
from engine.config.fields import FieldSpec, Section, describe, option, spec_of
from engine.config.models.base import ModelConfig
from engine.config.models.registry import MODELS, models_of
from engine.config.overrides import NO_FIELD, Tree, apply_override, problems_of
from engine.config.registry import Registry
from engine.config.tasks.base import TaskConfig
from engine.config.tasks.registry import TASKS
from engine.config.train import FROM_SCRATCH, TrainConfig
from engine.errors import ConfigError, Problem
from engine.files.slugs import NAME_PATTERN

REGISTRIES: Mapping[str, Registry[Any]] = {"task": TASKS, "data": DATA, "model": MODELS}
"""The sections whose class depends on their ``kind``, in the order in which a person chooses."""


_NAMED_KINDS = 4


class RunConfig(Section):
    """A whole experiment: what is learned, from what, by which network, and how."""

    name: str = option("run", "Name of the run", pattern=f"^{NAME_PATTERN}$")
    title: str = option("", "Title: a line about the experiment, for lists", max_length=200)
    task: SerializeAsAny[TaskConfig]
    data: SerializeAsAny[DataConfig]
    model: SerializeAsAny[ModelConfig]
    adapter: AdapterConfig = Field(default_factory=AdapterConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    compute: ComputeConfig = Field(default_factory=ComputeConfig)

    @field_validator("task", mode="before")
    @classmethod
    def _task(cls, value: Any) -> Any:
        return TASKS.parse(value)

    @field_validator("data", mode="before")
    @classmethod
    def _data(cls, value: Any) -> Any:
        return DATA.parse(value)

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: Any) -> Any:
        return MODELS.parse(value)

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        if self.model.kind not in self.task.models and self.task.kind not in self.model.tasks:
            allowed = ", ".join(models_of(self.task.kind))
            raise PydanticCustomError(
                "mismatch",
                "{kind} does not suit the task {task} (there is {allowed})",
                {
                    "field": "model.kind",
                    "kind": self.model.kind,
                    "task": self.task.kind,
                    "allowed": allowed,
                },
            )
        metric = self.train.metric_for_best_model
        if metric and metric not in self.task.metric_names:
            raise PydanticCustomError(
                "mismatch",
                "{metric} is not a metric of the task {task} (there is {allowed})",
                {
                    "field": "train.metric_for_best_model",
                    "metric": metric,
                    "task": self.task.kind,
                    "allowed": ", ".join(self.task.metric_names),
                },
            )
        return self

    @model_validator(mode="after")
    def _batches_have_a_size(self) -> RunConfig:
        if self.train.batch_tokens is None:
            return self
        if not self.task.learns_tokens:
            raise PydanticCustomError(
                "mismatch",
                "the task {task} does not learn tokens; use train.batch_size",
                {"field": "train.batch_tokens", "task": self.task.kind},
            )
        if self.train.auto_batch_size:
            raise PydanticCustomError(
                "mismatch",
                "it replaces the batch size that train.auto_batch_size would choose; set one of "
                "the two",
                {"field": "train.batch_tokens"},
            )
        return self

    @model_validator(mode="after")
    def _splits_by_columns(self) -> RunConfig:
        data = self.data
        named = next((name for name in ("group", "time", "folds") if getattr(data, name)), "")
        if named and not self.task.splits_by_column:
            raise PydanticCustomError(
                "mismatch",
                "the task {task} has splits of its own",
                {"field": f"data.{named}", "task": self.task.kind},
            )
        if data.folds and data.time:
            raise PydanticCustomError(
                "mismatch",
                "folds are cut at random; with data.time the test split is the end",
                {"field": "data.folds"},
            )
        if data.fold > (data.folds or 1):
            raise PydanticCustomError(
                "mismatch",
                "there is no fold {fold}, as data.folds is {folds}",
                {"field": "data.fold", "fold": data.fold, "folds": data.folds or "empty"},
            )
        return self

    @property
    def evaluates_base(self) -> bool:
        """Whether the network is evaluated before the first update."""
        chosen = self.train.evaluate_base
        meaningful = self.task.answers_untrained and not self.model.from_scratch
        return meaningful if chosen == "auto" else chosen == "on"

    @property
    def by_data(self) -> frozenset[str]:
        """The dotted names of fields that go by the data where they are empty."""
        return self.task.by_data | self.model.by_data

    @property
    def usual_rate(self) -> float:
        """The learning rate where none is set: by the method, and what the network begins with.

        An adapter takes about ten times that of the whole network (Schulman et al. 2025, LoRA
        without regret).
        """
        if self.train.optimizer == "sgd":
            return FROM_SCRATCH
        if self.model.from_scratch or self.model.head_only:
            return self.model.scratch_rate
        return self.task.fine_tuning_rate * (10 if self.adapter.active else 1)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RunConfig:
        """Validate a nested mapping; raises :class:`ConfigError` with one problem a field."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = problems_of(error, values, fields_of(values))
            raise ConfigError([_of_other_kinds(problem, values) for problem in problems]) from None

    def anchored(self) -> RunConfig:
        """The same with absolute paths: a run may be resumed from another folder."""
        sections = ("task", "data", "model")
        update = {name: getattr(self, name).anchored() for name in sections}
        return self.model_copy(update=update)

    def override(self, assignments: Sequence[str]) -> RunConfig:
        """A new configuration with ``field=value`` texts applied in order.

        Changing the ``kind`` of a section starts that section afresh. Raises
        :class:`ConfigError`.
        """
        return parse_overridden(self.values(), assignments)

    def values(self) -> Tree:
        """The configuration as nested dictionaries; fields that are empty are left out."""
        return self.model_dump(mode="json", exclude_none=True)

    def changes(self) -> Tree:
        """Return :meth:`values` without fields at their defaults; kinds are always kept."""
        changed = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        for section in REGISTRIES:
            changed.setdefault(section, {})
            changed[section] = {"kind": getattr(self, section).kind} | changed[section]
        return changed


_NAMED_BY = frozenset({"task.kind", "data.kind", "data.name", "data.path"})
"""Fields after whose change the title of a preset is wrong."""


def parse_overridden(values: Mapping[str, Any], assignments: Sequence[str]) -> RunConfig:
    """Validate a nested mapping with ``field=value`` texts applied.

    Raises :class:`ConfigError` with what is wrong in the texts and in the fields.
    """
    result: Tree = {
        key: dict(part) if isinstance(part, Mapping) else part for key, part in values.items()
    }
    problems: list[Problem] = []
    # Kinds first: they decide which other fields exist and how a value is read.
    for text in sorted(assignments, key=lambda text: not text.partition("=")[0].endswith(".kind")):
        apply_override(result, text, fields_of(result), problems)
    given = {text.partition("=")[0].strip() for text in assignments}
    if given & _NAMED_BY and "title" not in given:
        result.pop("title", None)  # it is about other data
    try:
        config = RunConfig.parse(result)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError([_of_other_kinds(problem, result) for problem in problems])
    return config


def fields_of(values: Mapping[str, Any]) -> dict[str, FieldSpec]:
    """All fields that a configuration with these kinds has, by dotted name."""
    return {spec.name: spec for spec in _fields(values)}


def _fields(values: Mapping[str, Any]) -> Iterator[FieldSpec]:
    for name, info in RunConfig.model_fields.items():
        if name in REGISTRIES:
            yield _kind_spec(name)
            part = values.get(name)
            kind = part.get("kind") if isinstance(part, Mapping) else None
            if isinstance(kind, str) and kind in REGISTRIES[name]:
                section: type[Section] = REGISTRIES[name][kind]
                yield from describe(section, name)
        elif isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from describe(info.annotation, name)
        else:
            yield spec_of(name, info)


def _of_other_kinds(problem: Problem, values: Mapping[str, Any]) -> Problem:
    """Name the kinds of a section that have a field which its own kind lacks."""
    section = problem.field.partition(".")[0]
    part = values.get(section)
    if not problem.message.startswith(NO_FIELD) or not isinstance(part, Mapping):
        return problem
    registry: Mapping[str, Any] = REGISTRIES.get(section, {})
    kinds = [
        kind
        for kind in registry
        if any(spec.name == problem.field for spec in describe(registry[kind], section))
    ]
    if not kinds or part.get("kind") not in registry:
        return problem
    has = "has" if len(kinds) == 1 else "have"
    named = ", ".join(kinds[:_NAMED_KINDS]) + ", …" * (len(kinds) > _NAMED_KINDS)
    where = f"{section}.kind={part['kind']}"
    return Problem(problem.field, f"{where} has no such field; {named} {has} it")


def _kind_spec(section: str) -> FieldSpec:
    registry = REGISTRIES[section]
    return FieldSpec(
        name=f"{section}.kind",
        kind="choice",
        default=None,
        help=f"Which {registry.noun}",
        choices=tuple(registry),
    )
