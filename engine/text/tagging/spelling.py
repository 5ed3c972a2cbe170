"""The spelling of the tags of some sentences, in which those of others are written alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from engine.data.raw import TRAIN, RawData
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.tagging.scheme import Entity, TagScheme, scheme_of
from engine.text.tokens.words import sentences_of

_PAIRS = (("S", "E"), ("U", "L"))
"""Letters of an entity's only word and of its last one, in IOBES and in BILOU."""
_INNER = ("I", "M")


@dataclass(frozen=True, slots=True)
class TagSpelling:
    """A scheme with the tags that are in use.

    In IOB1 the first word of an entity is marked only beside another one of its type, in BIO
    always; IOBES and BILOU mark its last word too.
    """

    scheme: TagScheme
    tags: Mapping[tuple[str, str], str]
    """The tags in use by letter and type of entity."""
    marks_all: bool
    """Whether the first word of every entity is marked."""

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]]) -> TagSpelling:
        """Return the spelling of the tags of some sentences."""
        names = sorted({tag for tags in sentences for tag in tags})
        scheme = scheme_of(names)
        parts = {scheme.parts(tag): tag for tag in names}
        firsts = Counter(
            scheme.parts(tags[start])[0] in _INNER
            for tags in sentences
            for kind, start, _ in scheme.entities(tags)
            if not start or scheme.parts(tags[start - 1])[1] != kind
        )
        used = {(letter, kind): tag for (letter, kind), tag in parts.items() if kind}
        return cls(scheme, used, firsts[False] >= firsts[True])

    def differs(self, other: TagSpelling) -> bool:
        """Return whether these tags are no tags in the other spelling, or mean others there."""
        own = (self.scheme.marks, self._pair, self.marks_all)
        if own != (other.scheme.marks, other._pair, other.marks_all):
            return bool(self.tags and other.tags)
        return any(
            tag not in other.tags.values()
            and ((letter not in other._letters) or other._known(kind) in other._kinds)
            for (letter, kind), tag in self.tags.items()
        )

    def written(self, entities: Iterable[Entity], count: int) -> list[str]:
        """Return the tags of a sentence of ``count`` words in this spelling."""
        tags = [self.scheme.outside] * count
        before: tuple[str, int] = ("", 0)
        for kind, start, end in entities:
            known = self._known(kind)
            marked = self.marks_all or before == (known, start)
            for word, letter in enumerate(self._letters_of(end - start, marked), start):
                tags[word] = self.tags.get((letter, known)) or self.scheme.tag(letter, known)
            before = known, end
        return tags

    def _letters_of(self, count: int, marked: bool) -> list[str]:
        inner = next((letter for letter in _INNER if letter in self._letters), _INNER[0])
        first = "B" if marked and ("B" in self._letters or self._pair) else inner
        if not self._pair:
            return [first, *[inner] * (count - 1)]
        single, last = self._pair
        return [single] if count == 1 else [first, *[inner] * (count - 2), last]

    @property
    def _letters(self) -> frozenset[str]:
        return frozenset(letter for letter, _ in self.tags)

    @property
    def _kinds(self) -> frozenset[str]:
        return frozenset(kind for _, kind in self.tags)

    @property
    def _pair(self) -> tuple[str, str] | None:
        return next((pair for pair in _PAIRS if self._letters & set(pair)), None)

    def _known(self, kind: str) -> str:
        """Return a type as it is spelled here; small and capital letters are alike."""
        alike = {known.lower(): known for known in self._kinds}
        return kind if kind in self._kinds else alike.get(kind.lower(), kind)


def with_one_spelling(raw: RawData, tokens: str, tags: str, names: Sequence[str]) -> RawData:
    """Return the data with the tags of all splits spelled like those of the training rows.

    ``names`` are those of tags that are numbers.
    """
    if len(raw.splits) == 1:
        return raw
    spelling = TagSpelling.of(sentences_of(raw.train, tokens, tags, names)[1])
    splits, notes = dict(raw.splits), []
    for split, table in raw.splits.items():
        if split == TRAIN:
            continue
        _, labels = sentences_of(table, tokens, tags, names)
        own = TagSpelling.of(labels)
        if not own.differs(spelling):
            continue
        written = [spelling.written(own.scheme.entities(row), len(row)) for row in labels]
        changed = [
            pair
            for old, new in zip(labels, written, strict=True)
            for pair in zip(old, new, strict=True)
            if pair[0] != pair[1]
        ]
        if changed:
            splits[split] = _with_tags(table, tags, written)
            first, last = (plain(tag, 40) for tag in changed[0])
            why = (
                f"the entities of {split} are tagged as the training rows tag theirs: "
                f"{len(changed):,} words have another tag now, such as {last} in place of {first}"
            )
            notes.append(Note(why, plain(tags, 40), rows=len(changed), kind="converted"))
    return raw.with_splits(splits, *notes)


def _with_tags(table: pa.Table, column: str, tags: Sequence[Sequence[str]]) -> pa.Table:
    lists = pa.array(tags, pa.list_(pa.string()))
    table = table.set_column(table.column_names.index(column), column, lists)
    return table.replace_schema_metadata(None)  # names of classes, which are texts now
