"""Positions in bytes, units of UTF-16 and other line ends, against what programs count."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text.answers.text_units import CHARACTERS, UNITS, Unit

BY_NAME = {unit.name: unit for unit in UNITS}
TEXTS = st.lists(st.sampled_from([*"a\n ü€😀", "\r\n"]), max_size=12).map("".join)


def written(unit: Unit, text: str) -> str | bytes:
    """A text as a program that counts in ``unit`` holds it: its length is the number of units."""
    if unit.name == "bytes":
        return text.encode()
    if unit.name == "units of UTF-16":
        return "".join(c if ord(c) < 0x10000 else "xx" for c in text)
    if unit.name == "line ends of two characters as one":
        return text.replace("\r\n", "\n")
    if unit.name == "line ends as two characters":
        return text.replace("\r\n", "\n").replace("\n", "\r\n")
    return text


@given(TEXTS, st.data())
@settings(max_examples=150, deadline=None)
def test_the_units_of_a_beginning_are_the_characters_of_that_beginning(
    text: str, data: st.DataObject
) -> None:
    end = data.draw(st.integers(0, len(text)))
    if text[end - 1 : end + 1] == "\r\n":
        return  # no answer begins within a line end
    for unit in UNITS:
        assert unit.characters(text, len(written(unit, text[:end]))) == end, unit.name


@given(TEXTS, st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_positions_never_lie_beyond_the_text_and_rise_with_the_count(text: str, count: int) -> None:
    for unit in UNITS:
        if unit == CHARACTERS:
            continue
        places = [unit.characters(text, i) for i in range(count + 1)]
        assert places == sorted(places)
        assert places[-1] <= len(text)
        assert places[0] == 0


@pytest.mark.parametrize(
    ("name", "text", "count", "characters"),
    [
        ("bytes", "für alle", 5, 4),
        ("bytes", "für", 2, 1),  # in the middle of a character
        ("units of UTF-16", "😀😀x", 4, 2),
        ("units of UTF-16", "😀x", 1, 0),
        ("line ends of two characters as one", "a\r\nb\nc\r\nd", 6, 8),
        ("line ends of two characters as one", "a\nb", 2, 2),
        ("line ends as two characters", "a\nb\r\nc", 3, 2),
        ("line ends as two characters", "a\nb\r\nc", 6, 5),
    ],
)
def test_each_unit_counts_as_its_programs_do(
    name: str, text: str, count: int, characters: int
) -> None:
    assert BY_NAME[name].characters(text, count) == characters
