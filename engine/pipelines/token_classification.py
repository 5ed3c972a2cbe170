"""Data of token classification: words, each with a tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from typing_extensions import override

from engine.config.tasks.token_classification import TokenClassificationConfig
from engine.data.load import load_texts
from engine.data.raw import RawData, class_names
from engine.data.splits import cut_splits
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.text import TextFitted, TextPipeline
from engine.reports.counted import counted
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note
from engine.text.columns import chosen, is_text
from engine.text.rejected_rows import without_rejected
from engine.text.rows import SOME, without_faults
from engine.text.tagging.columns import TaggedColumns, tagged_columns
from engine.text.tagging.rows import as_sentences
from engine.text.tagging.scheme import TagScheme, scheme_of
from engine.text.tagging.spelling import with_one_spelling
from engine.text.tagging.word_rows import sentence_column, untagged_sentences
from engine.text.tokens.lengths import windows_not_cut
from engine.text.tokens.words import sentences_of, tags_in, words_of
from engine.text.written_lists import with_lists


class TokenClassificationFitted(TextFitted):
    """Columns and tags of the training rows."""

    tokens: str
    tags: str
    names: list[str]
    at_blanks: bool = False
    """Whether the training rows have texts whose words stand between blanks, not lists."""

    @property
    def scheme(self) -> TagScheme:
        """The way in which the tags mark entities."""
        return scheme_of(self.names)


class TokenClassificationPipeline(TextPipeline[TokenClassificationFitted]):
    """Sentences with as many tags as words."""

    section: TokenClassificationConfig
    fitted_type = TokenClassificationFitted

    # Tokenizers that see the blank before a word must see it before the first one too.
    tokenizer_options: ClassVar[dict[str, Any]] = {"add_prefix_space": True}

    def load(self) -> RawData:
        """Sentences with as many tags as words, in three splits."""
        section = self.section
        raw = without_rejected(load_texts(self.config.data))
        raw = as_sentences(raw, section.tokens, section.tags, section.sentence)
        columns = self._columns(raw.train)
        names = class_names(raw.train, columns.tags) or section.tag_names
        numbered = bool(names) or _all_numbers(raw.train, columns.tags)
        raw = without_faults(
            raw, lambda table: _faults(table, columns.tokens, columns.tags, numbered)
        )
        raw = with_one_spelling(raw, columns.tokens, columns.tags, names)
        return cut_splits(raw.with_splits(raw.splits, *columns.notes), self.config.data)

    def fit(self, raw: RawData) -> TokenClassificationFitted:
        """Find the tags; train a tokenizer where the network is new."""
        columns = self._columns(raw.train)
        words, labels = sentences_of(raw.train, columns.tokens, columns.tags)
        names = self._names(raw.train, columns.tags, labels)
        trained = self.learn_tokenizer([" ".join(sentence) for sentence in words])
        return TokenClassificationFitted(
            tokenizer=trained,
            max_length=self.limit(self.section.max_length, trained),
            tokens=columns.tokens,
            tags=columns.tags,
            names=names,
            at_blanks=is_text(raw.train, columns.tokens),
        )

    def summarize(self, raw: RawData, fitted: TokenClassificationFitted) -> DataSummary:
        """Columns, entities of each type and lengths."""
        words, labels = self.sentences(raw.train, fitted)
        found = [entity for tags in labels for entity in fitted.scheme.entities(tags)]
        some = words[:: len(words) // SOME + 1]
        facts = windows_not_cut(self.measured([" ".join(sentence) for sentence in some], fitted))
        inside = _inside(labels, fitted.scheme)
        facts["words"] = f"{sum(map(len, words)):,}, of which {inside:.1%} are tagged"
        roles = {fitted.tokens: "words", fitted.tags: "tags"}
        classes = dict(Counter(kind for kind, _, _ in found))
        notes = [*fitted.scheme.doubts(fitted.names), *self._unknown_tags(raw, fitted)]
        noted = raw.with_splits(raw.splits, *notes)
        return self.text_summary(noted, fitted, roles, facts, classes)

    def inputs(self, fitted: TokenClassificationFitted) -> tuple[str, ...]:
        """The words: a list, or a text that is split at blanks."""
        return (fitted.tokens,)

    @override
    def beside(self, fitted: TokenClassificationFitted, names: Sequence[str]) -> tuple[str, ...]:
        number = sentence_column(names, self.section.sentence, fitted.tokens)
        return (number,) if number in names else ()

    @override
    def from_file(
        self, table: pa.Table, fitted: TokenClassificationFitted, folder: Path
    ) -> pa.Table:
        del folder
        table = with_lists(table, (fitted.tokens,))
        table = untagged_sentences(table, fitted.tokens, self.section.sentence)
        return _between_blanks(table, fitted.tokens) if fitted.at_blanks else table

    def sentences(
        self, table: pa.Table, fitted: TokenClassificationFitted
    ) -> tuple[list[list[str]], list[list[str]]]:
        """Words and tags of each row; rows without tags have ``O`` for every word."""
        return sentences_of(table, fitted.tokens, fitted.tags, fitted.names)

    def _columns(self, table: pa.Table) -> TaggedColumns:
        return tagged_columns(table, self.section.tokens, self.section.tags)

    def _names(self, table: pa.Table, column: str, labels: list[list[str]]) -> list[str]:
        """The tags, in their own order or sorted, the one of words outside first."""
        present = {tag for sentence in labels for tag in sentence}
        if len(present) < 2:
            raise DataError(f"The column {column} has only one tag.", "Set task.tags.")
        names = class_names(table, column)
        if names is not None:
            return names
        if self.section.tag_names or all(tag.isdecimal() for tag in present):
            return _given_names(column, present, self.section.tag_names)
        outside = scheme_of(sorted(present)).outside
        return sorted(present, key=lambda tag: (tag != outside, tag))

    def _unknown_tags(self, raw: RawData, fitted: TokenClassificationFitted) -> list[Note]:
        """Notes on tags in the other splits that no training row has."""
        notes: list[Note] = []
        known = set(fitted.names)
        for split, table in raw.splits.items():
            _, labels = self.sentences(table, fitted)
            counts = Counter(tag for tags in labels for tag in tags if tag not in known)
            if counts:
                shown = ", ".join(plain(tag, 40) for tag, _ in counts.most_common(5))
                total = counts.total()
                notes.append(
                    Note(
                        f"{counted(total, 'word')} of {split} with tags that no training row has, "
                        f"which count as mistakes in the accuracy: {shown}",
                        column=plain(fitted.tags, 40),
                        rows=total,
                    )
                )
        return notes


def _between_blanks(table: pa.Table, column: str) -> pa.Table:
    """Return the table with texts as lists of their words, where those stand between blanks.

    A file is written as the training rows are; only of what a person types is punctuation cut off.
    """
    if not is_text(table, column):
        return table
    words = [None if text is None else text.split() for text in table[column].to_pylist()]
    lists = pa.array(words, pa.list_(pa.string()))
    return table.set_column(table.column_names.index(column), column, lists)


def _given_names(column: str, present: set[str], names: Sequence[str]) -> list[str]:
    """The names that the user gave to tags that are numbers; raises :class:`DataError`."""
    texts = [tag for tag in sorted(present) if not tag.isdecimal()]
    if texts and not set(texts) <= set(names):
        raise DataError(
            f"The column {plain(column, 40)} holds tags that task.tag_names lacks, such as "
            f"{plain(texts[0], 40)!r}.",
            "Name all tags, or leave task.tag_names empty for tags that are texts.",
        )
    needed = max((int(tag) for tag in present if tag.isdecimal()), default=-1) + 1
    if len(names) < needed or len(set(names)) < len(names):
        raise DataError(
            f"The tags in the column {plain(column, 40)} are numbers from 0 to {needed - 1}, and "
            "what they stand for is not in the file.",
            f"Set task.tag_names to their {needed} different names in that order, such as O, "
            "B-PER, I-PER.",
        )
    return list(names)


def _faults(table: pa.Table, tokens: str, tags: str, numbered: bool) -> list[str | None]:
    """Return what is wrong with each row; tags may be numbers where they are ``numbered``."""
    if tags not in table.column_names:
        return ["there are no tags"] * table.num_rows
    names = class_names(table, tags)
    words = table[chosen(table, tokens, "task.tokens")]
    return [
        _fault(*pair, names) or (None if numbered or names else _fault_of_numbers(pair[1]))
        for pair in zip(words.to_pylist(), table[tags].to_pylist(), strict=True)
    ]


def _fault(words: Any, labels: Any, names: Sequence[str] | None) -> str | None:
    counted = len(words_of(words))
    if not counted or labels is None:
        return "there are no words or no tags"
    codes = tags_in(labels)
    if counted != len(codes):
        return "it has not as many tags as words"
    if _lacks_one(words) or _lacks_one(labels) or "" in codes:
        return "a word or a tag is missing"
    if names is not None and not all(_is_code(tag, len(names)) for tag in codes):
        return "a tag is not one of the classes"
    return None


def _fault_of_numbers(labels: Any) -> str | None:
    numbers = all(map(str.isdecimal, tags_in(labels)))
    return "its tags are numbers without names" if numbers else None


def _all_numbers(table: pa.Table, column: str) -> bool:
    cells = table[column].slice(0, 100).to_pylist()
    return all(tag.isdecimal() for cell in cells for tag in tags_in(cell))


def _lacks_one(value: Any) -> bool:
    return isinstance(value, list) and None in value


def _is_code(tag: str, count: int) -> bool:
    return tag.isdecimal() and int(tag) < count


def _inside(labels: Sequence[Sequence[str]], scheme: TagScheme) -> float:
    count = sum(map(len, labels))
    return sum(tag != scheme.outside for tags in labels for tag in tags) / max(1, count)
