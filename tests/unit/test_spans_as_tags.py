"""Entities given as spans of characters become tags of words, and keep their characters."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.written_value import written_value
from engine.text.tagging.scheme import scheme_of
from engine.text.tagging.spans import SpanColumns, span_columns, spans_of
from engine.text.tagging.written_spans import with_spans
from engine.text.tokens.words import word_pattern
from engine.text.written_lists import with_lists

COLUMNS = SpanColumns("text", "label")


def table(*rows: tuple[str, Any]) -> pa.Table:
    kind = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("label", pa.string())]))
    cells = [
        None if spans is None
        else [dict(zip(("start", "end", "label"), span, strict=True)) for span in spans]
        for _, spans in rows
    ]  # fmt: skip
    return pa.table({"text": [text for text, _ in rows], "label": pa.array(cells, kind)})


def tagged(text: str, spans: list[tuple[int, int, str]]) -> tuple[list[str], list[str]]:
    [row] = COLUMNS.sentences(table((text, spans))).to_pylist()
    return row["text"], row["label"]


def test_words_of_an_entity_are_marked_as_its_first_and_its_others() -> None:
    words, tags = tagged("Ada Lovelace lived in London.", [(0, 12, "person"), (22, 28, "city")])
    assert words == ["Ada", "Lovelace", "lived", "in", "London", "."]
    assert tags == ["B-person", "I-person", "O", "O", "B-city", "O"]


def test_neighbours_of_one_type_stay_two_entities() -> None:
    _, tags = tagged("Rome Paris", [(0, 4, "city"), (5, 10, "city")])
    assert tags == ["B-city", "B-city"]


def test_words_are_cut_where_an_entity_begins_or_ends_within_and_counted() -> None:
    words, tags = tagged("Londoners", [(0, 6, "city")])
    assert (words, tags) == (["London", "ers"], ["B-city", "O"])
    assert COLUMNS.cut_words(table(("Londoners", [(0, 6, "city")]), ("Oslo", [(0, 4, "c")]))) == 1


TEXT = st.text(st.sampled_from("abü. '-"), min_size=1, max_size=25).filter(str.strip)


@given(TEXT, st.data())
@settings(max_examples=80, deadline=None)
def test_the_entities_of_the_tags_have_the_characters_of_the_spans(
    text: str, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    spans = [
        (start, end, "xy"[i % 2]) for i, (start, end) in enumerate(pairs) if text[start:end].strip()
    ]
    assert COLUMNS.faults(table((text, spans))) == [None]
    words, tags = tagged(text, spans)
    assert "".join(words) == "".join(word_pattern().findall(text))  # no character of a word is lost
    entities = scheme_of(["B-x", "I-x", "B-y", "I-y", "O"]).entities(tags)
    found = [(kind, "".join(words[start:end])) for kind, start, end in entities]
    expected = [
        (kind, "".join(c for c in text[start:end] if not c.isspace())) for start, end, kind in spans
    ]
    # Marks within words, such as an apostrophe at the end of a span, are words of their own.
    assert [kind for kind, _ in found] == [kind for kind, _ in expected]
    assert [characters for _, characters in found] == [characters for _, characters in expected]


@pytest.mark.parametrize(
    ("text", "spans", "fault"),
    [
        ("Rome", [(0, 4, "city")], None),
        ("Rome", [], None),
        ("Rome", None, "there is no list of entities"),
        ("  ", [], "the text is empty"),
        ("Rome", [(0, 5, "city")], "an entity has no type or no characters of the text"),
        ("Rome", [(2, 2, "city")], "an entity has no type or no characters of the text"),
        ("Rome", [(-1, 2, "city")], "an entity has no type or no characters of the text"),
        ("Rome", [(None, 2, "city")], "an entity has no type or no characters of the text"),
        ("Rome", [(0, 4, None)], "an entity has no type or no characters of the text"),
        ("a b", [(1, 2, "x")], "an entity has no type or no characters of the text"),
        ("Rome", [(0, 3, "x"), (2, 4, "y")], "its entities overlap"),
        ("Rome", [(2, 4, "y"), (0, 2, "x")], None),  # in any order, side by side
    ],
)
def test_spans_that_are_no_tags_are_a_fault(text: str, spans: Any, fault: str | None) -> None:
    assert COLUMNS.faults(table((text, spans))) == [fault]


@pytest.mark.parametrize(
    "span",
    [
        {"start": 0, "end": 4, "label": "city"},
        {"start_offset": 0, "end_offset": 4, "entity_group": "city"},
        {"begin": 0.0, "end": 4.0, "type": "city"},
        {"start": "0", "end": "4", "labels": ["city"]},
        {"start": 0, "end": 4, "label": None, "tag": "city"},
    ],
)
def test_spans_are_read_by_all_names_that_tools_have_for_them(span: dict[str, Any]) -> None:
    assert spans_of([span]) == [(0, 4, "city")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'it\\'s']", ["a", "it's"]),
        ("['a' 'b'\n 'c']", ["a", "b", "c"]),  # numpy
        ("[1 2 -3]", ["1", "2", "-3"]),
        ("not a list", None),
        ("[broken", None),
        ("__import__('os')", None),
        ("[__import__('os')]", None),
    ],
)
def test_lists_that_are_written_as_text_are_lists(text: str, value: list[str] | None) -> None:
    found = with_lists(pa.table({"tags": [text]}), ("tags",))["tags"].to_pylist()
    assert found == ([text] if value is None else [value])


def test_texts_among_lists_become_missing_and_lists_among_texts_stay() -> None:
    mostly = pa.table({"tags": ['["a"]', "[]", "none", None]})
    assert with_lists(mostly, ("tags",))["tags"].to_pylist() == [["a"], [], None, None]
    seldom = pa.table({"tags": ['["a"]', "x", "y", "z"]})
    assert with_lists(seldom, ("tags",)) is seldom


@pytest.mark.parametrize(
    "text", ["{'a': array([1, 2])}", '{"a": [1, 2]}', "{'a': array([1, 2], dtype=int32)}"]
)
def test_objects_with_arrays_are_read_as_python_and_json_write_them(text: str) -> None:
    assert written_value(text) == {"a": [1, 2]}


def test_spans_that_are_written_as_text_are_read_in_both_forms() -> None:
    written = pa.table({
        "text": ["Rome", "Oslo", "x"],
        "label": ['[{"start": 0, "end": 4, "label": "city"}]', '[[0, 4, "city"]]', "[]"],
    })  # fmt: skip
    read = with_spans(written, "")
    columns = span_columns(read, "", "")
    assert columns == COLUMNS
    assert COLUMNS.sentences(read)["label"].to_pylist() == [["B-city"], ["B-city"], ["O"]]
