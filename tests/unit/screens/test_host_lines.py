"""A line for each host, and its queue, as far as it has sent them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.queue import entries
from engine.remote.messages import ChangeQueue, Done, Gpu, Machine, Queued, QueuedRun, Row, Rows
from engine.runs.status import State
from tui.hosts.address import Address
from tui.hosts.host import Host
from tui.hosts.hosts import Hosts
from tui.hosts.link import Standing
from tui.screens.placed_queue import HostQueue, OwnQueue, QueuedRow, QueueShown, queues
from tui.screens.runs.host_lines import host_line, host_lines

GIGA = 10**9
CPU = "CPU ████····"
"""The gauge of a processor that is half used."""


@pytest.fixture
def make(home: Path) -> Callable[..., Host]:
    """Make a host that is never connected, with a standing."""

    def made(name: str = "gpu1", **standing: Any) -> Host:
        host = Host(Address(name), home / "sockets", lambda text, error: None)
        host.link.stand(Standing(**{"phase": "connected"} | standing))
        return host

    return made


def machine(**more: Any) -> Machine:
    return Machine(
        cpu_percent=50.0, memory=16 * GIGA, memory_total=64 * GIGA, free=500 * GIGA, **more
    )


def words(host: Host) -> list[str]:
    """The parts of a host's line behind its name, in a column of 12 cells."""
    text = host_line(host).plain
    assert text[:13].strip() == host.name[:12]
    return text[13:].split("   ")


def row(run: str, state: State) -> Row:
    return Row(run=run, name="x", state=state, started=1.0, seconds=1.0)


def test_a_connected_host_tells_how_many_runs_are_running(make: Callable[..., Host]) -> None:
    host = make()
    assert words(host) == ["0 running"]
    states = [State.RUNNING, State.FINISHED, State.RUNNING, State.QUEUED]
    host.mirror.take_rows(Rows(rows=tuple(row(f"r{i}", s) for i, s in enumerate(states))))
    assert words(host) == ["2 running"]


def test_gpus_and_queue_come_before_the_rest(make: Callable[..., Host]) -> None:
    gpus = (
        Gpu(name="A", memory=30 * GIGA, memory_total=40 * GIGA, load=99.6),
        Gpu(name="B", memory=0, memory_total=40 * GIGA),
    )
    host = make(machine=machine(gpus=gpus, waiting=3, working=True))
    assert words(host) == [
        "0 running",
        "GPU 0 ██████·· 100 %, 30.0 GB of 40.0 GB",
        "GPU 1 ········ 0 B of 40.0 GB",
        "queue 3",
        f"{CPU} 50 %",
        "memory ██······ 16.0 GB of 64.0 GB",
        "disk 500.0 GB free",
    ]


@pytest.mark.parametrize(
    ("waiting", "working", "said"),
    [(0, False, []), (0, True, []), (2, True, ["queue 2"]), (1, False, ["queue 1, not started"])],
)
def test_a_queue_is_told_if_there_is_one(
    make: Callable[..., Host], waiting: int, working: bool, said: list[str]
) -> None:
    host = make(machine=machine(waiting=waiting, working=working))
    assert [part for part in words(host) if part.startswith("queue")] == said


def test_a_gpu_without_memory_has_an_empty_gauge(make: Callable[..., Host]) -> None:
    host = make(machine=machine(gpus=(Gpu(load=0.0),)))
    assert words(host)[1] == "GPU 0 ········ 0 %, 0 B of 0 B"


def test_a_run_that_is_fetched_and_a_remark_are_told(make: Callable[..., Host]) -> None:
    host = make(note="has dltui 0.0.9")
    host.fetching = 5 * 10**6, 10**9
    assert words(host) == ["0 running", "fetching 5.0 MB of 1.0 GB", "has dltui 0.0.9"]


def test_a_host_that_is_gone_tells_why_and_when_it_is_tried_again(
    make: Callable[..., Host],
) -> None:
    before = time.time()
    host = make(phase="gone", problem="No route to host", retry=time.monotonic() + 3600)
    [line] = words(host)
    moments = (datetime.fromtimestamp(before + 3600 + late) for late in range(-1, 60))
    assert line in {
        f"not reachable, tried again at {moment:%H:%M:%S}: No route to host" for moment in moments
    }


def test_a_host_that_is_tried_again_still_tells_why(make: Callable[..., Host]) -> None:
    host = make(phase="connecting", problem="[red]timed out\x1b[2J")
    assert words(host) == ["not reachable, tried again now: [red]timed out␛[2J"]


def test_a_host_that_is_connected_for_the_first_time(make: Callable[..., Host]) -> None:
    assert words(make(phase="connecting")) == ["connecting …"]


@pytest.mark.parametrize(
    ("count", "gone", "shown"),
    [
        (0, [], []),
        (4, [], ["h0", "h1", "h2", "h3"]),
        (5, [], ["h0", "h1", "h2", "and 2 more hosts"]),
        (6, [5], ["h0", "h1", "h5", "and 3 more hosts"]),
        (6, [2, 3, 4, 5], ["h2", "h3", "h4", "and 3 more hosts"]),
    ],
)
def test_of_many_hosts_those_with_a_problem_are_shown(
    make: Callable[..., Host], count: int, gone: list[int], shown: list[str]
) -> None:
    """In four lines, in the order in which the user named them."""
    hosts = [make(f"h{n}", phase="gone" if n in gone else "connected") for n in range(count)]
    found = [line.plain for line in host_lines(hosts)]
    assert [text if "more hosts" in text else text.split()[0] for text in found] == shown


class TestQueueOfAHost:
    """The queue as it was last sent."""

    def test_runs_are_numbered_from_the_head_on(self, make: Callable[..., Host]) -> None:
        runs = (
            QueuedRun(run="a", state=State.RUNNING, device="1"),
            QueuedRun(run="b", state=State.QUEUED),
        )
        queue = HostQueue(make(queue=Queued(runs=runs, more=7, running=True)))
        assert queue.machine == "gpu1"
        assert queue.read() == QueueShown(
            [QueuedRow(1, "a", State.RUNNING, "1"), QueuedRow(2, "b", State.QUEUED, "")], True, 7
        )

    def test_a_queue_that_was_never_sent_is_a_problem(self, make: Callable[..., Host]) -> None:
        shown = HostQueue(make()).read()
        assert shown == QueueShown((), False, problem="gpu1 has not sent it yet.")

    def test_the_queue_of_a_host_that_is_gone_stays_with_the_reason(
        self, make: Callable[..., Host]
    ) -> None:
        runs = (QueuedRun(run="a", state=State.QUEUED),)
        shown = HostQueue(make(phase="gone", problem="timed out", queue=Queued(runs=runs))).read()
        assert [one.run for one in shown.rows] == ["a"]
        assert shown.problem == "gpu1 is not reachable: timed out"

    @pytest.mark.parametrize(
        ("change", "action", "run"),
        [
            (lambda queue: queue.start(), "start", None),
            (lambda queue: queue.stop(), "stop", None),
            (lambda queue: queue.move("a", -1), "earlier", "a"),
            (lambda queue: queue.move("a", 1), "later", "a"),
            (lambda queue: queue.remove("a"), "remove", "a"),
        ],
    )
    def test_changes_are_requests_to_the_host(
        self, make: Callable[..., Host], change: Any, action: str, run: str | None,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        host, sent = make(), list[ChangeQueue]()

        def call(request: Callable[[int], ChangeQueue]) -> Done:
            sent.append(request(9))
            return Done(number=9)

        monkeypatch.setattr(host._calls, "call", call)
        change(HostQueue(host))
        assert sent == [ChangeQueue(number=9, action=action, run=run)]

    def test_a_host_that_is_gone_cannot_be_asked(self, make: Callable[..., Host]) -> None:
        with pytest.raises(RunError, match="gpu1 is not reachable: timed out"):
            HostQueue(make(phase="gone", problem="timed out")).start()


class TestOwnQueue:
    """The queue of this machine, in files."""

    @pytest.fixture
    def runs(self, home: Path) -> list[str]:
        """Three runs in the queue, from its head on."""
        config = RunConfig.parse({
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "builtin", "name": "iris"},
            "model": {"kind": "mlp"},
        })  # fmt: skip
        return [entries.add(config.override([f"name={name}"])).id for name in "abc"]

    def test_an_empty_queue(self) -> None:
        assert OwnQueue().read() == QueueShown([], False)

    def test_without_hosts_there_is_only_this_queue(self) -> None:
        assert [queue.machine for queue in queues(Hosts())] == [""]

    def test_runs_change_places_and_leave(self, runs: list[str]) -> None:
        a, b, c = runs
        queue = OwnQueue()
        queue.move(c, -1)
        assert [one.run for one in queue.read().rows] == [a, c, b]
        queue.move(a, 1)
        queue.remove(c)
        assert queue.read().rows == [
            QueuedRow(1, a, State.QUEUED, ""), QueuedRow(2, b, State.QUEUED, ""),
        ]  # fmt: skip

    def test_a_run_of_no_queue_is_refused(self, runs: list[str]) -> None:
        with pytest.raises(RunError, match="The queue has no run called 'other'"):
            OwnQueue().remove("other")
