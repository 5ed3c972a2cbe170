"""Predictions are written in the format of their records."""

from __future__ import annotations

from typing import Any

import pytest

from tui.format.records import AT_LENGTH, MOST, answer_lines, record_lines


def texts(record: dict[str, Any]) -> list[str]:
    return [line.plain.rstrip() for line in record_lines(record)]


def test_scores_are_bars_as_long_as_they_are_likely() -> None:
    head, first, second = texts({"label": "a", "score": 0.75, "scores": {"a": 0.75, "bb": 0.25}})
    assert head == "a"
    assert first.split() == ["a", "75.0%", "█" * 18]
    assert second.split() == ["bb", "25.0%", "█" * 6]


def test_several_labels_and_none_are_named() -> None:
    assert texts({"labels": ["x", "y"], "scores": {"x": 0.9, "y": 0.6}})[0] == "x, y"
    assert texts({"labels": [], "scores": {"x": 0.1}})[0] == "—"


def test_entities_stand_in_their_sentence() -> None:
    record = {
        "tokens": ["Ada", "Byron", "saw", "Rome"],
        "tags": ["B-per", "I-per", "O", "B-place"],
        "entities": [
            {"type": "place", "text": "Rome", "start": 3, "end": 4},
            {"type": "per", "text": "Ada Byron", "start": 0, "end": 2},
        ],
    }
    assert texts(record) == ["Ada Byron [per] saw Rome [place]"]


def test_text_keeps_its_lines_behind_its_name() -> None:
    record = {"prompt": "once", "continuation": "upon\na time"}
    assert texts(record) == ["prompt        once", "continuation  upon", "              a time"]


def test_a_single_value_stands_alone() -> None:
    assert texts({"value": 3.25}) == ["3.2500"]
    assert texts({"answer": "", "score": 0.5}) == ["answer  —", "score   0.5000"]


def test_nothing_from_outside_is_interpreted() -> None:
    shown = texts({"answer": "[red]x[/red]\x1b[2J", "scores": {"[/b]\x07": 1.0}, "label": "[/x]"})
    assert shown[0] == "[/x]   [red]x[/red]␛[2J"
    assert shown[1].split()[0] == "[/b]␇"
    assert texts({"value": "[red]x[/red]\x1b[2J"}) == ["[red]x[/red]␛[2J"]


def test_many_records_have_a_line_each_and_the_rest_is_counted() -> None:
    records = [{"label": "a", "score": 0.5, "scores": {"a": 0.5}}] * (MOST + 7)
    lines = [line.plain for line in answer_lines(records)]
    assert len(lines) == MOST + 1
    of_more = [line.plain for line in answer_lines(records, count=1_400_000)]
    assert of_more[-1] == f"… and {1_400_000 - MOST:,} more"
    assert lines[0].split() == ["1", "a", "0.5000"]
    assert lines[-1] == "… and 7 more"
    assert len(answer_lines(records[:AT_LENGTH])) == 2 * AT_LENGTH


def test_a_query_shows_its_nearest_passages_and_a_vector_its_first_numbers() -> None:
    found = [{"text": "an apple", "score": 0.75}, {"text": "a [b]lemon", "score": -0.5}]
    vector = [0.125] * 384
    assert texts({"nearest": found, "embedding": vector}) == [
        "cosine  0.750  an apple",
        "cosine -0.500  a [b]lemon",
    ]
    [line] = texts({"embedding": vector})
    assert line.startswith("384 numbers: 0.1250, 0.1250")
    assert line.endswith("…")
    lines = [line.plain for line in answer_lines([{"embedding": vector}] * 5)]
    assert all("384 numbers" in line for line in lines)


def test_forecasts_of_several_series_stand_in_columns_with_their_names() -> None:
    records = [
        {"shop": shop, "day": f"2024-01-0{day}", "sales": 100.0 * day, "sales 0.1": 9.5 * day}
        for shop in ("a", "Zürich") for day in (1, 2)
    ]  # fmt: skip
    head, *rows = [line.plain.split() for line in answer_lines(records)]
    assert head == ["shop", "day", "sales", "sales", "0.1"]
    assert rows[2] == ["3", "Zürich", "2024-01-01", "100", "9.5000"]
    lines = [line.plain for line in answer_lines(records)]
    assert len({len(line) for line in lines}) == 1
    assert lines[0].index("day") == lines[3].index("2024")


@pytest.mark.parametrize("value", ["long " * 20, "two\nlines", ["a"]])
def test_records_with_texts_of_any_length_have_a_line_each(value: Any) -> None:
    lines = [line.plain for line in answer_lines([{"text": value, "score": 0.5}] * 5)]
    assert len(lines) == 5
