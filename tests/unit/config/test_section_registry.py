"""The registry of the kinds of a section, and additions of other packages that do not load."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any, Literal

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.registry import Registry, TaggedSection, find_plugins, implementation, resolve
from engine.config.tasks.registry import TASKS

GROUP = "dltui.test.shapes"


class Circle(TaggedSection):
    kind: Literal["circle"] = "circle"
    implementation = "math:hypot"
    radius: float = option(1.0, "Radius", gt=0)


class Square(TaggedSection):
    kind: Literal["square"] = "square"


@dataclass
class Package:
    name: str


@dataclass
class Entry:
    """An entry point as importlib.metadata has it."""

    name: str
    load: Callable[[], Any]
    value: str = "package:Thing"
    dist: Package | None = None


Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Let entry points be found in the group of these tests, and in no other."""

    def installed(*entries: Entry) -> None:
        monkeypatch.setattr(
            metadata, "entry_points", lambda group: entries if group == GROUP else ()
        )

    installed()
    return installed


def fails() -> Any:
    raise RuntimeError("no torch here")


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
    module = ModuleType("module_of_shapes")
    vars(module)["Circle"] = Circle
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Registry("shape", GROUP, {"circle": "module_of_shapes:Circle", "ghost": "nowhere:Ghost"})


def test_kinds_are_those_built_in_and_then_those_of_packages(
    shapes: Registry[Any], install: Install
) -> None:
    install(Entry("square", lambda: Square, dist=Package("squares")))
    assert list(shapes) == ["circle", "ghost", "square"]
    assert len(shapes) == 3
    assert (shapes["circle"], shapes["square"]) == (Circle, Square)
    assert dict(shapes.plugins) == {"square": Square}
    assert "square" in shapes
    assert "oval" not in shapes


def test_a_kind_is_imported_when_it_is_asked_for(shapes: Registry[Any], install: Install) -> None:
    assert "ghost" in shapes  # that its module is missing shows when it is used
    with pytest.raises(ModuleNotFoundError):
        shapes["ghost"]
    with pytest.raises(KeyError):
        shapes["oval"]


def test_what_is_built_in_cannot_be_replaced_and_the_first_package_has_a_name(
    install: Install,
) -> None:
    entries = [
        Entry("circle", lambda: Square, dist=Package("evil")),
        Entry("square", lambda: Square, dist=Package("one")),
        Entry("square", lambda: Circle),
    ]
    install(*entries)
    found = find_plugins(GROUP, {"circle": ""})
    assert found.sections == {"square": Square}
    assert found.problems == {
        "circle of evil": "the name is taken",
        "square of an unknown package": "the name is taken",
    }


@pytest.mark.parametrize(
    ("load", "problem"),
    [
        (fails, "shapes fails with RuntimeError: no torch here"),
        (lambda: 1 / 0, "shapes fails with ZeroDivisionError: division by zero"),
        (lambda: Square(), "package:Thing of shapes is not a section"),
        (lambda: int, "package:Thing of shapes is not a section"),
        (lambda: None, "package:Thing of shapes is not a section"),
    ],
)
def test_a_package_that_fails_is_told_and_harms_no_other(
    shapes: Registry[Any], install: Install, load: Callable[[], Any], problem: str
) -> None:
    install(
        Entry("oval", load, dist=Package("shapes")),
        Entry("square", lambda: Square, dist=Package("shapes")),
    )
    assert dict(shapes.broken) == {"oval": problem}
    assert list(shapes) == ["circle", "ghost", "square"]
    with pytest.raises(PydanticCustomError, match="shape oval cannot be used: ") as refused:
        shapes.parse({"kind": "oval"})
    assert problem in str(refused.value)


def test_a_section_is_read_by_its_kind_and_one_that_was_read_stays(
    shapes: Registry[Any], install: Install
) -> None:
    circle = shapes.parse({"kind": "circle", "radius": 2})
    assert circle == Circle(radius=2.0)
    assert shapes.parse(circle) is circle
    with pytest.raises(ValidationError) as refused:
        shapes.parse({"kind": "circle", "radius": 0})
    assert [error["loc"] for error in refused.value.errors()] == [("radius",)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("circle", "must be a section with a kind"),
        (None, "must be a section with a kind"),
        ([("kind", "circle")], "must be a section with a kind"),
        ({}, r"is missing \(there is circle, ghost\)"),
        ({"kind": None}, "is missing"),
        ({"kind": 3}, r"must be a name \(there is circle, ghost\)"),
        ({"kind": ["circle"]}, "must be a name"),
        ({"kind": "circel"}, r"no shape is called 'circel'; did you mean circle\?"),
        ({"kind": "Circle"}, r"did you mean circle\?"),
        ({"kind": "xyz"}, r"no shape is called 'xyz' \(there is circle, ghost\)"),
        ({"kind": ""}, r"no shape is called '' \(there is"),
        ({"kind": "z" * 1000}, r"no shape is called 'z{60}' \("),
    ],
)
def test_a_section_without_a_usable_kind_is_answered_with_those_there_are(
    shapes: Registry[Any], install: Install, value: Any, said: str
) -> None:
    with pytest.raises(PydanticCustomError, match=said):
        shapes.parse(value)


def test_an_implementation_is_what_its_place_names() -> None:
    assert resolve("math:hypot")(3, 4) == 5.0
    assert implementation(Circle(), "build")(5, 12) == 13.0
    with pytest.raises(AttributeError):
        resolve("math:nothing")
    with pytest.raises(ModuleNotFoundError):
        resolve("nowhere:thing")


def test_a_method_of_a_section_of_version_0_1_is_called_without_the_section() -> None:
    class Old(Circle):
        def build(self, *values: int) -> tuple[float, ...]:
            return (self.radius, *values)

    section = Old(radius=7)
    with pytest.warns(DeprecationWarning, match=r"Old\.build: name an ``implementation``"):
        made = implementation(section, "build")
    assert made(section, 1, 2) == (7.0, 1, 2)


@pytest.mark.parametrize("kind", list(TASKS))
def test_every_task_has_its_own_kind_a_title_a_place_and_a_deciding_metric(kind: str) -> None:
    section = TASKS[kind](kind=kind)
    assert section.kind == kind
    assert section.title
    assert section.models
    assert section.metric().name == section.metric_names[0]
    assert len({*section.metric_names}) == len(section.metric_names)
    for place in (section.implementation, section.pipeline):
        module, _, name = place.partition(":")
        assert module.startswith("engine.")
        assert name.isidentifier()
