"""Specifications of the configuration's fields."""

from __future__ import annotations

from typing import Literal

import pytest

from engine.config.fields import FieldSpec, Section, describe, option


class Inner(Section):
    depth: int = option(2, "How deep", ge=1, le=9, unit="m")


class Outer(Section):
    kind: Literal["outer"] = "outer"
    rate: float = option(0.1, "How fast", gt=0, lt=1, advanced=True)
    limit: int | None = option(None, "How many", ge=1)
    choice: Literal["a", "b"] = option("a", "Which")
    names: tuple[str, ...] = option((), "Which ones", column=True, suggestions=("x",))
    parts: tuple[Literal["p", "q"], ...] = option(("p",), "Which parts")
    inner: Inner = Inner()


SPECS: dict[str, FieldSpec] = {spec.name: spec for spec in describe(Outer, "top")}


def test_fields_come_in_order_with_dotted_names_and_without_the_tag() -> None:
    assert list(SPECS) == [
        "top.rate", "top.limit", "top.choice", "top.names", "top.parts", "top.inner.depth",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("top.rate", "a number above 0 and below 1"),
        ("top.limit", "a whole number at least 1"),
        ("top.choice", "one of a, b"),
        ("top.names", "a list of texts"),
        ("top.parts", "a list with some of p, q"),
        ("top.inner.depth", "a whole number from 1 to 9"),
    ],
)
def test_what_is_allowed_is_reported_in_words(name: str, allowed: str) -> None:
    assert SPECS[name].allowed == allowed


def test_only_a_field_that_may_be_none_is_optional() -> None:
    assert [name for name, spec in SPECS.items() if spec.optional] == ["top.limit"]


def test_marks_of_a_field_are_kept() -> None:
    assert SPECS["top.rate"].advanced
    assert SPECS["top.names"].column
    assert SPECS["top.names"].suggestions == ("x",)
    assert SPECS["top.inner.depth"].unit == "m"
    assert SPECS["top.inner.depth"].help == "How deep"


def test_the_key_is_the_last_part_of_the_name() -> None:
    assert SPECS["top.inner.depth"].key == "depth"


def test_a_type_without_a_form_is_a_mistake_of_the_schema() -> None:
    class Odd(Section):
        table: dict[str, int] = option({}, "No form for this")

    with pytest.raises(TypeError, match="has no form"):
        list(describe(Odd))
