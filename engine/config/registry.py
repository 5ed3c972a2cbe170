"""Tagged sections: the kind in a section says which class reads it.

A registry maps kinds to classes. It is open: a task, a model or a data source becomes known by a
line in the registry of its section, or by an entry point of another package.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from pydantic_core import PydanticCustomError

from engine.config.fields import Section
from engine.processes.collector import collector_paused

_NEAR = 0.65
"""Likeness of a name that is suggested: a U-Net is not meant by resnet."""


class TaggedSection(Section):
    """A section of several kinds; subclasses fix ``kind`` to one literal."""

    kind: str
    title: ClassVar[str] = ""
    """A few words for lists and forms."""
    implementation: ClassVar[str] = ""
    """``package.module:name`` of what implements the section. Naming it loads nothing heavy."""


S = TypeVar("S", bound=TaggedSection)


@dataclass
class Plugins(Generic[S]):
    """The sections that installed packages add to one registry."""

    sections: dict[str, type[S]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    """By kind, why it cannot be used."""


def find_plugins(group: str, taken: Container[str]) -> Plugins[Any]:
    """Load the entry points of ``group``; one that cannot be loaded does not harm the others."""
    from importlib.metadata import entry_points  # 20 ms, which most commands do without

    found: Plugins[Any] = Plugins()
    for entry in entry_points(group=group):
        package = entry.dist.name if entry.dist else "an unknown package"
        if entry.name in taken or entry.name in found.sections:
            found.problems[f"{entry.name} of {package}"] = "the name is taken"
            continue
        try:
            section = entry.load()
        except Exception as error:  # noqa: BLE001 — foreign code may fail in any way
            found.problems[entry.name] = f"{package} fails with {type(error).__name__}: {error}"
            continue
        if isinstance(section, type) and issubclass(section, TaggedSection):
            found.sections[entry.name] = section
        else:
            found.problems[entry.name] = f"{entry.value} of {package} is not a section"
    return found


def resolve(place: str) -> Any:
    """Import and return what ``package.module:name`` names."""
    module, _, name = place.partition(":")
    with collector_paused():
        return getattr(import_module(module), name)


def implementation(section: TaggedSection, method: str) -> Callable[..., Any]:
    """The function or class that implements ``section``.

    A plug-in for version 0.1 has a ``method`` of the section in its place, for one more release.
    """
    own: Callable[..., Any] | None = getattr(section, method, None)
    if own is None:
        named: Callable[..., Any] = resolve(section.implementation)
        return named
    text = f"{type(section).__name__}.{method}: name an ``implementation`` instead."
    warnings.warn(text, DeprecationWarning, stacklevel=3)
    return lambda *arguments: own(*(value for value in arguments if value is not section))


class Registry(Generic[S], Mapping[str, type[S]]):
    """The kinds of one section, each loaded from ``module:Class`` when first asked for.

    Other packages add to them by entry points of the group ``group``; what is built in stays what
    it is.
    """

    def __init__(self, noun: str, group: str, places: dict[str, str]) -> None:
        self.noun = noun
        self._group = group
        self._places = dict(places)
        self._loaded: dict[str, type[S]] = {}

    def __getitem__(self, kind: str) -> type[S]:
        if kind not in self._places:
            return self._plugins.sections[kind]
        if kind not in self._loaded:
            self._loaded[kind] = resolve(self._places[kind])
        return self._loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._places or kind in self._plugins.sections

    def __iter__(self) -> Iterator[str]:
        yield from self._places
        yield from self._plugins.sections

    def __len__(self) -> int:
        return len(self._places) + len(self._plugins.sections)

    @property
    def plugins(self) -> Mapping[str, type[S]]:
        """The sections that other packages have added."""
        return self._plugins.sections

    @property
    def broken(self) -> Mapping[str, str]:
        """The additions of other packages that failed, and why."""
        return self._plugins.problems

    @cached_property
    def _plugins(self) -> Plugins[S]:
        return find_plugins(self._group, self._places)

    def parse(self, value: Any) -> Any:
        """Validate a mapping with a ``kind``; an instance passes through unchanged."""
        if isinstance(value, TaggedSection):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("section", "must be a section with a kind")
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in self:
            raise PydanticCustomError("unknown_kind", self._unknown(kind), {"field": "kind"})
        return self[kind].model_validate(dict(value))

    def _unknown(self, kind: object) -> str:
        known = ", ".join(self)
        if kind is None:
            return f"is missing (there is {known})"
        if not isinstance(kind, str):
            return f"must be a name (there is {known})"
        if kind in self.broken:
            return f"{self.noun} {kind} cannot be used: {self.broken[kind]}"
        near = difflib.get_close_matches(kind, list(self), n=1, cutoff=_NEAR)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        return f"no {self.noun} is called {kind[:60]!r}{suggestion} (there is {known})"
