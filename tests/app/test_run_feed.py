"""The feed of run files: a thread that polls, and hands over what is new."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from textual.app import App
from textual.screen import Screen

from engine.errors import UserError
from tui.widgets.run_feed import RunFeed


class Shown(Screen[None]):
    """A screen that shows what its feed hands over."""

    def __init__(self, read: Callable[[], Iterable[int | None]], seconds: float = 0.001) -> None:
        super().__init__()
        self.parts: list[int] = []
        self.threads: set[int] = set()
        self.feed = RunFeed[int](self, read, seconds, self._take)

    def on_mount(self) -> None:
        self.feed.poll()

    def on_unmount(self) -> None:
        self.feed.end()

    def _take(self, part: int) -> None:
        self.parts.append(part)
        self.threads.add(threading.get_ident())


class Counter:
    """A read that hands over the number of polls so far."""

    def __init__(self) -> None:
        self.polls = 0
        self.threads: set[int] = set()

    def read(self) -> Iterator[int | None]:
        self.polls += 1
        self.threads.add(threading.get_ident())
        yield self.polls


async def test_files_are_read_in_a_thread_and_shown_in_the_event_loop(until) -> None:
    counter = Counter()
    async with App[None]().run_test() as pilot:
        screen = Shown(counter.read)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: len(screen.parts) > 3)
        assert screen.parts == sorted(screen.parts)
        assert screen.threads == {threading.get_ident()}
        assert threading.get_ident() not in counter.threads


async def test_a_paused_feed_does_not_poll_and_is_not_woken(until) -> None:
    counter = Counter()
    async with App[None]().run_test() as pilot:
        screen = Shown(counter.read)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.parts)
        screen.feed.pause()
        await pilot.pause(0.1)
        polls = counter.polls
        screen.feed.wake()
        await pilot.pause(0.1)
        assert counter.polls == polls
        screen.feed.poll()
        await until(pilot, lambda: counter.polls > polls)


async def test_a_woken_feed_does_not_wait(until) -> None:
    counter = Counter()
    async with App[None]().run_test() as pilot:
        screen = Shown(counter.read, seconds=600)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.parts == [1])
        screen.feed.wake()
        await until(pilot, lambda: screen.parts == [1, 2])


@pytest.mark.parametrize("paused", [False, True])
async def test_the_thread_ends_with_the_screen(until, paused: bool) -> None:
    counter = Counter()
    async with App[None]().run_test() as pilot:
        screen = Shown(counter.read, seconds=600)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.parts)
        if paused:
            screen.feed.pause()
            screen.feed.wake()
        screen.dismiss()
        await until(pilot, lambda: all(worker.is_finished for worker in pilot.app.workers))
    assert counter.polls == 1


async def test_reading_continues_once_the_first_part_is_painted(until, monkeypatch) -> None:
    monkeypatch.setattr("tui.widgets.run_feed._PAINT_SECONDS", 600)
    painted: list[bool] = []

    def read() -> Iterator[int | None]:
        yield 1
        yield None
        painted.append(True)

    async with App[None]().run_test() as pilot:
        screen = Shown(read, seconds=600)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.parts)
        await until(pilot, lambda: painted)


@pytest.mark.parametrize("error", [UserError("The folder is gone."), PermissionError("not yours")])
async def test_an_error_is_shown_and_ends_the_feed(until, error: Exception) -> None:
    polls = []

    def read() -> Iterator[int | None]:
        polls.append(True)
        raise error
        yield None

    async with App[None]().run_test() as pilot:
        await pilot.app.push_screen(Shown(read))
        await until(pilot, lambda: pilot.app._notifications)
        (notification,) = pilot.app._notifications
        assert str(error) in notification.message
        await pilot.pause(0.05)
        assert len(polls) == 1
