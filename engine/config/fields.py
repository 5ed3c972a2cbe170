"""Fields of a configuration and their description: type, bounds, unit, help.

:func:`option` declares a field; :func:`describe` reads all fields of a section back. The form, the
error messages and the command line know fields only through :class:`FieldSpec`, so a new
hyperparameter is one new line in its section.
"""

from __future__ import annotations

import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

FieldKind = Literal["bool", "int", "float", "choice", "text", "list", "mapping"]
Weights = Literal["", "new", "pre-trained"]


class Section(BaseModel):
    """A part of a configuration: immutable, and strict about names and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Python counts ``True`` among the numbers; a configuration does not."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and _without_none(field.annotation)[0] in (int, float):
            raise PydanticCustomError("boolean", "true and false are not numbers")
        return value

    @field_validator("*")
    @classmethod
    def _can_be_written(cls, value: Any) -> Any:
        """Names of files may have bytes that are no text, of which a configuration is made."""
        for text in _parts(value):
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise PydanticCustomError("unicode", "it is not valid UTF-8") from None
        return value


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, tuple) else (value,)


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    advanced: bool = False,
    suggestions: tuple[str, ...] = (),
    column: bool = False,
    found: bool = True,
    layers: bool = False,
    weights: Weights = "",
    automatic: str = "",
    **bounds: Any,
) -> Any:
    """Declare a field: its default, a line of help, and for numbers ``ge``, ``gt``, ``le``, ``lt``.

    ``advanced`` fields are folded away in the form, ``suggestions`` are offered while typing.
    ``column`` marks a field that names a column (or columns) of the data: where it is empty, they
    are ``found`` in the data, or none are used. ``layers`` marks one that names layers of the
    model. ``weights`` marks a field of a model that means something only for a new network, or only
    for a pre-trained one. ``automatic`` is the value, as it is written, that leaves the choice to
    the program.
    """
    extra: JsonDict = {
        "unit": unit,
        "advanced": advanced,
        "suggestions": list(suggestions),
        "column": column,
        "found": found,
        "layers": layers,
        "weights": weights,
        "automatic": automatic,
    }
    return Field(default, description=help, json_schema_extra=extra, **bounds)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field as the form and the error messages see it."""

    name: str
    """Dotted name from the top, as in ``train.learning_rate``."""
    kind: FieldKind
    default: Any = field(hash=False)
    help: str
    choices: tuple[str, ...] = ()
    item: FieldKind | None = None
    """Kind of the items, for a list."""
    optional: bool = False
    """Whether the field may be left empty (``None``)."""
    minimum: float | None = None
    exclusive_minimum: float | None = None
    maximum: float | None = None
    exclusive_maximum: float | None = None
    unit: str = ""
    advanced: bool = False
    suggestions: tuple[str, ...] = ()
    column: bool = False
    found: bool = True
    """Whether the columns that an empty field stands for are found in the data; else it is none."""
    layers: bool = False
    weights: Weights = ""
    """The networks for which the field means something; empty for all."""
    automatic: str = ""
    """The value, as it is written, that leaves the choice to the program; empty for none."""

    @property
    def key(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def allowed(self) -> str:
        """The allowed values in words: ``a whole number from 1 to 64``."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "mapping" and self.suggestions:
            return f"pairs such as name={self.suggestions[0]}, of " + ", ".join(self.suggestions)
        if self.kind == "list" and self.choices:
            return "a list with some of " + ", ".join(self.choices)
        return _NOUNS[self.kind].format(item=_PLURALS.get(self.item or "text")) + self._range()

    def _range(self) -> str:
        low = f"{self.minimum:.12g}" if self.minimum is not None else ""
        high = f"{self.maximum:.12g}" if self.maximum is not None else ""
        if low and high:
            return f" from {low} to {high}"
        parts = [f"at least {low}"] if low else []
        if self.exclusive_minimum is not None:
            parts.append(f"above {self.exclusive_minimum:.12g}")
        if high:
            parts.append(f"at most {high}")
        if self.exclusive_maximum is not None:
            parts.append(f"below {self.exclusive_maximum:.12g}")
        return " " + " and ".join(parts) if parts else ""


_NOUNS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "text": "text",
    "list": "a list of {item}",
    "mapping": "pairs such as name=value",
    "choice": "",
}
_PLURALS = {"int": "whole numbers", "float": "numbers", "text": "texts", "bool": "true or false"}


@cache  # a form asks with each change of a value
def describe(section: type[BaseModel], prefix: str = "") -> tuple[FieldSpec, ...]:
    """Return the fields of ``section`` in order; nested sections are entered, tags left out."""
    found: list[FieldSpec] = []
    for name, info in section.model_fields.items():
        dotted = f"{prefix}.{name}" if prefix else name
        nested = info.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            found += describe(nested, dotted)
        elif name != "kind":
            found.append(spec_of(dotted, info))
    return tuple(found)


def spec_of(name: str, info: FieldInfo) -> FieldSpec:
    """Describe one field; ``name`` is its dotted name."""
    inner, optional = _without_none(info.annotation)
    kind, choices, item = _kind(inner)
    bounds = {
        key: getattr(part, key) for part in info.metadata for key in _BOUNDS if hasattr(part, key)
    }
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return FieldSpec(
        name=name,
        kind=kind,
        default=info.get_default(call_default_factory=True),
        help=info.description or "",
        choices=choices,
        item=item,
        optional=optional,
        minimum=bounds.get("ge"),
        exclusive_minimum=bounds.get("gt"),
        maximum=bounds.get("le"),
        exclusive_maximum=bounds.get("lt"),
        unit=str(extra.get("unit", "")),
        advanced=bool(extra.get("advanced", False)),
        suggestions=tuple(map(str, extra.get("suggestions", []))),  # type: ignore[arg-type]
        column=bool(extra.get("column", False)),
        found=bool(extra.get("found", True)),
        layers=bool(extra.get("layers", False)),
        weights=cast("Weights", extra.get("weights", "")),
        automatic=str(extra.get("automatic", "")),
    )


_BOUNDS = ("ge", "gt", "le", "lt")
_KINDS: dict[Any, FieldKind] = {bool: "bool", int: "int", float: "float", str: "text"}


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        if len(parts) == 1:
            return parts[0], True
    return annotation, False


def _kind(annotation: Any) -> tuple[FieldKind, tuple[str, ...], FieldKind | None]:
    origin = get_origin(annotation)
    if origin is Literal:
        return "choice", tuple(map(str, get_args(annotation))), None
    if origin is tuple:
        item, choices, _ = _kind(get_args(annotation)[0])
        return "list", choices, item
    if origin is dict and get_args(annotation) == (str, str):
        return "mapping", (), None
    if annotation in _KINDS:
        return _KINDS[annotation], (), None
    raise TypeError(f"a field of type {annotation!r} has no form")
