"""Choice of the columns with words and with their tags: by the user's fields, name and content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import pyarrow as pa

from engine.data.raw import class_names
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.columns import by_name, chosen, is_flat_list, is_text
from engine.text.rows import some_of
from engine.text.tagging.scheme import scheme_of
from engine.text.tokens.words import words_of

TOKEN_NAMES = ("tokens", "words", "tokenized_text", "sentence", "text")
TAG_NAMES = ("ner_tags", "tags", "labels", "ner", "label", "word_labels", "upos")
_REMEDY = (
    "Set task.tokens and task.tags; where each line has a word and its tag, and an empty line ends "
    "a sentence, set data.format to conll."
)
_BEFORE = re.compile(r"[-.]")
_POSITION = re.compile(r"\d+(?:[-.]\d+)?")
_MANY_MORE = 2
"""Words differ more than tags: a first column with a half of the last one's values has the tags."""
_ENOUGH = 20
"""Words that are needed to tell so."""


@dataclass(frozen=True, slots=True)
class TaggedColumns:
    """The columns with words and tags, and notes on a choice that was made by content."""

    tokens: str
    tags: str
    notes: tuple[Note, ...] = ()


def tagged_columns(table: pa.Table, tokens: str, tags: str) -> TaggedColumns:
    """Return the columns: as chosen, by name, else the first and the last list of texts.

    Where neither ``tokens`` nor ``tags`` is chosen, a look at the content follows: the first column
    may hold numbers or the tags. Raises :class:`DataError` where no columns are found.
    """
    lists = [name for name in table.column_names if is_flat_list(table, name)]
    others = [name for name in lists if name != tokens]
    texts = [name for name in table.column_names if is_text(table, name) and name != tokens]
    named = by_name(table.select(others if lists else texts), TAG_NAMES)
    found = TaggedColumns(
        tokens or by_name(table, TOKEN_NAMES) or next(iter(lists), ""),
        tags or named or next(reversed(others), ""),
    )
    if not found.tokens or not found.tags or found.tokens == found.tags:
        raise DataError(
            "The columns with the words and with their tags cannot be detected.",
            _REMEDY,
        )
    chosen(table, found.tokens, "task.tokens")
    chosen(table, found.tags, "task.tags")
    if tokens or tags or found.tokens not in lists:
        return found
    contents = {name: _Content.of(table, name) for name in lists}
    if named is None:
        found = replace(found, tags=_outer_level(found, contents))
    return _by_content(found, contents, named is not None)


@dataclass(frozen=True, slots=True)
class _Content:
    """The values in a column of lists."""

    values: frozenset[str]
    count: int
    marked: bool
    """Whether they are tags that mark positions, such as ``B-person``."""
    positions: bool
    """Whether they are the numbers of the words in their sentence."""
    tagged: int = 0
    """The number of values that are tags of an entity, where they mark positions."""

    @property
    def labels(self) -> frozenset[str]:
        """The labels of tags that mark positions."""
        return frozenset(_BEFORE.split(value, 1)[-1] for value in self.values - {"O"})

    @classmethod
    def of(cls, table: pa.Table, column: str) -> _Content:
        cells = some_of(table.select([column]))[column].to_pylist()
        rows = [words_of(cell) for cell in cells]
        values = frozenset(item for row in rows for item in row)
        names = class_names(table, column) or values
        marked = scheme_of(sorted(names)).marks is not None
        tagged = sum(item != "O" for row in rows for item in row)
        return cls(values, sum(map(len, rows)), marked, all(map(_are_positions, rows)), tagged)

    @property
    def words(self) -> bool:
        """Whether they may be words."""
        return not self.marked and not self.positions


def _outer_level(found: TaggedColumns, contents: Mapping[str, _Content]) -> str:
    """Return the column of the outer entities, where the last one has those within them.

    So GermEval 2014 has them: both have the same labels, and the outer ones are more. Columns of
    other marks, such as the chunks of CoNLL-2003, have labels of their own.
    """
    last = contents.get(found.tags)
    if last is None or not last.marked:
        return found.tags
    outer = [
        name
        for name, one in contents.items()
        if name not in (found.tokens, found.tags)
        and one.marked
        and last.labels <= one.labels
        and one.tagged > last.tagged
    ]
    return outer[-1] if outer else found.tags


def _are_positions(row: list[str]) -> bool:
    """Return whether a row counts from 0 or 1; in CoNLL-U, ``3-4`` and ``8.1`` stand between."""
    if not all(map(_POSITION.fullmatch, row)):
        return False
    numbers = [int(_BEFORE.split(item)[0]) for item in row]
    return not numbers or (
        numbers[0] in (0, 1) and all(b - a in (0, 1) for a, b in pairwise(numbers))
    )


def _by_content(
    found: TaggedColumns, contents: Mapping[str, _Content], named: bool
) -> TaggedColumns:
    """Return the choice after a look at ``contents``; ``named`` tags were found by their name."""
    first, last = contents[found.tokens], contents[found.tags]
    swapped = (
        not named
        and first.words
        and last.words
        and first.count >= _ENOUGH
        and (len(first.values) * _MANY_MORE <= len(last.values))
    )
    if first.words and not swapped:
        return _with_doubt(found, contents)
    held = "positions" if first.positions else "tags"
    of_tags = found.tags if named or first.positions or last.marked else found.tokens
    others = [name for name, one in contents.items() if one.words]
    others = [name for name in others if name not in (of_tags, found.tokens)]
    if not others:
        raise DataError(
            f"The column {plain(found.tokens, 40)} holds {held}, no words.", "Set task.tokens."
        )
    tokens = max(others, key=lambda name: len(contents[name].values))
    note = (
        f"the words are taken from the column {plain(tokens, 40)}, as {plain(found.tokens, 40)} "
        f"holds {held}"
    )
    doubt = Note(note, plain(tokens, 40), "words", change="task.tokens, task.tags")
    return _with_doubt(TaggedColumns(tokens, of_tags, (doubt,)), contents)


def _with_doubt(found: TaggedColumns, contents: Mapping[str, _Content]) -> TaggedColumns:
    others = [name for name, one in contents.items() if one.marked and name != found.tags]
    if not others:
        return found
    shown = ", ".join(plain(name, 40) for name in others)
    note = f"the tags are taken from the column {plain(found.tags, 40)}, not from {shown}"
    doubt = Note(note, plain(found.tags, 40), "tags", change="task.tags")
    return replace(found, notes=(*found.notes, doubt))
