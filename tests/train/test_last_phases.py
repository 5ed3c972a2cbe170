"""What comes after the last evaluation is expected from the start, and told while it runs."""

from __future__ import annotations

import threading
import time

import pytest

from engine import RunConfig, train
from engine.runs.events import BASELINES, EXPORTING, Model, Progress
from engine.training.last_phases import by_the_clock

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "wine"},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 2},
    "compute": {"device": "cpu", "threads": 1},
}


class Reports:
    """Reports of a phase, kept; as on a full disk after the first ``room``."""

    def __init__(self, room: int = 1000) -> None:
        self.kept: list[tuple[str, float]] = []
        self.changed = threading.Condition()
        self._room = room

    def report_phase(self, phase: str, share: float = 0.0) -> None:
        with self.changed:
            if len(self.kept) == self._room:
                raise OSError("no space left")
            self.kept.append((phase, share))
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.kept) >= count, 60)


def test_a_run_expects_its_export_and_baselines_and_tells_both_in_their_order() -> None:
    run = train(RunConfig.parse(TABLE))
    [model] = run.events.newest(Model)
    assert model.exporting_seconds > 0
    assert model.baselines_seconds > 0
    phases = dict.fromkeys(event.phase for event in run.events.newest(Progress))
    assert list(phases)[1::-1] == [EXPORTING, BASELINES]


def test_no_baseline_is_expected_without_rows_to_compare_with() -> None:
    alone = {"validation_fraction": 0.0, "test_fraction": 0.0}
    run = train(RunConfig.parse(TABLE | {"data": TABLE["data"] | alone}))
    assert next(run.events.newest(Model)).baselines_seconds == 0


def test_the_share_of_a_phase_follows_the_clock_until_it_is_over() -> None:
    reports, begin = Reports(), time.perf_counter()
    with by_the_clock(reports, BASELINES, 1e6):
        reports.wait_for(3)
        most = (time.perf_counter() - begin) / 1e6
    assert {phase for phase, _ in reports.kept} == {BASELINES}
    shares = [share for _, share in reports.kept]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0 < shares[-1] <= most
    assert BASELINES not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(("seconds", "share"), [(1e-6, 0.99), (0.0, 0.0)])
def test_a_phase_that_takes_longer_than_expected_is_never_called_done(
    seconds: float, share: float
) -> None:
    reports = Reports()
    with by_the_clock(reports, EXPORTING, seconds):
        reports.wait_for(2)
    assert reports.kept[1:] == [(EXPORTING, share)] * (len(reports.kept) - 1)


def test_a_full_disk_is_left_to_what_is_done_meanwhile() -> None:
    reports = Reports(room=1)
    with by_the_clock(reports, EXPORTING, 5.0):
        watcher = next(t for t in threading.enumerate() if t.name == EXPORTING)
        watcher.join(60)
        assert not watcher.is_alive()
    assert reports.kept == [(EXPORTING, 0.0)]
