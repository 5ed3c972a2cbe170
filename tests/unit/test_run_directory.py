"""The state of a run, derived from its files and from real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine import RunConfig
from engine.errors import RunError, TrainingError
from engine.launch.attempt import attempt
from engine.processes.identity import ProcessIdentity
from engine.processes.spawn import open_log
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import (
    CheckpointSaved,
    Event,
    EventLog,
    Failed,
    Finished,
    Interrupted,
    Log,
    Progress,
    Started,
    Stopped,
)
from engine.runs.follower import read_history
from engine.runs.log_file import LOG_BYTES, trim_log, trim_logs
from engine.runs.session import RunSession
from engine.runs.status import State

CONFIG = RunConfig.parse(
    {
        "name": "digits",
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn"},
    }
)
STARTED = {"device": "cpu", "precision": "float32", "threads": 1}
HOLD = """
import sys, time
from pathlib import Path
from engine.runs.directory import RunDirectory
from engine.processes.identity import ProcessIdentity
run = RunDirectory(Path(sys.argv[1]))
with run.lock.hold():
    run.status.set_worker(ProcessIdentity.own())
    print("held", flush=True)
    time.sleep(600)
"""

MAKE = """
import json, sys
from pathlib import Path
from engine import RunConfig
from engine.runs.directory import RunDirectory
for _ in range(10):
    RunDirectory.create(Path(sys.argv[1]), RunConfig.parse(json.loads(sys.argv[2])))
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "runs", CONFIG)


@pytest.fixture
def holder(run: RunDirectory) -> Iterator[subprocess.Popen[bytes]]:
    """A process that works on the run without writing events."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(run.path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def say(run: RunDirectory, *events: Event) -> None:
    with EventLog(run.events.path) as log:
        for event in events:
            log.write(event)


def finished() -> Finished:
    return Finished(step=1, seconds=1.0)


def test_a_new_run_is_queued_and_its_files_are_the_owners_alone(run: RunDirectory) -> None:
    assert run.status.state() is State.QUEUED
    assert run.config.read() == CONFIG
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert (run.path / "config.toml").stat().st_mode & 0o777 == 0o600


def test_a_run_is_running_while_its_process_lives_and_lost_afterwards(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    say(run, Started(**STARTED))
    assert run.status.state() is State.RUNNING
    holder.kill()
    holder.wait()
    assert run.status.state() is State.LOST


def test_a_process_that_ended_but_was_not_waited_for_is_gone(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    holder.kill()
    while run.status.state() is State.RUNNING:
        time.sleep(0.01)
    assert run.status.state() is State.LOST


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (finished(), State.FINISHED),
        (Stopped(step=1, seconds=1.0), State.STOPPED),
        (Interrupted(step=1, seconds=1.0), State.INTERRUPTED),
        (Failed(message="x"), State.FAILED),
    ],
)
def test_the_last_word_says_how_a_run_ended(run: RunDirectory, event: Event, state: State) -> None:
    run.status.set_worker(ProcessIdentity.own())
    say(run, Started(**STARTED), replace(event, time=time.time()))
    assert run.status.state() is state


def test_a_torn_line_after_the_last_word_changes_nothing(run: RunDirectory) -> None:
    say(run, finished())
    with run.events.path.open("a") as file:
        file.write('{"event":"prog')
    assert run.status.state() is State.FINISHED


def test_a_later_worker_makes_an_ended_run_run_again(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    say(run, Interrupted(step=1, seconds=1.0))
    run.status.set_worker(ProcessIdentity.of(holder.pid))
    assert run.status.state() is State.RUNNING


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_is_set_while_a_worker_runs_does_not_lose_it(
    run: RunDirectory, seconds: float
) -> None:
    worker = ProcessIdentity.own()
    assert worker.since_boot is not None
    earlier = replace(worker, started=worker.started + seconds)
    run.status.set_worker(earlier)
    assert run.status.state() is State.RUNNING
    run.status.set_worker(replace(earlier, since_boot=worker.since_boot + seconds))
    assert run.status.state() is State.LOST


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_run_has_ended_whatever_the_clock_said_at_its_end(
    run: RunDirectory, seconds: float
) -> None:
    run.status.set_worker(ProcessIdentity.own())
    say(run, replace(finished(), time=time.time() + seconds))
    assert run.status.state() is State.FINISHED
    run.status.set_worker(ProcessIdentity.own())
    assert run.status.state() is State.RUNNING


@pytest.mark.parametrize("earlier", [None, 10**6, -1, "many"])
def test_without_a_position_the_time_of_the_last_event_counts(
    run: RunDirectory, earlier: object
) -> None:
    run.status.set_worker(ProcessIdentity.own())
    file = run.path / "worker.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "events": earlier}))
    say(run, replace(finished(), time=record["noted"] - 1))
    assert run.status.state() is State.RUNNING
    say(run, replace(finished(), time=record["noted"] + 1))
    assert run.status.state() is State.FINISHED


def test_a_worker_that_an_earlier_version_recorded_is_found(run: RunDirectory) -> None:
    run.status.set_worker(ProcessIdentity.own())
    file = run.path / "worker.json"
    record = json.loads(file.read_text())
    del record["since_boot"], record["events"], record["namespace"]
    file.write_text(json.dumps(record))
    assert run.status.state() is State.RUNNING


def test_a_worker_that_is_gone_before_it_said_anything_is_lost(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    say(run, Interrupted(step=1, seconds=1.0))
    run.status.set_worker(ProcessIdentity.of(holder.pid))
    holder.kill()
    holder.wait()
    assert run.status.state() is State.LOST


def test_the_number_of_a_process_that_another_one_has_now_counts_for_nothing(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    worker = run.status.worker()
    assert worker is not None
    run.status.set_worker(
        ProcessIdentity(worker.pid, worker.started - 100, worker.boot, worker.host)
    )
    assert run.status.state() is State.LOST
    run.status.set_worker(ProcessIdentity(worker.pid, worker.started, "another boot", worker.host))
    assert run.status.state() is State.LOST


def test_a_worker_on_another_machine_lives_while_its_heart_beats(run: RunDirectory) -> None:
    run.status.set_worker(ProcessIdentity(1, 0.0, "boot", "elsewhere"))
    assert run.status.state() is State.LOST
    run.status.beat()
    assert run.status.state() is State.RUNNING


def test_a_worker_in_a_container_with_the_name_of_its_machine_lives_while_its_heart_beats(
    run: RunDirectory,
) -> None:
    worker = ProcessIdentity.own()
    assert worker.here
    run.status.set_worker(replace(worker, pid=2**22 + 1, namespace="pid:[1]"))
    assert run.status.state() is State.LOST
    run.status.beat()
    assert run.status.state() is State.RUNNING


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"pid": "x"}', '{"pid": 1}'])
def test_a_damaged_note_of_the_worker_is_none(run: RunDirectory, content: str) -> None:
    (run.path / "worker.json").write_text(content)
    assert run.status.worker() is None
    assert run.status.state() is State.QUEUED


def test_a_run_is_held_by_one_process_at_a_time(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(RunError, match="Another process"), run.lock.hold():
        pass
    holder.kill()
    holder.wait()
    with run.lock.hold():
        pass


def test_within_one_process_a_run_is_held_once_too(run: RunDirectory) -> None:
    with run.lock.hold():
        with pytest.raises(RunError), RunDirectory(run.path).lock.hold():
            pass
        # The failed attempt must not have released the lock.
        refused = subprocess.run(
            [sys.executable, "-c", HOLD, str(run.path)], capture_output=True, text=True
        )
        assert "Another process already works" in refused.stderr


def test_a_forked_child_does_not_keep_the_run_of_a_killed_process(
    run: RunDirectory, tmp_path: Path
) -> None:
    program = "import os, time\n" + HOLD.replace(
        'print("held", flush=True)', 'os.write(1, f"{os.fork() or chr(45)}\\n".encode())'
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(run.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline().strip(), process.stdout.readline().strip()]
    child = int(next(word for word in said if word != "-"))
    process.kill()
    process.wait()
    try:
        with run.lock.hold(patience=5.0):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_who_has_patience_gets_a_run_when_it_is_free(run: RunDirectory) -> None:
    entered = threading.Event()
    leave = threading.Event()

    def hold() -> None:
        with run.lock.hold():
            entered.set()
            leave.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait()
    threading.Timer(0.1, leave.set).start()
    with run.lock.hold(patience=30.0):
        assert leave.is_set()
    thread.join()


def test_a_run_opens_by_its_name_or_an_unmistakable_part(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    runs = [
        RunDirectory.create(folder, CONFIG.override([f"name={name}"])) for name in ("one", "two")
    ]
    assert RunDirectory.open(folder, runs[0].id).path == runs[0].path
    assert RunDirectory.open(folder, "two").path == runs[1].path
    with pytest.raises(RunError, match="2 runs match"):
        RunDirectory.open(folder, runs[0].id[:4])
    with pytest.raises(RunError, match="There is no run"):
        RunDirectory.open(folder, "three")


@pytest.mark.parametrize("name", ["..", "../runs", "/etc", "a/b", "\x00", "x" * 300, ""])
def test_a_name_that_leads_out_of_the_folder_opens_nothing(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(RunError):
        RunDirectory.open(folder, name)


def test_runs_of_the_same_second_get_names_of_their_own(tmp_path: Path) -> None:
    runs = [RunDirectory.create(tmp_path, CONFIG) for _ in range(5)]
    assert len({run.id for run in runs}) == 5
    assert [run.id for run in all_runs(tmp_path)] == sorted((r.id for r in runs), reverse=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Cannot make a run in"):
        RunDirectory.create(tmp_path / "file" / "runs", CONFIG)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'name = "x"', b'model = 5\nname = "x"'])
def test_a_damaged_configuration_is_named(run: RunDirectory, content: bytes) -> None:
    (run.path / "config.toml").write_bytes(content)
    with pytest.raises(RunError, match=r"config\.toml"):
        run.config.read()


def test_the_newest_event_is_found_behind_many_others(run: RunDirectory) -> None:
    say(run, Started(**STARTED), *(Log(level="info", message="x" * 900) for _ in range(300)))
    assert isinstance(run.events.last(Started), Started)
    assert isinstance(next(run.events.newest()), Log)
    assert run.events.last(Failed) is None


def test_the_logs_of_all_processes_are_cut(run: RunDirectory) -> None:
    run.ranks.mkdir()
    log = run.ranks / "1.txt"
    log.write_bytes(b"x" * LOG_BYTES + b"the end\n")
    trim_logs(run)
    assert log.read_bytes().endswith(b"the end\n")
    assert log.stat().st_size < LOG_BYTES / 2


def test_a_long_log_keeps_its_end_while_others_append(run: RunDirectory) -> None:
    with open_log(run.log) as log:
        log.write(b"x" * LOG_BYTES + b"the end\n")
        log.flush()
        trim_log(run.log)
        log.write(b"more\n")
    content = run.log.read_bytes()
    assert content.endswith(b"the end\nmore\n")
    assert len(content) < LOG_BYTES / 2
    trim_log(run.log)
    assert run.log.read_bytes() == content


def endings(run: RunDirectory) -> list[Event]:
    return [
        e for e in run.events.newest() if isinstance(e, Finished | Stopped | Interrupted | Failed)
    ]


def test_an_attempt_ends_with_what_the_work_returns(run: RunDirectory) -> None:
    def work(session: RunSession) -> Event:
        assert run.status.state() is State.RUNNING
        session.events.write(Started(**STARTED))
        return finished()

    attempt(run, work)
    assert run.status.state() is State.FINISHED
    assert len(endings(run)) == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TrainingError("Too hot.", "Cool it."), "Too hot. Cool it."),
        (KeyError("x"), "Internal error: KeyError: 'x'"),
    ],
)
def test_whatever_is_raised_there_is_one_last_event(
    run: RunDirectory, error: Exception, message: str
) -> None:
    def work(*_: object) -> Event:
        raise error

    with pytest.raises(type(error)):
        attempt(run, work)
    assert run.status.state() is State.FAILED
    ending = read_history(run).ending
    assert isinstance(ending, Failed)
    assert ending.message == message
    assert len(endings(run)) == 1


def test_the_story_of_a_defect_is_in_the_log(run: RunDirectory) -> None:
    def work(*_: object) -> Event:
        raise KeyError("somewhere")

    with pytest.raises(KeyError):
        attempt(run, work)
    assert "Traceback" in run.log.read_text()
    assert "somewhere" in run.log.read_text()


def test_an_attempt_at_a_held_run_leaves_no_trace(
    run: RunDirectory, holder: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(RunError, match="Another process"):
        attempt(run, lambda *_: finished())
    assert not run.events.path.exists()
    worker = run.status.worker()
    assert worker is not None
    assert worker.pid == holder.pid


def test_a_signal_outside_of_the_loop_ends_an_attempt_as_interrupted(run: RunDirectory) -> None:
    def work(*_: object) -> Event:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("unreachable")

    before = signal.getsignal(signal.SIGTERM)
    assert isinstance(attempt(run, work), Interrupted)
    assert run.status.state() is State.INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_run_interrupted_while_it_prepares_ends_at_the_checkpoint_that_it_resumes_from(
    run: RunDirectory,
) -> None:
    def work(session: RunSession) -> Event:
        for step in (20, 40):
            session.events.write(
                Progress(
                    step=step, steps=99, epoch=1.0, epochs=2, loss=0.5, learning_rate=0.1,
                    seconds=step / 10,
                )
            )  # fmt: skip
            if step == 20:
                session.events.write(CheckpointSaved(step=step, name="step-000000020", size=1))
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("unreachable")

    last = attempt(run, work)
    assert isinstance(last, Interrupted)
    assert (last.step, last.seconds) == (20, 2.0)


def test_a_signal_within_the_loop_is_only_noted(run: RunDirectory) -> None:
    def work(session: RunSession) -> Event:
        termination = session.termination
        with termination.deferred():
            assert not termination.asked()
            signal.raise_signal(signal.SIGTERM)
            assert termination.asked()
        return finished()

    assert isinstance(attempt(run, work), Finished)


def test_an_attempt_works_in_a_thread_too(run: RunDirectory) -> None:
    thread = threading.Thread(target=lambda: attempt(run, lambda *_: finished()))
    thread.start()
    thread.join()
    assert run.status.state() is State.FINISHED


def test_many_processes_make_runs_in_one_folder_without_a_mix_up(tmp_path: Path) -> None:
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path), CONFIG.model_dump_json()])
        for _ in range(4)
    ]
    assert [maker.wait() for maker in makers] == [0] * 4
    made = all_runs(tmp_path)
    assert len(made) == 40
    assert all(run.config.read() == CONFIG for run in made)


def test_progress_of_a_run_is_no_last_word(run: RunDirectory) -> None:
    run.status.set_worker(ProcessIdentity.own())
    say(
        run,
        Progress(step=1, steps=2, epoch=0.5, epochs=1, loss=1.0, learning_rate=0.1),
    )
    assert run.status.state() is State.RUNNING
    assert json.loads((run.path / "worker.json").read_text())["noted"] <= time.time()


def test_paths_are_kept_whole_so_that_a_run_continues_from_any_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    config = RunConfig.parse(
        {
            "task": {"kind": "text_classification"},
            "data": {"kind": "file", "path": "films.csv"},
            "model": {"kind": "transformer", "path": "base"},
        }
    )
    kept = RunDirectory.create(home, config).config.read()
    assert kept.data.path == str(tmp_path / "films.csv")  # type: ignore[attr-defined]
    assert kept.model.path == str(tmp_path / "base")  # type: ignore[attr-defined]


def test_a_name_on_the_hub_is_no_path(home: Path) -> None:
    config = RunConfig.parse(
        {
            "task": {"kind": "text_classification"},
            "data": {"kind": "hub", "name": "stanfordnlp/imdb"},
            "model": {"kind": "transformer", "path": "google-bert/bert-base-cased"},
        }
    )
    assert RunDirectory.create(home, config).config.read() == config
