"""The runs that a host is asked to send, and what is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.remote.messages import MOST_FOLLOWED, Events, File, Follow, Row, Rows
from engine.runs.status import State
from tui.hosts.followed_runs import FollowedRuns
from tui.hosts.link import Link, Standing
from tui.hosts.mirror import Mirror


class Followed:
    """Followed runs of a host whose list has some runs."""

    def __init__(self, *names: str) -> None:
        self.mirror, self.link = Mirror("gpu1"), Link("gpu1")
        self.runs = FollowedRuns(self.link, self.mirror)
        rows = (Row(run=n, name=n, state=State.RUNNING, started=1.0, seconds=1.0) for n in names)
        self.mirror.take_rows(Rows(rows=tuple(rows), complete=True))
        self.link.stand(Standing("connected"))

    def asked(self) -> list[str]:
        """The runs that the host is told of, those with all files in capital letters."""
        requests = self.runs.due()
        if not requests:
            return []
        return [one.run.upper() if one.whole else one.run for one in requests[-1].runs]

    def arrive(self, run: str, *, configuration: bool = True) -> None:
        """Take all that there is of a run."""
        if configuration:
            self.mirror.take_file(File(run=run, name="config.toml", stamp="1", data='name = "x"\n'))
        self.runs.current(run)


@pytest.fixture
def followed(home: Path) -> Followed:
    return Followed("a", "b", "c")


def test_the_host_is_told_once(followed: Followed) -> None:
    assert followed.asked() == []
    followed.runs.follow("a", whole=True)
    assert followed.asked() == ["A"]
    assert followed.asked() == []
    followed.runs.follow("a", whole=True)
    assert followed.asked() == []


def test_of_runs_at_the_cursor_only_the_newest_is_followed(followed: Followed) -> None:
    for run in ("a", "b", "c"):
        followed.runs.follow(run, whole=False)
    assert followed.asked() == ["c"]


def test_open_runs_stay_beside_the_one_at_the_cursor(followed: Followed) -> None:
    followed.runs.follow("a", whole=True)
    followed.runs.follow("b", whole=False)
    followed.runs.follow("c", whole=False)
    assert followed.asked() == ["A", "c"]
    followed.runs.follow("b", whole=True)
    assert followed.asked() == ["A", "c", "B"]


def test_an_open_run_at_the_cursor_keeps_all_files(followed: Followed) -> None:
    followed.runs.follow("a", whole=True)
    followed.asked()
    followed.runs.follow("a", whole=False)
    assert followed.asked() == []
    followed.runs.begin()
    assert followed.asked() == ["A"]


def test_a_run_at_the_cursor_that_is_opened_is_asked_for_whole(followed: Followed) -> None:
    followed.runs.follow("a", whole=False)
    assert followed.asked() == ["a"]
    followed.runs.follow("a", whole=True)
    assert followed.asked() == ["A"]


def test_the_oldest_of_too_many_are_followed_no_longer(home: Path) -> None:
    """Half as many as a message may have."""
    names = [f"r{place:02}" for place in range(MOST_FOLLOWED)]
    followed = Followed(*names)
    for name in names:
        followed.runs.follow(name, whole=True)
    followed.runs.follow(names[MOST_FOLLOWED // 2], whole=True)  # is the newest again
    kept = [*names[MOST_FOLLOWED // 2 + 1 :], names[MOST_FOLLOWED // 2]]
    assert followed.asked() == [name.upper() for name in kept]
    assert followed.runs.opened == set(names)


def test_a_new_connection_is_told_all_again(followed: Followed) -> None:
    followed.runs.follow("a", whole=True)
    followed.asked()
    followed.runs.begin()
    assert followed.asked() == ["A"]


def test_to_follow_none_is_told_where_there_was_one(followed: Followed) -> None:
    followed.runs.unfollow()
    assert followed.runs.due() == []
    followed.runs.follow("a", whole=True)
    followed.asked()
    followed.runs.unfollow()
    assert followed.runs.due() == [Follow(runs=())]


def test_what_the_mirror_has_need_not_be_sent_again(followed: Followed) -> None:
    followed.runs.follow("a", whole=True)
    followed.asked()
    followed.mirror.take_file(File(run="a", name="log.txt", stamp="7", data="x"))
    followed.mirror.take_events(Events(run="a", start=0, position=1, data="\n"))
    followed.runs.begin()
    [request] = followed.runs.due()
    [one] = request.runs
    assert (one.position, one.stamps) == (1, {"log.txt": "7"})


def test_a_run_with_a_gap_is_dropped_and_asked_for_again(followed: Followed) -> None:
    """The host forgets it by the first message and begins behind what is known by the second."""
    for run in ("a", "b"):
        followed.runs.follow(run, whole=True)
    followed.asked()
    followed.runs.again("a")
    first, second = followed.runs.due()
    assert [one.run for one in first.runs] == ["b"]
    assert [one.run for one in second.runs] == ["a", "b"]
    assert followed.runs.due() == []


class TestLoading:
    """A thread waits until the mirror has all of a run."""

    @pytest.fixture
    def meanwhile(self, followed: Followed) -> Callable[[Callable[[], None]], None]:
        """Do something in another thread once the run is asked for."""

        def start(work: Callable[[], None]) -> None:
            def wait() -> None:
                if followed.link.wanted.wait(20):
                    work()

            threading.Thread(target=wait, daemon=True).start()

        return start

    def test_a_run_is_loaded_once_all_has_come(
        self, followed: Followed, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        def arrive() -> None:
            assert followed.asked() == ["A"]
            followed.arrive("a")

        meanwhile(arrive)
        run = followed.runs.load("a", whole=True, seconds=20)
        assert run.config.text() == 'name = "x"\n'

    def test_a_run_that_the_host_has_no_more(self, followed: Followed) -> None:
        followed.runs.follow("a", whole=True)
        followed.arrive("a", configuration=False)
        with pytest.raises(RunError, match="gpu1 has no run a any more"):
            followed.runs.load("a", whole=True, seconds=20)

    def test_more_files_of_a_run_are_waited_for(self, followed: Followed) -> None:
        followed.runs.follow("a", whole=False)
        followed.asked()
        followed.arrive("a")
        with pytest.raises(RunError, match="gpu1 has not sent the run within 0 seconds"):
            followed.runs.load("a", whole=True, seconds=0)

    def test_a_run_that_is_followed_no_longer_is_not_complete(self, followed: Followed) -> None:
        followed.runs.follow("a", whole=True)
        followed.asked()
        followed.runs.unfollow()
        followed.arrive("a")
        with pytest.raises(RunError, match="within 0 seconds"):
            followed.runs.load("a", whole=True, seconds=0)

    def test_from_a_host_that_is_gone_there_is_what_came_before(self, followed: Followed) -> None:
        followed.runs.follow("a", whole=True)
        followed.asked()
        followed.arrive("a")
        followed.runs.begin()
        followed.link.stand(Standing("gone", "timed out"))
        assert followed.runs.load("a", whole=True, seconds=20).id == "a"
        with pytest.raises(RunError, match="gpu1 is not reachable: timed out"):
            followed.runs.load("b", whole=True, seconds=20)

    def test_nothing_is_waited_for_at_the_end_of_the_program(self, followed: Followed) -> None:
        followed.link.end()
        with pytest.raises(RunError, match="The program ends"):
            followed.runs.load("a", whole=True, seconds=20)
