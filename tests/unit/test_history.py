"""The reducer: exact after interruptions, bounded for runs of any length."""

from __future__ import annotations

from collections.abc import Iterator

from engine.runs.events import (
    CheckpointSaved,
    Controlled,
    Evaluated,
    Event,
    Finished,
    Log,
    Progress,
    Samples,
    Started,
)
from engine.runs.history import (
    CURVE_POINTS,
    EVALUATIONS,
    LOG_LINES,
    Change,
    Curve,
    History,
    Point,
)


def started(step: int = 0) -> Started:
    return Started(time=1.0, device="cpu", precision="float32", threads=1, resumed_step=step)


def progress(step: int, loss: float | None = 1.0, phase: str = "train") -> Progress:
    return Progress(
        time=float(step), step=step, steps=100, epoch=step / 10, epochs=10, loss=loss,
        learning_rate=0.1, seconds=float(step), phase=phase,
    )  # fmt: skip


def evaluated(step: int, accuracy: float = 0.5, best: bool = False, split: str = "validation"):  # type: ignore[no-untyped-def]
    return Evaluated(
        time=float(step), step=step, epoch=step / 10, split=split,
        metrics={"accuracy": accuracy, "nothing": None}, best=best,
    )  # fmt: skip


def history(*events: Event) -> History:
    made = History()
    made.apply_all(events)
    return made


def steps(made: History, metric: str = "loss", split: str = "train") -> list[int]:
    return [point.step for point in made.curve(metric, split).points]


def test_curves_come_from_progress_and_evaluations() -> None:
    made = history(started(), progress(5), evaluated(10, 0.7), progress(15))
    assert steps(made) == [5, 15]
    assert steps(made, "accuracy", "validation") == [10]
    assert made.curve("accuracy", "validation").last == 0.7


def test_progress_of_an_evaluation_is_no_point_of_the_training_curve() -> None:
    assert steps(history(progress(5), progress(5, None, "validation"))) == [5]


def test_a_metric_that_is_missing_has_no_point() -> None:
    assert steps(history(evaluated(10)), "nothing", "validation") == []


def test_a_resumed_run_has_no_point_and_no_row_twice() -> None:
    made = history(
        started(), progress(5), evaluated(10, best=True), progress(15), evaluated(20, best=True),
        progress(25), started(resumed := 10), progress(12), evaluated(20, best=True), progress(25),
    )  # fmt: skip
    assert resumed == 10
    assert steps(made) == [5, 12, 25]
    assert [row.step for row in made.evaluations] == [10, 20]
    assert steps(made, "accuracy", "validation") == [10, 20]


def test_after_a_resumption_the_best_is_the_best_of_what_remains() -> None:
    made = history(started(), evaluated(10, 0.6, True), evaluated(20, 0.9, True), started(15))
    assert made.best is not None
    assert made.best.step == 10


def test_a_resumption_forgets_what_lies_after_it() -> None:
    made = history(
        started(), progress(30), Samples(step=30, split="validation", items=[]),
        CheckpointSaved(step=30, name="x", size=1), evaluated(30, split="test"),
        Finished(step=30, seconds=1.0), started(20),
    )  # fmt: skip
    assert (made.progress, made.samples, made.checkpoint, made.ending) == (None,) * 4
    assert made.final == {}


def test_a_fresh_start_forgets_everything_of_the_start_before() -> None:
    made = history(started(), progress(5), evaluated(10, best=True), started(), progress(3))
    assert steps(made) == [3]
    assert made.evaluations == []
    assert made.best is None


def test_the_last_word_ends_a_run() -> None:
    made = history(started(), progress(5))
    assert not made.ended
    made.apply(Finished(step=5, seconds=1.0))
    assert made.ended


def test_evaluations_of_other_splits_stand_apart() -> None:
    made = history(evaluated(10), evaluated(10, split="test"))
    assert [row.split for row in made.evaluations] == ["validation"]
    assert made.final["test"].split == "test"


def test_answers_to_requests_are_part_of_the_log() -> None:
    made = history(
        Controlled(request="stop", message="Stopping."),
        Controlled(request="x", message="No.", accepted=False),
    )  # fmt: skip
    assert [(line.level, line.message) for line in made.log] == [
        ("info", "Stopping."), ("warning", "No."),
    ]  # fmt: skip


def point(step: int) -> Point:
    return Point(step, float(step), float(step), float(step))


def test_a_curve_keeps_its_first_and_its_newest_point_however_long_it_gets() -> None:
    curve = Curve()
    for step in range(5 * CURVE_POINTS):
        curve.add(point(step))
        assert curve.points[0].step == 0
        assert curve.points[-1].step == step
        assert len(curve.points) <= CURVE_POINTS + 1


def test_a_thinned_curve_is_evenly_spaced_up_to_its_newest_point() -> None:
    curve = Curve()
    for step in range(3 * CURVE_POINTS):
        curve.add(point(step))
    gaps = {
        after.step - before.step
        for before, after in zip(curve.points[:-2], curve.points[1:-1], strict=True)
    }
    assert gaps == {4}


def test_a_thinned_curve_that_is_cut_continues_growing() -> None:
    curve = Curve()
    for step in range(3 * CURVE_POINTS):
        curve.add(point(step))
    curve.cut(CURVE_POINTS)
    assert curve.points[-1].step == CURVE_POINTS
    for step in range(CURVE_POINTS + 1, 2 * CURVE_POINTS):
        curve.add(point(step))
    numbers = [kept.step for kept in curve.points]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 2 * CURVE_POINTS - 1


def many(count: int) -> Iterator[Event]:
    yield started()
    for step in range(1, count):
        yield progress(step)
        yield evaluated(step, best=step % 2 == 0)
        yield Log(level="info", message=f"line {step}")


def test_a_long_run_takes_a_bounded_history() -> None:
    made = History()
    made.apply_all(many(40_000))
    assert len(made.evaluations) <= 2 * EVALUATIONS
    assert len(made.log) == LOG_LINES
    assert all(len(curve.points) <= CURVE_POINTS + 1 for curve in made.curves.values())
    assert made.evaluations[-1].step == 39_999
    assert steps(made)[0] == 1
    assert steps(made)[-1] == 39_999


def test_what_updates_measure_makes_curves_of_their_own() -> None:
    history = History()
    history.apply(
        Progress(step=1, steps=9, epoch=0.1, epochs=1, loss=2.0, learning_rate=3e-4, grad_norm=1.5)
    )
    assert history.curve("learning_rate", "train").last == 3e-4
    assert history.curve("grad_norm", "train").last == 1.5


def test_samples_after_the_point_of_resuming_are_forgotten() -> None:
    history = History()
    for step in (10, 20):
        history.apply(Samples(step=step, split="validation", items=[]))
    history.apply(Started(device="cpu", precision="float32", threads=1, resumed_step=10))
    assert [event.step for event in history.sampled] == [10]


def test_a_text_of_another_kind_has_a_curve_of_its_own_and_decides_nothing() -> None:
    made = history(started(), evaluated(0, split="forgetting"), evaluated(10, split="forgetting"))
    assert steps(made, "accuracy", "forgetting") == [0, 10]
    assert (made.evaluations, made.best, made.final) == ([], None, {})


def test_a_base_model_that_was_evaluated_twice_is_shown_once() -> None:
    def base() -> Evaluated:
        return Evaluated(step=0, epoch=0.0, split="validation", metrics={"loss": 3.0})

    made = history(started(), base(), started(), base(), evaluated(10))
    assert [row.step for row in made.evaluations] == [0, 10]
    assert steps(made, "loss", "validation") == [0]


def test_what_changed_the_course_of_a_run_has_a_place_on_its_curves() -> None:
    rate = Controlled(time=6.0, request="learning_rate", message="Rate 0.01.")
    refused = Controlled(time=6.0, request="epochs", message="Too few.", accepted=False)
    pause = Controlled(time=6.0, request="pause", message="Paused.")
    made = history(started(), progress(5), rate, refused, pause, progress(15))
    assert made.changes == [Change(5, 0.5, 5.0, "Rate 0.01.")]
    made.apply_all([progress(25), Controlled(time=26.0, request="epochs", message="9.")])
    made.apply_all([started(15), progress(20)])
    assert made.changes == [Change(5, 0.5, 5.0, "Rate 0.01."), Change(15, 1.5, 15.0, "resumed")]
