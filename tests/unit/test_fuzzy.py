"""Fuzzy matching of typed words with names and paths."""

from __future__ import annotations

import pytest

from tui.format.fuzzy import match

BEST_FIRST = [
    ("cust", ["customers.csv", "new customers.csv", "locust.csv", "cust/rows.csv", "c-u-s-t.csv"]),
    ("train csv", ["train.csv", "retrain.csv", "train/a.csv"]),
    ("gew", ["Gewicht", "Ungewiss", "Großer Weg"]),
]


@pytest.mark.parametrize(("typed", "names"), BEST_FIRST)
def test_starts_of_words_come_before_parts_and_parts_before_single_letters(typed, names) -> None:
    ranks = [match(typed, name).rank for name in names]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("typed", ["tsuc", "customersx", "csv parquet"])
def test_letters_in_another_order_and_missing_words_do_not_match(typed) -> None:
    assert match(typed, "customers.csv") is None


def test_the_places_are_those_of_the_typed_letters() -> None:
    assert match("usto", "customers.csv").places == (1, 2, 3, 4)
    assert match("cv", "customers.csv").places == (0, 12)
    assert not match("cv", "customers.csv").close


def test_letters_that_become_two_when_lowered_keep_the_places_right() -> None:
    text = "İİx.csv"
    assert [text[place] for place in match("x.c", text).places] == list("x.c")


def test_long_names_of_equal_letters_take_no_time() -> None:
    assert match("a" * 30 + "b", "a" * 5000) is None
