"""Tables with one word a row, which a column with the number of the sentence holds together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

import pyarrow as pa

from engine.errors import DataError
from engine.text.columns import by_name, chosen, is_list, is_text
from engine.text.tagging.columns import TAG_NAMES, TOKEN_NAMES

_SENTENCE_NAMES = (
    "sentence_id", "sentence #", "sentence_number", "sentence_no", "sentence_idx", "sentenceid",
    "sent_id", "sent", "sentence",
)  # fmt: skip
_WITH_BLANKS = 0.1
"""The share of words that may hold a blank, as ``New York``."""


@dataclass(frozen=True, slots=True)
class WordRows:
    """The columns of a table with one word a row."""

    word: str
    tag: str
    sentence: str

    def sentences(self, table: pa.Table) -> pa.Table:
        """Return one row a sentence: rows with one number that follow each other.

        An empty number repeats the one above, as where only a sentence's first word has it.
        """
        word = chosen(table, self.word, "task.tokens")
        columns = [name for name in dict.fromkeys((word, self.tag)) if name in table.column_names]
        numbers = _filled(table[chosen(table, self.sentence, "task.sentence")].to_pylist())
        borders = [len(list(run)) for _, run in groupby(numbers)]
        offsets = pa.array([0, *accumulate(borders)], pa.int32())
        lists = {
            name: pa.ListArray.from_arrays(offsets, table[name].combine_chunks())
            for name in columns
        }
        return pa.table(lists).replace_schema_metadata(table.schema.metadata)


def word_rows(table: pa.Table, tokens: str, tags: str, sentence: str) -> WordRows | None:
    """Return the columns of a table with one word a row, or ``None`` for other tables.

    ``tokens``, ``tags`` and ``sentence`` are the columns that the user chose, or empty. Raises
    :class:`DataError` where no column tells one sentence from the next.
    """
    word = tokens or by_name(table, ("word", "token", "form", *TOKEN_NAMES)) or ""
    tag = tags or by_name(table, ("tag", "ner_tag", *TAG_NAMES)) or ""
    if not {word, tag} <= set(table.column_names) or word == tag:
        return None
    if not is_text(table, word) or is_list(table, tag) or not _one_word_each(table, word, tag):
        return None
    number = sentence_column(table.column_names, sentence, word)
    if not number:
        raise DataError(
            "Each row holds one word, and no column tells the sentences apart.",
            "Set task.sentence to the column with the number of the sentence; where empty lines "
            "end sentences, set data.format to conll.",
        )
    return WordRows(word, tag, chosen(table, number, "task.sentence"))


def sentence_column(names: Sequence[str], sentence: str, word: str) -> str:
    """Return the column with the number of the sentence: as chosen, else by its name, or empty."""
    lower = {name.lower(): name for name in reversed(names) if name != word}
    return sentence or next((lower[name] for name in _SENTENCE_NAMES if name in lower), "")


def untagged_sentences(table: pa.Table, word: str, sentence: str) -> pa.Table:
    """Return one row a sentence where a table to predict from has one word a row and its number."""
    number = sentence_column(table.column_names, sentence, word)
    if number not in table.column_names or not is_text(table, word) or not _are_words(table, word):
        return table
    return WordRows(word, word, number).sentences(table)


def _one_word_each(table: pa.Table, word: str, tag: str) -> bool:
    tags = [str(value) for value in table[tag].to_pylist() if value is not None]
    alone = bool(tags) and all(len(text.split()) == 1 for text in tags)
    return alone and _are_words(table, word)


def _are_words(table: pa.Table, column: str) -> bool:
    texts = [value for value in table[column].to_pylist() if value is not None]
    blanks = sum(len(text.split()) > 1 for text in texts)
    return bool(texts) and blanks <= _WITH_BLANKS * len(texts) and not texts[0].startswith("[")


def _filled(values: list[Any]) -> list[Any]:
    last, result = None, []
    for value in values:
        last = last if _is_empty(value) else value
        result.append(last)
    return result


def _is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: pandas has NaN for an empty cell among numbers."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value != value
