"""Headers of images are read by one thread while they come quickly, by several once they do not."""

from __future__ import annotations

import threading

from engine.data.threads import quick_or_in_threads


def test_quick_calls_stay_in_the_thread_that_asks() -> None:
    seen = list(quick_or_in_threads(lambda item: (item, threading.get_ident()), range(1000)))

    assert seen == [(item, threading.get_ident()) for item in range(1000)]


def test_slow_calls_go_to_other_threads_and_keep_their_order() -> None:
    here = threading.get_ident()
    pause = threading.Event()

    def slow(item: int) -> tuple[int, bool]:
        pause.wait(0.002)
        return item, threading.get_ident() == here

    seen = list(quick_or_in_threads(slow, range(200)))

    assert [item for item, _ in seen] == list(range(200))
    own = [item for item, was_here in seen if was_here]
    assert own == list(range(len(own)))  # the first ones alone
    assert 0 < len(own) < 200


def test_one_slow_call_among_quick_ones_changes_nothing() -> None:
    pause = threading.Event()

    def first_is_slow(item: int) -> int:
        if item == 0:
            pause.wait(0.05)
        return threading.get_ident()

    assert set(quick_or_in_threads(first_is_slow, range(500))) == {threading.get_ident()}
