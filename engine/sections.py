"""Tagged sections: the kind in a section says which class reads it.

A registry maps kinds to classes. It is open: a task, a model or a data source becomes known by
being added to the registry of its section, here or by another package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, Generic, TypeVar

from pydantic_core import PydanticCustomError

from engine.fields import Section


class TaggedSection(Section):
    """A section of several kinds; subclasses fix ``kind`` to one literal."""

    kind: str
    title: ClassVar[str] = ""
    """A few words for lists and forms."""


S = TypeVar("S", bound=TaggedSection)


class Registry(Generic[S], Mapping[str, type[S]]):
    """The kinds of one section, each loaded from ``module:Class`` when first asked for."""

    def __init__(self, noun: str, places: dict[str, str]) -> None:
        self.noun = noun
        self._places = dict(places)
        self._loaded: dict[str, type[S]] = {}

    def add(self, kind: str, place: str) -> None:
        """Make ``kind`` known; ``place`` is ``module:Class``."""
        self._places[kind] = place

    def __getitem__(self, kind: str) -> type[S]:
        if kind not in self._loaded:
            module, _, name = self._places[kind].partition(":")
            self._loaded[kind] = getattr(import_module(module), name)
        return self._loaded[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def parse(self, value: Any) -> Any:
        """Validate a mapping with a ``kind``; an instance passes through unchanged."""
        if isinstance(value, TaggedSection):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("section", "must be a section with a kind")
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in self._places:
            raise PydanticCustomError("unknown_kind", self._unknown(kind), {"field": "kind"})
        return self[kind].model_validate(dict(value))

    def _unknown(self, kind: object) -> str:
        known = ", ".join(self._places)
        if kind is None:
            return f"is missing (there is {known})"
        near = difflib.get_close_matches(str(kind), self._places, n=1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        return f"no {self.noun} is called {str(kind)[:60]!r}{suggestion} (there is {known})"
