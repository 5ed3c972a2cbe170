"""Rules of a decision threshold, and numbers that are typed in dialogs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tasks.threshold import RULES, ThresholdRule, parse_rule
from engine.errors import UserError
from tui.screens.adapters.combine import read_rank


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0.3", ThresholdRule("value", 0.3)),
        (" .5 ", ThresholdRule("value", 0.5)),
        ("f1", ThresholdRule("f1")),
        ("precision 0.9", ThresholdRule("precision", 0.9)),
        ("recall 99e-2", ThresholdRule("recall", 0.99)),
        ("cost 5:1", ThresholdRule("cost", 5, 1)),
        ("cost 0.5 : 2", ThresholdRule("cost", 0.5, 2)),
    ],
)
def test_a_rule_is_a_probability_or_what_it_is_chosen_for(text: str, rule: ThresholdRule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize("text", RULES)
def test_the_examples_are_rules(text: str) -> None:
    assert parse_rule(text).aim == text.partition(" ")[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a number; give 0.3, or f1, precision 0.9"),
        ("0", "0 must be above 0 and below 1"),
        ("1", "must be above 0 and below 1"),
        ("nan", "nan must be above 0 and below 1"),
        ("inf", "inf must be above 0"),
        ("30%", "'30%' is not a number"),
        ("f2", "'f2' is not a number"),
        ("f1 0.5", "is not a number"),
        ("precision", "'' is not a number"),
        ("precision 90", "90 must be above 0 and below 1"),
        ("cost 5", "'' is not a number"),
        ("cost 0:1", "both costs must be above 0"),
        ("cost 1:-1", "both costs must be"),
        ("cost nan:1", "both costs must be"),
        ("cost 1:inf", "both costs must be"),
        ("cost 1:2:3", "'2:3' is not a number"),
    ],
)
def test_anything_else_is_answered_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_rule(text)


@given(st.text(max_size=12))
def test_every_text_is_a_rule_of_numbers_that_can_be_used_or_refused(text: str) -> None:
    try:
        rule = parse_rule(text)
    except ValueError:
        return
    if rule.aim == "cost":
        assert 0 < rule.value < float("inf")
        assert 0 < rule.missed < float("inf")
    else:
        assert rule.aim == "f1" or 0 < rule.value < 1


@pytest.mark.parametrize(("text", "rank"), [("", None), ("  ", None), ("8", 8), (" 016 ", 16)])
def test_a_rank_is_a_whole_number_or_left_empty(text: str, rank: int | None) -> None:
    assert read_rank(text) == rank


@pytest.mark.parametrize("text", ["2.7", "nan", "inf", "-4", "1e3", "٣", "²", "four"])
def test_other_ranks_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="The rank is a whole number"):
        read_rank(text)
