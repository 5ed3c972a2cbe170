"""Catching up with a long run skips only events that would not be shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from engine.runs.events import (
    Controlled,
    Evaluated,
    Event,
    Finished,
    Log,
    Progress,
    Resources,
    Samples,
    Started,
    encode,
)
from engine.runs.follower import Follower
from engine.runs.history import CURVE_POINTS, History


def progress(step: int, phase: str = "train") -> Progress:
    return Progress(
        time=float(step), step=step, steps=10**6, epoch=step / 100, epochs=9, seconds=float(step),
        loss=1.0 / step if phase == "train" else None, learning_rate=0.1, phase=phase,
    )  # fmt: skip


def evaluated(step: int, best: bool = False, split: str = "validation") -> Evaluated:
    return Evaluated(
        time=float(step), step=step, epoch=step / 100, split=split, best=best,
        metrics={"accuracy": step / 10**6},
    )  # fmt: skip


def started(step: int = 0) -> Started:
    return Started(time=step + 0.5, device="cpu", precision="float32", threads=1, resumed_step=step)


def training(first: int, last: int) -> Iterator[Event]:
    for step in range(first, last + 1):
        yield progress(step)
        if step % 1000 == 0:
            yield progress(step, "validation")
            yield evaluated(step, best=step % 7000 == 0)
            yield Resources(time=float(step), cpu_percent=1.0 * step, memory=1, memory_total=2,
                            process_memory=1)  # fmt: skip
            yield Log(time=float(step), level="info", message=f"at {step}")
            yield Controlled(time=float(step), request="evaluate", message=f"done {step}")


def both(path: Path, events: Iterable[Event]) -> tuple[History, History]:
    """The state from all events, and the state after catching up."""
    kept = list(events)
    path.write_text("".join(encode(event) + "\n" for event in kept))
    whole, quick = History(), History()
    whole.apply_all(kept)
    Follower(path).catch_up(quick)
    return whole, quick


def same_but_for_curves(whole: History, quick: History) -> None:
    for name in (
        "started", "progress", "trained", "resources", "ending", "first_time", "last_time", "best",
        "evaluations", "final", "checkpoint", "stopping", "prepared", "log", "seconds",
    ):  # fmt: skip
        assert getattr(quick, name) == getattr(whole, name), name


def test_of_a_short_run_nothing_is_left_out(tmp_path: Path) -> None:
    events = [started(), *training(1, 3000), evaluated(3000, split="test")]
    events.append(Finished(time=4000.0, step=3000, seconds=1.0))
    whole, quick = both(tmp_path / "events", events)
    same_but_for_curves(whole, quick)
    assert quick.curves == whole.curves


def test_of_a_long_run_only_points_between_are_left_out(tmp_path: Path) -> None:
    whole, quick = both(tmp_path / "events", [started(), *training(1, 40_000)])
    same_but_for_curves(whole, quick)
    curve = quick.curve("loss", "train").points
    assert CURVE_POINTS / 2 < len(curve) <= CURVE_POINTS + 1
    assert (curve[0].step, curve[-1].step) == (1, 40_000)
    assert max(b.step - a.step for a, b in pairwise(curve)) < 32
    assert quick.curve("accuracy", "validation") == whole.curve("accuracy", "validation")


def test_what_a_resumption_undid_is_undone(tmp_path: Path) -> None:
    events = [started(), *training(1, 30_000), started(14_500), *training(14_501, 20_000)]
    whole, quick = both(tmp_path / "events", events)
    same_but_for_curves(whole, quick)
    steps = [point.step for point in quick.curve("loss", "train").points]
    assert steps == sorted(set(steps))
    assert steps[-1] == 20_000


def test_the_time_between_the_processes_of_a_long_run_is_left_out(tmp_path: Path) -> None:
    again = [started(14_500), *training(14_501, 20_000)]
    later = [replace(event, time=event.time + 100_000) for event in again]
    whole, quick = both(tmp_path / "events", [started(), *training(1, 30_000), *later])
    assert whole.seconds == quick.seconds
    assert whole.seconds < 40_000


def test_points_that_come_later_lie_as_closely_as_those_before(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_text("".join(encode(progress(step)) + "\n" for step in range(1, 40_001)))
    history, follower = History(), Follower(path)
    follower.catch_up(history)
    before = len(history.curve("loss", "train").points)
    with path.open("a") as file:
        file.writelines(encode(progress(step)) + "\n" for step in range(40_001, 42_001))
    history.apply_all(follower.new())
    curve = history.curve("loss", "train").points
    assert curve[-1].step == 42_000
    assert len(curve) - before == pytest.approx(before / 20, rel=0.1)


def test_many_evaluations_keep_the_newest_best(tmp_path: Path) -> None:
    events = [evaluated(step, best=step == 12_345) for step in range(1, 30_001)]
    whole, quick = both(tmp_path / "events", events)
    assert quick.best == whole.best
    assert quick.evaluations[-1] == whole.evaluations[-1]


def test_a_line_that_is_still_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events"
    line = encode(progress(2))
    path.write_text(encode(progress(1)) + "\n" + line[:20])
    history, follower = History(), Follower(path)
    follower.catch_up(history)
    assert history.progress == progress(1)
    with path.open("a") as file:
        file.write(line[20:] + "\n")
    assert list(follower.new()) == [progress(2)]


def test_damage_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(b'\x00\xff\n{"event":"progress"}\n{"event":"unknown"}\n\n' + b"x" * 100)
    history = History()
    Follower(path).catch_up(history)
    assert history.progress is None


def test_of_a_long_run_the_base_model_and_the_curve_of_forgetting_stay(tmp_path: Path) -> None:
    first = [Samples(step=0, split="validation", items=[{"prompt": "a", "continuation": "b"}])]
    later = [Samples(step=step, split="validation", items=[]) for step in range(1, 200)]
    forgetting = [replace(evaluated(step), split="forgetting") for step in range(200)]
    whole, quick = both(tmp_path / "events", [started(), *first, *later, *forgetting])
    assert quick.untrained_samples == whole.untrained_samples == first[0]
    assert quick.samples == whole.samples == later[-1]
    curve = quick.curve("accuracy", "forgetting")
    assert curve.points == whole.curve("accuracy", "forgetting").points
    assert len(curve.points) == 200
