"""Tagged sentences in the forms that people have them, brought to lists of words and tags."""

from __future__ import annotations

from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.rows import without_faults
from engine.text.tagging.columns import TAG_NAMES, TOKEN_NAMES
from engine.text.tagging.span_units import spans_in_characters
from engine.text.tagging.spans import SpanColumns, span_columns
from engine.text.tagging.word_rows import WordRows, word_rows
from engine.text.tagging.word_spans import WordSpans, word_spans
from engine.text.tagging.written_spans import with_spans
from engine.text.written_lists import with_lists


def as_sentences(raw: RawData, tokens: str, tags: str, sentence: str) -> RawData:
    """Return one row a sentence, with notes on what was made of other forms.

    ``tokens``, ``tags`` and ``sentence`` are the columns that the user chose, or empty. Other forms
    are texts with spans, one word a row, and lists written as text. Raises
    :class:`~engine.errors.DataError`.
    """
    names = tuple(filter(None, (tokens, tags))) or (*TOKEN_NAMES, *TAG_NAMES)
    splits = {split: with_lists(table, names) for split, table in raw.splits.items()}
    raw = raw.with_splits({split: with_spans(table, tags) for split, table in splits.items()})
    if (spans := span_columns(raw.train, tokens, tags)) is not None:
        return _from_spans(raw, spans)
    if (numbered := word_spans(raw.train, tokens, tags)) is not None:
        return _from_numbers(raw, numbered)
    if (rows := word_rows(raw.train, tokens, tags, sentence)) is not None:
        return _from_words(raw, rows)
    return raw


def _from_spans(raw: RawData, columns: SpanColumns) -> RawData:
    raw = spans_in_characters(raw, columns.text, columns.spans)
    raw = without_faults(raw, columns.faults)
    notes = [
        Note(
            f"the spans in {plain(columns.spans, 40)} are made tags of the words of "
            f"{plain(columns.text, 40)}",
            column=plain(columns.spans, 40),
            read_as="tags",
            kind="converted",
        )
    ]
    if cut := sum(map(columns.cut_words, raw.splits.values())):
        notes.append(
            Note(
                f"{counted(cut, 'entity', 'entities')} beginning or ending inside a word, which is "
                "cut there",
                column=plain(columns.spans, 40),
                rows=cut,
            )
        )
    splits = {split: columns.sentences(table) for split, table in raw.splits.items()}
    return raw.with_splits(splits, *notes)


def _from_numbers(raw: RawData, columns: WordSpans) -> RawData:
    raw = without_faults(raw, columns.faults)
    ends = "inclusive" if columns.past_end else "exclusive"
    name = plain(columns.spans, 40)
    note = Note(
        f"the spans in {name} are of words, with {ends} ends, and are made tags",
        column=name, read_as="tags", kind="converted",
    )  # fmt: skip
    splits = {split: columns.sentences(table) for split, table in raw.splits.items()}
    return raw.with_splits(splits, note)


def _from_words(raw: RawData, columns: WordRows) -> RawData:
    splits = {split: columns.sentences(table) for split, table in raw.splits.items()}
    before, after = (sum(table.num_rows for table in s.values()) for s in (raw.splits, splits))
    return raw.with_splits(
        splits,
        Note(
            f"{counted(before, 'row')} of one word each joined to {counted(after, 'sentence')} by "
            f"the column {plain(columns.sentence, 40)}",
            column=plain(columns.sentence, 40),
            read_as="sentences",
            rows=before,
            change="task.sentence",
            kind="converted",
        ),
    )
