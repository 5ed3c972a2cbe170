"""Schemes of tags: the names by which tags say where an entity begins, goes on and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.files.sanitize import plain
from engine.reports.note import Note

Entity = tuple[str, int, int]
"""Type, first word, and the word after the last."""

OUTSIDE = "O"
_BEGINS, _ENDS, _INSIDE = "BSU", "ESL", "IM"
_LETTERS = frozenset(_BEGINS + _ENDS + _INSIDE)
_COMMON = frozenset("BI")
_OTHER_OUTSIDES = frozenset(("o", "other", "none", "out", "outside", "_", "-"))
_NO_TYPE = "_"


@dataclass(frozen=True, slots=True)
class Marks:
    """The place of the letter that marks a position: ``B-person``, ``B_person`` or ``person-B``."""

    separator: str = "-"
    first: bool = True

    def parts(self, tag: str) -> tuple[str, str] | None:
        """Return letter and type of a marked tag; ``B`` alone has no type."""
        if tag.upper() in _LETTERS:
            return tag.upper(), _NO_TYPE
        if self.first:
            letter, separator, kind = tag.partition(self.separator)
        else:
            kind, separator, letter = tag.rpartition(self.separator)
        if separator and letter.upper() in _LETTERS:
            return letter.upper(), kind or _NO_TYPE
        return None

    def tag(self, letter: str, kind: str) -> str:
        """Return the tag of a letter and a type."""
        if kind == _NO_TYPE:
            return letter
        return self.separator.join((letter, kind) if self.first else (kind, letter))


_USUAL = Marks()
_FORMS = (
    _USUAL,
    *(Marks(separator, first) for first in (True, False) for separator in "-_:/.|" if
      (separator, first) != ("-", True)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TagScheme:
    """The marks of entities, and the tag of words outside of them."""

    marks: Marks | None = _USUAL
    """``None`` where tags have none, as parts of speech: neighbours with one tag are an entity."""
    outside: str = OUTSIDE

    def entities(self, tags: Sequence[str]) -> list[Entity]:
        """Return the entities of a sentence, tolerant of sequences that the scheme forbids.

        An entity begins at B (S, U), after an end (E, S, L), after an untagged word, and wherever
        the type changes; so ``I-x`` after ``O`` begins one too.
        """
        found: list[Entity] = []
        open_type, start, before = "", 0, OUTSIDE
        for index, tag in enumerate([*tags, OUTSIDE]):
            letter, kind = self.parts(tag)
            begins = letter in _BEGINS or before in _ENDS or kind != open_type
            if open_type and (not kind or begins):
                found.append((open_type, start, index))
            if kind and (begins or not open_type):
                start = index
            open_type, before = kind, letter
        return found

    def parts(self, tag: str) -> tuple[str, str]:
        """Return letter and type; outside of entities the type is empty."""
        if tag in (self.outside, OUTSIDE):
            return OUTSIDE, ""
        return (self.marks and self.marks.parts(tag)) or ("I", tag)

    def tag(self, letter: str, kind: str) -> str:
        """Return the tag of a letter and a type."""
        return self.marks.tag(letter, kind) if self.marks else kind

    def doubts(self, names: Sequence[str]) -> list[Note]:
        """Return notes for the user where ``names`` leave open what an entity is."""
        notes: list[Note] = []
        tags = [name for name in names if name not in (self.outside, OUTSIDE)]
        letters = {parts[0] for tag in tags if self.marks and (parts := self.marks.parts(tag))}
        strays = [tag for tag in tags if self.marks and not self.marks.parts(tag)]
        if self.outside != OUTSIDE:
            notes.append(
                Note(
                    f"the tag {plain(self.outside, 40)!r} is taken for words outside of entities",
                    read_as="no entity",
                )
            )
        if strays:
            shown = ", ".join(plain(tag, 40) for tag in strays[:5])
            notes.append(
                Note(
                    f"the tags {shown} mark no position, unlike the others; each is counted as a "
                    "type of entity",
                    read_as="types of entities",
                )
            )
        if self.outside in names and not letters & set(_BEGINS):
            notes.append(
                Note("no tag marks the beginning of an entity: neighbours of a type are one")
            )
        return notes


def scheme_of(names: Sequence[str]) -> TagScheme:
    """Return the scheme in which most of the tags called ``names`` are written.

    Parts of speech have none: a few tags that look marked, or letters that are not B or I, make no
    scheme. Where ``O`` is absent, the only tag without a mark is that of words outside.
    """
    for marks in _FORMS:
        parts = {name: marks.parts(name) for name in dict.fromkeys(names) if name != OUTSIDE}
        strays = [name for name, found in parts.items() if found is None]
        letters = {found[0] for found in parts.values() if found is not None}
        usual = marks == _USUAL and not strays and not all(len(name) == 1 for name in parts)
        if len(strays) < len(parts) - len(strays) and (usual or letters & _COMMON):
            alone = OUTSIDE not in names and len(strays) == 1
            return TagScheme(marks, strays[0] if alone else OUTSIDE)
    others = [name for name in names if name.lower() in _OTHER_OUTSIDES]
    return TagScheme(None, others[0] if others and OUTSIDE not in names else OUTSIDE)
