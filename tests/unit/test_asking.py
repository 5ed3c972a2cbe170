"""Requests are matched with the run's answers, and their values are validated."""

from __future__ import annotations

import pytest

from engine.errors import UserError
from engine.runs.control import CHECKPOINT, EVALUATE, Request
from engine.runs.events import Controlled
from tui.screens.monitor.requests import SHOWN_SECONDS, Asking, epochs, learning_rate


def test_answers_go_to_the_requests_of_their_kind_in_order() -> None:
    asking = Asking()
    for action in (CHECKPOINT, EVALUATE, CHECKPOINT):
        asking.ask(Request(action), action, 0.0)
    first, second = (Controlled(request=CHECKPOINT, message=text) for text in ("a", "b"))
    asking.read([first], 1.0)
    asking.read([first, second], 2.0)
    assert [asked.answer for asked in asking.asked] == [first, None, second]


def test_an_answer_that_no_one_here_waits_for_is_passed_over() -> None:
    asking = Asking()
    answer = Controlled(request=EVALUATE, message="Evaluating.")
    assert asking.read([answer], 1.0) == []
    asking.ask(Request(EVALUATE), "evaluate", 2.0)
    assert asking.read([answer], 3.0) == []


def test_an_answer_is_shown_for_a_while_and_a_request_until_it_is_answered() -> None:
    asking = Asking()
    asking.ask(Request(CHECKPOINT), "checkpoint", 0.0)
    asking.ask(Request(EVALUATE), "evaluate", 0.0)
    asking.read([Controlled(request=CHECKPOINT, message="Written.")], 1.0)
    assert len(asking.current(SHOWN_SECONDS)) == 2
    assert [asked.text for asked in asking.current(SHOWN_SECONDS + 1)] == ["evaluate"]
    assert asking.give_up() == ["evaluate"]


def test_of_several_answers_the_newest_is_shown() -> None:
    asking = Asking()
    answers = [Controlled(request=action, message="Done.") for action in (CHECKPOINT, EVALUATE)]
    for answer in answers:
        asking.ask(Request(answer.request), answer.request, 0.0)
    asking.read(answers[:1], 1.0)
    asking.read(answers, 2.0)
    assert [asked.text for asked in asking.current(3.0)] == [EVALUATE]


@pytest.mark.parametrize("text", ["", "x", "0", "-1e-3", "nan", "inf", "1000"])
def test_only_a_rate_that_can_be_trained_with_is_taken(text: str) -> None:
    with pytest.raises(UserError, match="above 0"):
        learning_rate(text)
    assert learning_rate("3e-4") == 3e-4


def test_epochs_are_whole_and_not_fewer_than_begun() -> None:
    assert epochs("12", 4.2) == 12
    with pytest.raises(UserError, match="whole number"):
        epochs("4.5", 0.0)
    with pytest.raises(UserError, match="in epoch 5"):
        epochs("4", 4.2)
