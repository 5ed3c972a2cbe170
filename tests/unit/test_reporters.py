"""Output of a followed run on a terminal and in a log file."""

from __future__ import annotations

import dataclasses

import pytest

from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    Data,
    Evaluated,
    Event,
    EventLog,
    Failed,
    Finished,
    Interrupted,
    Log,
    Model,
    Progress,
    Started,
    Stopped,
)
from engine.runs.history import History
from tui.cli.follow import exit_status, follow
from tui.cli.reporters import JsonLines, MovingLine, PlainLines, describe, fitting, progress_parts

STARTED = Started(device="cpu", precision="float32", threads=1)
DATA = Data(summary={"source": "digits", "rows": {"train": 1257, "test": 270}})
MODEL = Model(name="cnn", parameters=93_322, trainable=512, steps=400, epochs=10)
PROGRESS = Progress(
    step=100, steps=400, epoch=2.5, epochs=10, loss=0.25, learning_rate=1e-3, seconds=20.0
)
EVALUATED = Evaluated(
    step=80, epoch=2.0, split="validation", metrics={"loss": 0.5, "accuracy": 0.875}, best=True
)
FINISHED = Finished(step=400, seconds=80.0, metrics={"loss": 0.1, "accuracy": 0.9871})


def history_of(*events: Event) -> History:
    history = History()
    history.apply_all(events)
    return history


def run_with(*events: Event) -> RunDirectory:
    values = {
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin"},
        "model": {"kind": "cnn"},
    }
    run = RunDirectory.create(runs_folder(), RunConfig.parse(values))
    log = EventLog(run.events.path)
    for event in events:
        log.write(event)
    log.close()
    return run


def test_a_log_file_gets_a_line_for_each_thing_worth_keeping() -> None:
    events = (DATA, MODEL, PROGRESS, EVALUATED, FINISHED)

    lines = [describe(event, "accuracy", "test") for event in events]

    assert lines == [
        "data: digits, rows: 1,257 train, 270 test",
        "model: cnn, 93.3 k parameters, 512 trained, 400 updates",
        "",
        "epoch 2, training loss –, validation loss 0.5000, accuracy 0.8750 (best)",
        "finished after 1:20, test loss 0.1000, accuracy 0.9871",
    ]


def test_the_moving_line_tells_how_far_the_run_is() -> None:
    history = history_of(STARTED, DATA, MODEL, EVALUATED, PROGRESS)

    parts = list(progress_parts("digits-cnn", "accuracy", history))

    assert parts[0] == "digits-cnn"
    assert parts[1] == "epoch 3/10"
    assert parts[2].endswith(" 25%")
    assert parts[3:] == ["1:00 left", "loss 0.2500", "accuracy 0.8750"]


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ((), "starting"),
        ((STARTED,), "reading the data"),
        ((STARTED, DATA), "building the network"),
        ((STARTED, DATA, MODEL), "first update"),
    ],
)
def test_before_the_first_update_the_line_says_what_is_going_on(
    events: tuple[Event, ...], word: str
) -> None:
    assert list(progress_parts("x", "accuracy", history_of(*events))) == ["x", word]


def test_a_narrow_line_drops_the_last_parts_whole() -> None:
    assert fitting(iter(["name", "epoch 1/2", "loss 0.5"]), 16) == "name  epoch 1/2"


def test_the_moving_line_is_gone_when_the_run_has_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = MovingLine("x", "accuracy")
    run = run_with(STARTED, DATA, MODEL, PROGRESS, FINISHED)
    reporter.show(history_of(STARTED, DATA, MODEL, PROGRESS))

    follow(run, reporter, alive=lambda: True)

    written = capsys.readouterr().out
    assert written.endswith(
        "\r\x1b[Kdata: digits, rows: 1,257 train, 270 test\n"
        "finished after 1:20, loss 0.1000, accuracy 0.9871\n"
    )


def test_the_metric_that_the_data_chose_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = dataclasses.replace(MODEL, metric="spearman")
    ended = dataclasses.replace(FINISHED, metrics={"loss": 0.1, "spearman": 0.75})

    follow(run_with(STARTED, chosen, ended), PlainLines("ndcg_at_10"), alive=lambda: True)

    assert capsys.readouterr().out.endswith("loss 0.1000, spearman 0.7500\n")


def test_a_warning_stays_above_the_moving_line(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = MovingLine("x", "accuracy")

    reporter.event(Log(level="warning", message="3 rows\x1b[2J left out"), History())

    assert capsys.readouterr().out == "warning: 3 rows␛[2J left out\n"


def test_programs_get_every_event_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    run = run_with(STARTED, DATA, MODEL, PROGRESS, EVALUATED, FINISHED)

    follow(run, JsonLines(), alive=lambda: True)

    assert capsys.readouterr().out == run.events.path.read_text()


def test_following_ends_when_the_worker_is_gone_without_a_word() -> None:
    history = follow(run_with(STARTED), PlainLines("accuracy"), alive=lambda: False)

    assert history.started == STARTED
    assert exit_status(history, asked_to_stop=False) == 1


def test_following_ends_when_the_person_has_seen_enough() -> None:
    run = run_with(STARTED)

    history = follow(run, PlainLines("accuracy"), alive=lambda: True, enough=lambda: True)

    assert not history.ended


@pytest.mark.parametrize(
    ("ending", "asked", "status"),
    [
        (FINISHED, False, 0),
        (FINISHED, True, 0),
        (Stopped(step=1, seconds=1.0), False, 0),
        (Stopped(step=1, seconds=1.0), True, 130),
        (Interrupted(step=1, seconds=1.0), False, 143),
        (Failed(message="x"), False, 1),
        (Failed(message="x"), True, 1),
        (Failed(message="x", usage=True), False, 2),
    ],
)
def test_the_exit_status_says_how_a_run_ended(ending: Event, asked: bool, status: int) -> None:
    assert exit_status(history_of(STARTED, ending), asked) == status


@pytest.mark.parametrize(
    ("split", "line"),
    [
        ("test", "finished after 1:20, test loss 0.1000, accuracy 0.9871"),
        ("validation", "finished after 1:20, validation loss 0.1000, accuracy 0.9871"),
    ],
)
def test_the_last_line_names_the_split_of_its_metrics(
    split: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_with(STARTED, DATA, MODEL, EVALUATED, dataclasses.replace(EVALUATED, split=split),
                   FINISHED)  # fmt: skip
    follow(run, PlainLines("accuracy"), alive=lambda: True)
    assert capsys.readouterr().out.splitlines()[-1] == line
