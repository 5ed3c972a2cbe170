"""The search space of a sweep, from texts such as ``1e-5..1e-3:log`` and ``4,8,16``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.config.fields import FieldSpec
from engine.config.overrides import look_up, parse_value
from engine.config.run_config import RunConfig, fields_of
from engine.errors import ConfigError, Problem

_LOG = ":log"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, each as it is typed on a command line."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two, both included."""

    field: str
    low: float
    high: float
    log: bool = False
    """Whether each factor is as likely as another, rather than each difference."""
    whole: bool = False

    def text(self, value: float) -> str:
        """A value of it as it is typed on a command line, rounded but not out of the range."""
        if self.whole:
            return str(round(value))
        # Four digits of the width: 0.99996 of 0.999..0.99999 is neither 1 nor its neighbours.
        wide = max(abs(self.low), abs(self.high)) / (self.high - self.low)
        text = f"{value:.{4 + math.floor(math.log10(max(1.0, wide)))}g}"
        return text if self.low <= float(text) <= self.high else repr(value)


Dimension = Choice | Range


def read_space(config: RunConfig, texts: Mapping[str, str]) -> list[Dimension]:
    """The dimensions by field; raises :class:`ConfigError` with one problem a field."""
    fields = fields_of(config.values())
    dimensions: list[Dimension] = []
    problems: list[Problem] = []
    for name, text in texts.items():
        found = _dimension(config, name, text, fields.get(name))
        if isinstance(found, Problem):
            problems.append(found)
        else:
            dimensions.append(found)
    if problems:
        raise ConfigError(problems)
    return dimensions


def is_space(text: str, spec: FieldSpec | None) -> bool:
    """Whether the right side of ``field=…`` names more than one value."""
    if spec is None or spec.kind == "text":
        return "|" in text
    return ".." in text or "|" in text or ("," in text and spec.kind != "list")


def place(config: RunConfig, dimensions: Sequence[Dimension]) -> dict[str, str | float] | None:
    """Return the configuration's own point in the space; ``None`` where it lies outside."""
    given, values = config.values(), config.values()
    values["train"]["learning_rate"] = config.train.learning_rate or config.usual_rate
    usual = {"epochs": config.train.epoch_count, "batch_size": config.train.batch_rows}
    values["train"] |= {
        name: value for name, value in usual.items() if f"train.{name}" not in config.by_data
    }
    fields = fields_of(values)
    found: dict[str, str | float] = {}
    for dimension in dimensions:
        value = look_up(values, dimension.field)
        if isinstance(dimension, Range):
            inside = isinstance(value, int | float) and dimension.low <= value <= dimension.high
            if not inside:
                return None
            found[dimension.field] = value
        else:
            spec = fields[dimension.field]
            unset = look_up(given, dimension.field) is None
            same = [
                text for text in dimension.values
                if (unset if _is_none(text, spec) else parse_value(text, spec) == value)
            ]  # fmt: skip
            if not same:
                return None
            found[dimension.field] = same[0]
    return found


def _is_none(text: str, spec: FieldSpec) -> bool:
    return spec.optional and text in ("", "none")


def _dimension(
    config: RunConfig, name: str, text: str, spec: FieldSpec | None
) -> Dimension | Problem:
    if spec is not None and ".." in text and spec.kind in ("int", "float"):
        dimension = _range(name, text, spec)
        if isinstance(dimension, Problem):
            return dimension
        ends = [dimension.text(dimension.low), dimension.text(dimension.high)]
        return _checked(config, dimension, ends)
    separator = "|" if "|" in text or (spec is not None and spec.kind == "list") else ","
    values = tuple(dict.fromkeys(part.strip() for part in text.split(separator) if part.strip()))
    return _checked(config, Choice(name, values), values or (text,))


def _range(name: str, text: str, spec: FieldSpec) -> Range | Problem:
    log = text.endswith(_LOG)
    low, _, high = text.removesuffix(_LOG).partition("..")
    try:
        found = Range(name, float(low), float(high), log, spec.kind == "int")
    except ValueError:
        return Problem(name, f"{text[:40]!r} is not a range; write it as 1e-5..1e-3 or 8..64:log")
    if found.low >= found.high:
        return Problem(name, f"the range {text[:40]!r} does not rise")
    if found.whole and not (found.low.is_integer() and found.high.is_integer()):
        return Problem(name, f"the range {text[:40]!r} must begin and end with whole numbers")
    if log and found.low <= 0:
        return Problem(name, "a range by factors (:log) begins above zero")
    return found


def _checked(config: RunConfig, dimension: Dimension, texts: Sequence[str]) -> Dimension | Problem:
    """The dimension, if the configuration takes each of the texts."""
    for text in texts:
        try:
            config.override([f"{dimension.field}={text}"])
        except ConfigError as error:
            return error.problems[0]
    return dimension


def as_texts(dimensions: Sequence[Dimension], values: Mapping[str, str | float]) -> dict[str, str]:
    """By field, what a trial's values are on a command line."""
    return {
        dimension.field: dimension.text(float(values[dimension.field]))
        if isinstance(dimension, Range)
        else str(values[dimension.field])
        for dimension in dimensions
    }
