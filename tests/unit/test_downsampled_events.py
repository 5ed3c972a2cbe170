"""The lines of a long run that are left out say nothing that its watchers would see."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runs.downsampling import EventDownsampler
from engine.runs.events import (
    CheckpointSaved,
    Controlled,
    Evaluated,
    Event,
    Log,
    Progress,
    Started,
    decode,
    encode,
)
from engine.runs.history import CURVE_POINTS, LOG_LINES, History


def progress(step: int, phase: str = "train") -> Progress:
    return Progress(
        time=float(step), step=step, steps=10**6, epoch=0.1, epochs=1, seconds=1.0,
        loss=0.5 if phase == "train" else None, learning_rate=0.1, phase=phase,
    )  # fmt: skip


def started(step: int = 0) -> Started:
    return Started(time=float(step), device="cpu", precision="float32", threads=1,
                   resumed_step=step)  # fmt: skip


def evaluated(step: int, split: str, best: bool = False) -> Evaluated:
    return Evaluated(
        time=float(step), step=step, epoch=0.1, split=split, best=best, metrics={"loss": 0.5}
    )


def kept(events: list[Event], blocks: int = 1) -> list[Event]:
    """The events that are left of some, read in blocks of about the same number of lines."""
    lines = [encode(event).rstrip("\n").encode() for event in events]
    size = -(-len(lines) // blocks)
    sampler = EventDownsampler()
    left: list[bytes] = []
    for begin in range(0, len(lines), size):
        left += sampler.take(lines[begin : begin + size])
    left += sampler.rest()
    return [event for line in left if (event := decode(line)) is not None]


def steps(events: list[Event], phase: str = "train") -> list[int]:
    return [event.step for event in events if isinstance(event, Progress) and event.phase == phase]


@given(count=st.integers(1, 5 * CURVE_POINTS), blocks=st.integers(1, 7))
@settings(max_examples=8, deadline=None)
def test_points_are_evenly_apart_however_they_are_read(count: int, blocks: int) -> None:
    found = steps(kept([started(), *map(progress, range(count))], blocks))
    assert found[0] == 0
    assert found[-1] == count - 1
    apart = found[1] - found[0] if len(found) > 1 else 1
    assert found == sorted({*range(0, count, apart), count - 1})
    # More than half of what may be kept is kept, and no more.
    assert min(count, CURVE_POINTS) <= len(found) <= 2 * CURVE_POINTS + 1


@pytest.mark.parametrize("passes", [3, 3000])
def test_the_newest_update_stays_however_long_the_evaluation_after_it(passes: int) -> None:
    whole = [started(), *map(progress, range(1, 20_003))]
    whole += [progress(20_002, "validation") for _ in range(passes)]
    # In small blocks, the last ones have nothing but the evaluation.
    for blocks in (1, 20, len(whole) // 2):
        assert steps(kept(whole, blocks))[-1] == 20_002


def test_a_best_evaluation_between_two_points_stays() -> None:
    events = [evaluated(step, "validation", best=step in (3, 17_001)) for step in range(20_000)]
    found = [event for event in kept([started(), *events], 3) if isinstance(event, Evaluated)]
    assert [event.step for event in found if event.best][-1] == 17_001
    assert [event.step for event in found] == sorted(event.step for event in found)


def test_of_splits_without_a_curve_and_of_checkpoints_the_newest_stays() -> None:
    events: list[Event] = [started()]
    for step in range(5):
        events += [evaluated(step, "test"), evaluated(step, "other data")]
        events.append(CheckpointSaved(time=float(step), step=step, name=f"{step}", size=1))
    found = kept(events)
    assert len(found) == 4
    assert {event.step for event in found if isinstance(event, Evaluated | CheckpointSaved)} == {4}


def test_of_the_log_the_last_lines_stay_in_order() -> None:
    log = [Log(time=1.0, level="info", message=str(i)) for i in range(LOG_LINES + 500)]
    found = [event.message for event in kept([started(), *log], 4) if isinstance(event, Log)]
    assert found == [str(i) for i in range(500, LOG_LINES + 500)]


def test_lines_before_a_start_come_before_it() -> None:
    events = [started(), *map(progress, range(1, 9)), started(4), *map(progress, range(5, 7))]
    found = kept(events, 3)
    assert [event.step if isinstance(event, Progress) else -1 for event in found] == [
        -1, 1, 2, 3, 4, 5, 6, 7, 8, -1, 5, 6,
    ]  # fmt: skip


@pytest.mark.parametrize("blocks", [1, 40])
def test_a_change_stays_at_the_update_that_it_came_after(blocks: int) -> None:
    rate = Controlled(time=7.0, request="learning_rate", message="Half.", accepted=True)
    before, after = map(progress, range(1, 8)), map(progress, range(8, 40))
    history = History()
    history.apply_all(kept([started(), *before, rate, *after], blocks))
    assert [change.step for change in history.changes] == [7]
    assert history.curve("loss", "train").points[-1].step == 39
