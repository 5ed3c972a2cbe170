"""A training that makes no progress is noticed, and the process that lags behind is named."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.processes.environment import worker_environment
from engine.runs.directory import RunDirectory
from engine.runs.events import Failed
from engine.runs.progress_marks import ProgressMarks, StallWatch

SOON = 0.001
"""Minutes: a limit of 60 ms."""


def comes(what: Callable[[], str | None], seconds: float = 120.0) -> str | None:
    """The first answer that is not ``None``."""
    give_up = time.monotonic() + seconds
    while (found := what()) is None and time.monotonic() < give_up:
        time.sleep(0.005)
    return found


def test_of_two_that_wait_the_one_with_fewer_steps_lags(tmp_path: Path) -> None:
    first, second = (ProgressMarks(tmp_path / f"{rank}.marks", SOON) for rank in (0, 1))
    with first.watched(), second.watched():
        for process in (first, second, first, second):
            process.updated()
        first.computed()  # and waits for the second in the all-reduce
        for _ in range(9):
            second.alive()  # batches of an evaluation are no steps
        assert comes(StallWatch(tmp_path, "*.marks").stalled) == "1.marks"


def test_equal_steps_name_none_and_signs_of_life_keep_a_process(tmp_path: Path) -> None:
    marks, watch = ProgressMarks(tmp_path / "marks", SOON), StallWatch(tmp_path, "marks")
    with marks.watched():
        marks.updated()
        marks.updated()
        for _ in range(20):
            marks.alive()
            assert watch.stalled() is None
        assert comes(watch.stalled) == ""
        assert watch.limit >= 0.06


def test_a_pause_a_limit_of_zero_and_the_end_of_training_are_no_stall(tmp_path: Path) -> None:
    marks, endless = ProgressMarks(tmp_path / "a", SOON), ProgressMarks(tmp_path / "b", 0)
    watches = [StallWatch(tmp_path, name) for name in "abc"]
    with ExitStack() as stack:
        stack.enter_context(marks.watched())
        marks.updated()
        marks.updated()
        stack.enter_context(marks.unlimited())
        stack.enter_context(endless.watched())
        endless.updated()
        for watch in watches:
            assert comes(watch.stalled, 0.3) is None
    assert not list(tmp_path.iterdir())


def test_the_limit_grows_with_the_usual_duration_of_an_update(tmp_path: Path) -> None:
    marks, watch = ProgressMarks(tmp_path / "marks", SOON), StallWatch(tmp_path, "marks")
    with marks.watched():
        assert watch.stalled() is None
        assert watch.limit == 6 * 0.06, "the first update may compile or load"
        before = time.monotonic()
        marks.updated()
        after = time.monotonic()
        while time.monotonic() - after < 0.05:
            time.sleep(0.005)
        shortest = time.monotonic() - after
        marks.updated()
        longest = time.monotonic() - before
        watch.stalled()
        assert 20 * shortest - 0.01 <= watch.limit <= 20 * longest + 0.01


def test_what_is_written_has_a_limit_by_its_size(tmp_path: Path) -> None:
    marks, watch = ProgressMarks(tmp_path / "marks", SOON), StallWatch(tmp_path, "marks")
    with marks.watched():
        marks.updated()
        marks.updated()
        with marks.writing(7_000_000):
            watch.stalled()
            assert watch.limit == 7.0
        with marks.writing(0):
            assert comes(watch.stalled) == "", "a write that hangs is a stall"
        with ProgressMarks(tmp_path / "never", 0).watched():
            assert watch.stalled() is None


HANGS = """
import sys, threading
from pathlib import Path
from engine.launch.stall import watched
from engine.processes.signals import Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog
from engine.runs.progress_marks import ProgressMarks
from engine.runs.session import RunSession

run = RunDirectory(Path(sys.argv[1]))
events = EventLog(run.events.path)
marks = ProgressMarks(run.path / "marks", 0.001)
with watched(RunSession(run, run.config.read(), events, Termination())), marks.watched():
    def a_lock_that_none_releases():
        threading.Event().wait()
    a_lock_that_none_releases()
"""


def test_a_training_that_hangs_fails_with_its_stacks_in_the_log() -> None:
    config = RunConfig.parse({
        "name": "table", "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"}, "model": {"kind": "mlp"},
    })  # fmt: skip
    run = RunDirectory.create(runs_folder(), config)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HANGS), str(run.path)],
        env=worker_environment(), timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    last = run.events.last()
    assert isinstance(last, Failed)
    assert "No update for" in last.message
    assert "a_lock_that_none_releases" in run.log.read_text()


def test_marks_that_a_lost_machine_left_do_not_count_for_the_next_attempt(tmp_path: Path) -> None:
    watch = StallWatch(tmp_path, "*.marks")
    (tmp_path / "1.marks").write_text("[4, 9, 0.05]")
    assert comes(watch.stalled) == ""
    watch.restart()
    assert comes(watch.stalled, 0.2) is None, "the processes of the next attempt have not begun"
    marks = ProgressMarks(tmp_path / "0.marks", 0.01)
    with marks.watched():
        marks.updated()
        marks.updated()
        assert comes(watch.stalled) == "", "none of those that train lags behind"
        (tmp_path / "1.marks").write_text("[0, 1, 0.05]")
        assert comes(watch.stalled) == "1.marks"
