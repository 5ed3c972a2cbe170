"""A run at a glance: what is read of it, and the lines above and below its curve."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.runs.comparison import Row
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, EventLog, Failed, Log, Progress
from engine.runs.history import History
from engine.runs.listing import summarize
from engine.runs.status import State
from engine.runs.summary import RunSummary
from tui.screens.runs.glance import Glance, GlanceReader, glance
from tui.screens.runs.pane_content import above, below

IRIS = {
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"kind": "mlp"},
}
Make = Callable[..., RunSummary]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a run with some events, and return its summary."""

    def made(name: str, events: Iterable[Event] = (), **changes: Any) -> RunSummary:
        config = RunConfig.parse(IRIS | {"name": name} | changes)
        run = RunDirectory.create(tmp_path / "runs", config)
        append(run, events)
        return summarize(run)

    return made


def append(run: RunDirectory, events: Iterable[Event]) -> None:
    log = EventLog(run.events.path)
    for event in events:
        log.write(event)
    log.close()


def evaluated(step: int, best: bool = False, **metrics: float) -> Event:
    return Evaluated(
        time=step, step=step, epoch=step / 10, split="validation", metrics=dict(metrics), best=best
    )


def history_of(*events: Event) -> History:
    history = History()
    history.apply_all(events)
    return history


def texts(lines: Iterable[Any]) -> list[str]:
    return [line.plain for line in lines]


def shown(**values: Any) -> Glance:
    row = RunSummary(
        RunDirectory(Path("/runs/one")), "one", State.FINISHED, 0.0, 1.0, metric="f1",
        metrics={"f1": 0.5},
    )  # fmt: skip
    return replace(Glance(row), **values)


class TestReading:
    """What is read of a run's files."""

    def test_the_curve_is_that_of_the_deciding_metric(self, make: Make) -> None:
        history = history_of(evaluated(10, accuracy=0.5, loss=2.0),
                             evaluated(20, True, accuracy=0.75, loss=1.0))  # fmt: skip
        found = glance(make("one"), history)
        assert found.metric == "accuracy"
        [curve] = found.curves
        assert (curve.name, list(curve.points)) == ("validation", [(1.0, 0.5), (2.0, 0.75)])
        assert found.best == (2.0, 0.75)

    def test_before_an_evaluation_the_curve_is_the_loss(self, make: Make) -> None:
        progress = Progress(
            time=1.0, step=5, steps=10, epoch=0.5, epochs=1, loss=1.5, learning_rate=0.1
        )
        found = glance(make("one"), history_of(progress))
        assert found.metric == "loss"
        assert [(curve.name, list(curve.points)) for curve in found.curves] == [
            ("train", [(0.5, 1.5)])
        ]
        assert found.best is None

    def test_a_run_without_events_has_its_settings_alone(self, make: Make) -> None:
        found = glance(make("one", train={"epochs": 7}), History())
        assert (found.metric, found.curves, found.split, found.last) == ("loss", [], "", "")
        assert found.settings["epochs"] == "7"

    @pytest.mark.parametrize(
        ("metrics", "split"), [({"test": {}, "validation": {}}, "test"), ({}, "validation")]
    )
    def test_the_final_split_is_that_of_the_report(
        self, make: Make, metrics: dict[str, Any], split: str
    ) -> None:
        row = make("one")
        row.run.report.path.write_text(json.dumps({"metrics": metrics, "metric": "accuracy"}))
        assert glance(row, History()).split == split

    @pytest.mark.parametrize("text", ["{", "[]", '"x"', "\x00"])
    def test_a_damaged_report_is_left_out(self, make: Make, text: str) -> None:
        row = make("one")
        row.run.report.path.write_text(text)
        found = glance(row, History())
        assert (found.split, found.verdict) == ("", {})

    def test_what_differs_from_the_run_before_is_named_in_order(self, make: Make) -> None:
        before = make("first", train={"epochs": 3})
        found = glance(make("second", train={"epochs": 4}, title="x"), History(), before)
        assert (found.before, found.changed) == ("first", (Row("train.epochs", (3, 4)),))

    def test_a_run_before_that_cannot_be_read_is_left_out(self, make: Make) -> None:
        before = make("first")
        (before.run.path / "config.toml").write_text("[")
        found = glance(make("second"), History(), before)
        assert (found.before, found.changed) == ("", ())

    def test_a_damaged_configuration_is_the_warning(self, make: Make) -> None:
        row = make("one")
        (row.run.path / "config.toml").write_text("name = 1")
        found = glance(summarize(row.run), History(), make("before"))
        assert "does not suit this version" in found.warning
        assert (found.settings, found.before) == ({}, "")

    def test_the_error_of_a_failed_run_is_the_warning(self, make: Make) -> None:
        failed = Failed(time=2.0, message="The loss is NaN.")
        assert glance(make("one"), history_of(failed)).warning == "The loss is NaN."

    def test_the_newest_message_of_the_log_is_kept(self, make: Make) -> None:
        messages = [Log(time=n, level="info", message=f"message {n}") for n in (1, 2)]
        assert glance(make("one"), history_of(*messages)).last == "message 2"


class TestFollowing:
    """A run is read again only where there is anything new."""

    def test_nothing_is_read_before_a_run_is_chosen(self) -> None:
        assert list(GlanceReader(lambda row: None).read()) == []

    def test_only_new_events_are_read_again(self, make: Make) -> None:
        row, followed = make("one", [evaluated(10, accuracy=0.5)]), list[str]()
        reader = GlanceReader(lambda row: followed.append(row.id))
        reader.choose(row, lambda row: None)
        [first] = reader.read()
        assert list(reader.read()) == []
        append(row.run, [evaluated(20, accuracy=0.75)])
        [second] = reader.read()
        assert [len(one.curves[0].points) for one in (first, second)] == [1, 2]
        assert followed == [row.id] * 3

    def test_another_run_begins_with_its_own_events(self, make: Make) -> None:
        one = make("one", [evaluated(10, accuracy=0.5)])
        two = make("two", [evaluated(10, accuracy=0.25), evaluated(20, accuracy=0.3)])
        reader = GlanceReader(lambda row: None)
        found = []
        for row in (one, two, one):
            reader.choose(row, lambda row: None)
            found += [len(shown.curves[0].points) for shown in reader.read()]
        assert found == [1, 2, 1]

    def test_another_state_of_the_same_run_is_shown(self, make: Make) -> None:
        row = make("one")
        reader = GlanceReader(lambda row: None)
        reader.choose(row, lambda row: None)
        list(reader.read())
        reader.choose(replace(row, state=State.LOST), lambda row: None)
        assert [found.row.state for found in reader.read()] == [State.LOST]

    def test_nothing_is_read_once_no_run_is_chosen(self, make: Make) -> None:
        reader = GlanceReader(lambda row: None)
        reader.choose(make("one"), lambda row: None)
        reader.choose(None, lambda row: None)
        assert list(reader.read()) == []


class TestLines:
    """The lines above and below the curve."""

    @pytest.mark.parametrize(
        ("split", "said"), [("test", "test"), ("", "validation, the best so far")]
    )
    def test_the_value_is_shown_with_its_split(self, split: str, said: str) -> None:
        assert texts(above(shown(split=split))) == ["one  ✓ finished", f"f1 0.5000  {said}"]

    def test_a_run_without_a_value_has_its_name_alone(self) -> None:
        row = replace(shown().row, metrics={"loss": 1.0}, state=State.RUNNING, paused=True)
        assert texts(above(Glance(row))) == ["one  ‖ paused"]

    @pytest.mark.parametrize(
        ("state", "word"), [(State.RUNNING, "? running"), (State.FINISHED, "✓ finished")]
    )
    def test_the_state_of_a_run_that_is_not_reachable_is_the_last_known(
        self, state: State, word: str
    ) -> None:
        row = replace(shown().row, metrics={}, state=state)
        first, about = texts(above(Glance(row, gone=True)))
        assert first == f"one  {word}"
        assert about.endswith("is not reachable. Shown is what came before.")

    def test_verdict_and_warning_follow_as_they_are(self) -> None:
        verdict = {"text": "[b]worse[/b]\nthan guessing", "outcome": "of a later version"}
        lines = texts(above(shown(verdict=verdict, warning="\x1b[31mNaN")))
        assert lines[2:] == ["[b]worse[/b] than guessing", "␛[31mNaN"]

    def test_settings_stand_in_two_columns(self) -> None:
        lines = texts(below(shown(settings={"model": "mlp", "learning rate": "0.1"}), 40, "c"))
        assert lines == ["model          mlp", "learning rate  0.1"]

    def test_equal_settings_are_said(self) -> None:
        assert texts(below(shown(before="first"), 40, "c")) == ["", "the same settings as first"]

    def test_six_differences_are_shown_and_the_others_counted(self) -> None:
        changed = tuple(Row(f"train.a{n}", (None, n)) for n in range(8))
        lines = texts(below(shown(before="first", changed=changed), 60, "c"))
        assert lines[1] == "differs from first in"
        assert lines[2] == "a0             – → 0"
        assert len(lines) == 9
        assert lines[-1] == "and 2 more; c compares runs"

    def test_a_setting_that_was_empty_is_called_so(self) -> None:
        changed = (Row("task.target", ("", "klass")), Row("task.ignore", (["id"], [])))
        lines = texts(below(shown(before="first", changed=changed), 60, "c"))
        assert lines[2:] == ["target         (empty) → klass", "ignore         id → (empty)"]

    def test_six_differences_alone_are_all_shown(self) -> None:
        changed = tuple(Row(f"train.a{n}", (0, n)) for n in range(6))
        lines = texts(below(shown(before="first", changed=changed), 60, "c"))
        assert len(lines) == 8
        assert lines[-1].startswith("a5")

    def test_a_long_message_has_two_lines(self) -> None:
        [_, last] = texts(below(shown(last="x" * 500), 30, "c"))
        assert last == "x" * 59 + "…"
