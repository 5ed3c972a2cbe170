"""The connection to a host: retried when it is cut, explained where it fails, never waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.config.run_config import RunConfig
from engine.errors import RunError, UserError
from engine.files.paths import runs_folder
from engine.processes.identity import ProcessIdentity
from engine.queue import entries
from engine.runs.annotations import read_annotations
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Progress, Started
from engine.runs.origin import left_on_host
from engine.runs.status import State
from tui.hosts import connection, pending_requests, sockets, ssh
from tui.hosts.address import Address, parse_hosts
from tui.hosts.fetch import fetch
from tui.hosts.host import Host
from tui.hosts.hosts import Hosts
from tui.hosts.ssh import command

GREETING = '{"type":"hello","protocol":3,"version":"0.1.0"}'


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.02)


class Box:
    """A machine of its own, as far as its folders tell, that answers without SSH."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.told: list[tuple[str, bool]] = []
        self.host: Host | None = None

    def command(self, address: Address, sockets: Path) -> list[str]:
        program = [sys.executable, "-m", "tui", "--stdio"]
        return ["env", f"DLTUI_HOME={self.home}", *program]

    def connect(self, make: Callable[[Address, Path], list[str]] | None = None) -> Host:
        self.host = Host(
            Address("gpu1"),
            Path("/tmp"),
            lambda text, error: self.told.append((text, error)),
            make or self.command,
        )
        self.host.connection.start()
        return self.host

    def run(self) -> RunDirectory:
        values: dict[str, Any] = {
            "name": "digits",
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin"},
            "model": {"kind": "cnn"},
        }
        return RunDirectory.create(self.home / "runs", RunConfig.parse(values))

    def close(self) -> None:
        if self.host is not None:
            self.host.connection.end()
            self.host.connection.join(10)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    monkeypatch.setattr(connection, "_SHORTEST_WAIT", 0.05)
    monkeypatch.setattr(ssh, "_END_SECONDS", 0.5)
    box = Box(tmp_path / "box")
    yield box
    box.close()


def says(tmp_path: Path, script: str) -> Callable[[Address, Path], list[str]]:
    """A host that is a script in Python."""
    path = tmp_path / "host.py"
    path.write_text("import sys, time\n" + textwrap.dedent(script))
    return lambda address, sockets: [sys.executable, "-S", str(path)]


def progress(step: int) -> Progress:
    return Progress(step=step, steps=99, epoch=0.1, epochs=4, loss=1.0, learning_rate=1e-3)


def test_a_run_is_followed_across_a_cut_connection(box: Box) -> None:
    run = box.run()
    run.status.set_worker(ProcessIdentity.own())
    log = EventLog(run.events.path)
    log.write(Started(device="cpu", precision="float32", threads=1))
    host = box.connect()
    wait_until(lambda: [row.state for row in host.mirror.rows] == [State.RUNNING])
    mirrored = host.runs.load(run.id, whole=True)
    assert mirrored.config.read() == run.config.read()
    log.write(progress(1))
    wait_until(lambda: mirrored.events.path.read_bytes() == run.events.path.read_bytes())
    os.kill(host.connection.pid, signal.SIGKILL)
    log.write(progress(2))
    wait_until(lambda: mirrored.events.path.read_bytes() == run.events.path.read_bytes())
    log.close()
    assert [text for text, _ in box.told] == [
        "gpu1 is not reachable: the connection was closed.",
        "gpu1 is reachable again.",
    ]


def test_lines_that_were_lost_on_the_way_are_sent_again(box: Box, monkeypatch) -> None:
    run = box.run()
    log = EventLog(run.events.path)
    log.write(progress(0))
    host = box.connect()
    mirrored = host.runs.load(run.id, whole=True)
    lost: list[object] = []
    take = host.mirror.take_events
    monkeypatch.setattr(
        host.mirror, "take_events", lambda each: take(each) if lost else not lost.append(each)
    )
    log.write(progress(1))
    wait_until(lambda: lost)
    log.write(progress(2))
    wait_until(lambda: mirrored.events.path.read_bytes() == run.events.path.read_bytes())
    log.close()


def test_a_request_of_a_screen_reaches_the_run_even_after_a_cut(box: Box) -> None:
    run = box.run()
    host = box.connect()
    mirrored = host.runs.load(run.id, whole=True)
    mirrored.requests.send(Request("learning_rate", {"value": 0.5}))
    wait_until(lambda: run.requests.waits("learning_rate"))
    wait_until(lambda: not list(mirrored.requests.path.iterdir()))
    (request,) = run.requests.take()
    assert request.arguments == {"value": 0.5}
    host.runs.unfollow()
    os.kill(host.connection.pid, signal.SIGKILL)
    mirrored.requests.send(Request("stop"))
    wait_until(lambda: run.requests.waits("stop"))


def test_a_request_that_is_too_old_is_dropped_and_said(box: Box, monkeypatch) -> None:
    monkeypatch.setattr(pending_requests, "OLDEST_SECONDS", -1.0)
    run = box.run()
    mirrored = box.connect().runs.load(run.id, whole=True)
    mirrored.requests.send(Request("stop"))
    wait_until(lambda: any("too old" in text for text, _ in box.told))
    assert not list(mirrored.requests.path.iterdir())
    assert not run.requests.waits("stop")


def test_changes_are_made_on_the_host_and_refusals_are_said(box: Box) -> None:
    run = box.run()
    host = box.connect()
    notes = read_annotations(run)
    host.annotate(run.id, type(notes)(("kept",), "", True))
    assert read_annotations(run).tags == ("kept",)
    wait_until(lambda: [row.notes.tags for row in host.mirror.rows] == [("kept",)])
    with pytest.raises(RunError, match="gpu1: There is no run"):
        host.stop("other")
    host.discard(run.id)
    wait_until(lambda: not host.mirror.rows)


def test_a_fetched_run_is_a_run_of_this_machine(box: Box) -> None:
    run = box.run()
    (run.model / "part").mkdir(parents=True)
    weights = os.urandom(1_500_000)
    (run.model / "part" / "weights").write_bytes(weights)
    (run.checkpoints / "step-1").write_bytes(b"large")
    (runs_folder() / run.id).mkdir(parents=True)  # an id may be taken
    fetched = box.connect().fetch(run.id)
    assert fetched.path == runs_folder() / f"{run.id}-2"
    assert (fetched.model / "part" / "weights").read_bytes() == weights
    assert not list(fetched.checkpoints.iterdir())
    assert {path.name for path in runs_folder().iterdir()} == {run.id, fetched.id}


@pytest.mark.parametrize(
    ("path", "problem"), [("../stolen", "refused"), ("model/weights", "has changed")]
)
def test_a_fetched_file_that_is_another_one_leaves_nothing(
    tmp_path: Path, path: str, problem: str
) -> None:
    entry = {"path": path, "size": 1, "sha256": "0" * 64}
    files = json.dumps({"type": "files", "number": 1, "files": [entry]})
    part = json.dumps({"type": "part", "number": 2, "data": "eA=="})
    script = f"""
    print({GREETING!r}, flush=True)
    for line in sys.stdin:
        print({files!r} if '"list"' in line else {part!r}, flush=True)
    """
    address = Address("gpu1")
    command = says(tmp_path, script)(address, tmp_path)
    with pytest.raises(RunError, match=problem):
        fetch(address, command, "20260101-000000-a", lambda come, total: None)
    assert not list(runs_folder().iterdir())
    assert not (tmp_path / "home" / "stolen").exists()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("sys.exit('ssh: Could not resolve hostname gpu1')", "Could not resolve hostname gpu1."),
        ("print('dltui: error: unrecognized --stdio', file=sys.stderr); sys.exit(2)", "too old"),
        ("sys.exit(127)", "gpu1:venv/bin/dltui"),
        (
            "print('Host key verification failed.', file=sys.stderr); sys.exit(255)",
            "Run `ssh gpu1` once",
        ),
        ("print('x: Permission denied (publickey).', file=sys.stderr); sys.exit(255)", "ssh-agent"),
        (
            "print('Connection to UNKNOWN port 65535 timed out.', file=sys.stderr); sys.exit(255)",
            "Connection to it through its proxy timed out.",
        ),
        ('print(\'{"type":"hello","protocol":4,"version":"9"}\', flush=True)', "protocol 4"),
        (f"print('{GREETING}'); print('x' * (2 << 20), flush=True); time.sleep(60)", "longer"),
        (f"print('{GREETING}'); print('hello?', flush=True); time.sleep(60)", "Invalid JSON"),
        ("print('motd\\n' * 500, flush=True); time.sleep(60)", "prints too much"),
    ],
)
def test_a_host_that_cannot_be_used_is_explained(
    box: Box, tmp_path: Path, script: str, problem: str
) -> None:
    host = box.connect(says(tmp_path, script))
    wait_until(lambda: box.told)
    text, error = box.told[0]
    assert error
    assert text.startswith("gpu1 is not reachable: ")
    assert problem in text
    wait_until(lambda: host.link.standing.phase == "gone")
    with pytest.raises(RunError, match="gpu1 is not "):
        host.runs.load("a", whole=True)


def test_the_same_problem_is_said_once_and_tried_again_ever_later(
    box: Box, tmp_path: Path, monkeypatch
) -> None:
    waits: list[float | None] = []
    wait = threading.Event.wait

    def recorded(event: threading.Event, seconds: float | None = None) -> bool:
        # Threads of other packages, such as tqdm's, wait as well.
        if threading.current_thread().name != "host-gpu1":
            return wait(event, seconds)
        waits.append(seconds)
        return True

    monkeypatch.setattr(threading.Event, "wait", recorded)
    monkeypatch.setattr(connection, "_LONGEST_WAIT", 0.4)
    box.connect(says(tmp_path, "sys.exit('no route')"))
    wait_until(lambda: len(waits) > 6)
    waited = [seconds for seconds in waits if seconds is not None]
    assert waited[:5] == [0.05, 0.1, 0.2, 0.4, 0.4]
    assert len(box.told) == 1


def test_an_internal_error_is_shown_reported_once_and_retried(box: Box, monkeypatch) -> None:
    run = box.run()
    failures, reports = [KeyError("broken"), KeyError("broken")], []
    host = box.host = Host(
        Address("gpu1"),
        Path("/tmp"),
        lambda text, error: box.told.append((text, error)),
        box.command,
        lambda error: reports.append(error) or "Internal error: KeyError.",
    )
    take = host.mirror.take_rows

    def fail(message: Any) -> None:
        if failures:
            raise failures.pop()
        take(message)

    monkeypatch.setattr(host.mirror, "take_rows", fail)
    host.connection.start()
    wait_until(lambda: [row.id for row in host.mirror.rows] == [run.id])
    assert host.link.standing.phase == "connected"
    assert box.told[0] == ("gpu1 is not reachable: Internal error: KeyError.", True)
    assert [type(error) for error in reports] == [KeyError]


def test_the_queue_of_a_host_is_shown_and_ordered(box: Box, monkeypatch) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(box.home))
    first, second = box.run(), box.run()
    for run in (first, second):
        entries.append(run)
    host = box.connect()

    def queue() -> list[str]:
        queued = host.link.standing.queue
        return [] if queued is None else [each.run for each in queued.runs]

    wait_until(lambda: queue() == [first.id, second.id])
    host.change_queue("later", first.id)
    wait_until(lambda: queue() == [second.id, first.id])
    host.change_queue("remove", second.id)
    wait_until(lambda: queue() == [first.id])
    assert [entry.run.id for entry in entries.entries()] == [first.id]
    with pytest.raises(RunError, match="gpu1: The queue has no run called"):
        host.change_queue("remove", second.id)


def test_a_file_that_is_too_large_is_said_and_not_sent(box: Box) -> None:
    run = box.run()
    with run.report.path.open("wb") as file:
        file.truncate(17 << 20)
    mirrored = box.connect().runs.load(run.id, whole=True)
    assert not mirrored.report.path.exists()
    assert left_on_host(mirrored) == {"report.json": 17 << 20}
    wait_until(lambda: any("report.json" in text and "18 MB" in text for text, _ in box.told))
    run.report.path.write_text("{}")
    wait_until(mirrored.report.path.exists)
    assert not left_on_host(mirrored)


def test_what_a_login_prints_before_the_greeting_does_no_harm(box: Box, tmp_path: Path) -> None:
    script = f"print('Welcome! \\x1b[2J'); print('{GREETING}', flush=True); time.sleep(60)"
    host = box.connect(says(tmp_path, script))
    wait_until(lambda: host.link.standing.phase == "connected")
    assert not box.told


def test_another_version_of_the_same_protocol_is_said(box: Box, tmp_path: Path) -> None:
    other = GREETING.replace("0.1.0", "0.0.9")
    host = box.connect(says(tmp_path, f"print('{other}', flush=True); time.sleep(60)"))
    wait_until(lambda: box.told)
    assert box.told == [("gpu1 has dltui 0.0.9, this is 0.1.0.", False)]
    assert host.link.standing.note


def test_a_host_that_hangs_is_given_up_and_holds_nothing_up(box: Box, monkeypatch) -> None:
    run = box.run()
    host = box.connect()
    wait_until(lambda: host.mirror.rows)
    for process in psutil.Process(host.connection.pid).children(recursive=True) or [
        psutil.Process(host.connection.pid)
    ]:
        process.suspend()
    for place in range(100):
        host.runs.follow(f"{run.id}-{place}", whole=True)
    assert host.link.standing.phase == "connected", "none of them waited for the time-out"
    # Only now: a loaded machine may take longer than this to answer for the first time.
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.5)
    wait_until(lambda: any("not answered for" in text for text, _ in box.told))


def test_the_other_side_ends_with_the_connection(box: Box) -> None:
    host = box.connect()
    wait_until(lambda: host.link.standing.machine is not None)
    process = psutil.Process(host.connection.pid)
    everything = [process, *process.children(recursive=True)]
    host.connection.end()
    host.connection.join(60)
    psutil.wait_procs(everything, 60)
    assert not any(each.is_running() for each in everything)


def test_hosts_are_named_as_for_ssh() -> None:
    found = parse_hosts(["gpu1, me@gpu2.example:venv/bin/dltui", "gpu3:~/d"])
    assert found == (
        Address("gpu1"),
        Address("me@gpu2.example", "venv/bin/dltui"),
        Address("gpu3", "~/d"),
    )
    for text in ("-oProxyCommand=x", "a b", "..", "a/b", "gpu1:", "gpu1:x;rm", "gpu1:$(x)", "a,a"):
        with pytest.raises(UserError):
            parse_hosts([text])


def test_ssh_never_asks_forwards_or_leaves_a_connection(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without ssh there is no master connection
    words = command(Address("gpu1", "~/d"), tmp_path)
    assert words[-4:] == ["--", "gpu1", "~/d", "--stdio"]
    for option in ("BatchMode=yes", "ClearAllForwardings=yes", "ControlPersist=no"):
        assert f"-o{option}" in words


def test_each_name_has_a_connection_of_its_own(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    names = ["gpu1", "gpu2", "a-long-name." * 20]  # gpu1 and gpu2 may be of one machine
    words = [command(Address(name), Path("/tmp/dltui-1234567-abcdefgh")) for name in names]
    paths = [word for each in words for word in each if word.startswith("-oControlPath=")]
    assert len(set(paths)) == 3
    # ssh adds 17 bytes while it makes a socket, whose path has 104 at most.
    assert max(len(path.removeprefix("-oControlPath=")) for path in paths) + 17 < 104


def test_the_command_of_a_proxy_ends_with_the_connection(monkeypatch) -> None:
    monkeypatch.setattr(ssh, "_END_SECONDS", 0.02)
    channel = ssh.Channel(["sh", "-c", "sleep 1000 & echo $!; wait"])
    (line,) = channel.receive(60)
    proxy = psutil.Process(int(line))
    channel.close()
    wait_until(lambda: not proxy.is_running() or proxy.status() == psutil.STATUS_ZOMBIE)


def test_sockets_of_a_killed_program_are_removed_by_the_next(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sockets, "_FOLDER", str(tmp_path))
    left = subprocess.Popen(["true"])
    left.wait()
    names = [f"dltui-{left.pid}-a", f"dltui-{os.getpid()}-b", "dltui-notes-c", "other-1-d"]
    for name in names:
        (tmp_path / name).mkdir()
    folder = sockets.make_folder()
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, *names[1:]}


def test_sockets_are_removed_at_the_end(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told: list[str] = []
    hosts = Hosts([Address("gpu1")], lambda text, error: told.append(text))
    hosts.start()
    folder = hosts._sockets
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    wait_until(lambda: told)
    assert told == ["gpu1 is not reachable: ssh cannot be started: No such file or directory."]
    hosts.end()
    assert not folder.exists()
