"""The state of the list of runs: order, filter, selection and heading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.runs.annotations import Annotations
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from engine.runs.summary import RunSummary
from tui.screens.runs.list_reader import Rows
from tui.screens.runs.shown_rows import ShownRows


def run(name: str, **more: Any) -> RunSummary:
    values = {"state": State.FINISHED, "started": 0.0, "seconds": 1.0, "metric": "f1"} | more
    return RunSummary(RunDirectory(Path("/runs") / name), name, **values)


FOUR = [
    run("d", started=40.0, task="tables", metrics={"f1": 0.5}, seconds=10.0, model="mlp"),
    run("b", started=30.0, task="texts", state=State.RUNNING, model="bert"),
    run("a", started=20.0, task="tables", metrics={"f1": 0.75}, seconds=30.0, model="cnn"),
    run("c", started=10.0, task="tables", metrics={"f1": 0.25}, seconds=20.0, model="cnn"),
]
"""Four runs, the newest first, as they are read."""


def shown_rows(runs: Sequence[RunSummary] = FOUR, complete: bool = True) -> ShownRows:
    rows = ShownRows()
    rows.take(Rows(runs, complete))
    return rows


def names(rows: Sequence[RunSummary]) -> str:
    return "".join(row.name for row in rows)


@pytest.mark.parametrize(
    ("title", "once", "twice"),
    [
        ("Name", "abcd", "dcba"),
        ("Value", "adcb", "cdab"),
        ("Duration", "acdb", "bdca"),
        ("Started", "cabd", "dbac"),
        ("Model", "bacd", "dacb"),
    ],
)
def test_a_column_is_sorted_by_and_then_reversed(title: str, once: str, twice: str) -> None:
    """Numbers fall, names rise; what has no value is last; equals stay the newest first.

    The list is sorted by the start at first, so that to choose this column reverses it.
    """
    rows = shown_rows()
    assert names(rows.visible) == "dbac"
    rows.sort_by(title)
    assert names(rows.visible) == once
    rows.sort_by(title)
    assert names(rows.visible) == twice


def test_a_column_begins_in_its_own_order_when_it_is_chosen_again() -> None:
    rows = shown_rows()
    for title in ("Name", "Name", "Value", "Name"):
        rows.sort_by(title)
    assert rows.order == ("Name", False)


def test_pinned_runs_come_first_in_every_order() -> None:
    pinned = run("z", started=1.0, notes=Annotations(pinned=True))
    rows = shown_rows([*FOUR, pinned])
    assert names(rows.visible) == "zdbac"
    rows.sort_by("Name")
    assert names(rows.visible) == "zabcd"
    rows.sort_by("Name")
    assert names(rows.visible) == "zdcba"


def test_new_rows_take_the_chosen_order_and_filter() -> None:
    rows = shown_rows([])
    rows.sort_by("Name")
    rows.filter_by("task:tables")
    rows.take(Rows(FOUR, True))
    assert names(rows.visible) == "acd"


def test_an_emptied_filter_shows_all_again() -> None:
    rows = shown_rows()
    rows.filter_by("f1>=0.5")
    assert names(rows.visible) == "da"
    rows.filter_by("")
    assert names(rows.visible) == "dbac"


def test_a_part_of_a_filter_that_cannot_be_read_is_named_beside_what_the_rest_finds() -> None:
    rows = shown_rows()
    rows.filter_by("model:cnn f1>")
    assert names(rows.visible) == "ac"
    assert rows.heading().plain == (
        "dltui   2 of 4 runs   1 running   f1> needs a number, as in f1>0.9."
    )


def test_selected_runs_are_chosen_even_where_a_filter_hides_them() -> None:
    rows = shown_rows()
    rows.toggle(FOUR[0])
    rows.toggle(FOUR[2])
    rows.filter_by("name:c")
    assert names(rows.chosen(FOUR[3])) == "da"


def test_a_run_that_is_toggled_twice_is_not_selected() -> None:
    rows = shown_rows()
    rows.toggle(FOUR[0])
    rows.toggle(FOUR[0])
    assert rows.chosen(FOUR[1]) == [FOUR[1]]
    assert rows.chosen(None) == []


def test_all_visible_runs_are_selected_and_then_none() -> None:
    rows = shown_rows()
    rows.toggle(FOUR[1])
    rows.filter_by("task:tables")
    same = rows.selected
    rows.toggle_all()
    assert names(rows.chosen(None)) == "dac"
    rows.toggle_all()
    assert rows.selected == set()
    assert rows.selected is same  # the list holds it


def test_a_few_selected_ones_become_all() -> None:
    rows = shown_rows()
    rows.toggle(FOUR[0])
    rows.toggle_all()
    assert names(rows.chosen(None)) == "dbac"


def test_runs_that_are_gone_are_not_selected() -> None:
    rows = shown_rows()
    same = rows.selected
    rows.toggle_all()
    rows.take(Rows(FOUR[1:3], True))
    assert rows.selected == {"b", "a"}
    assert rows.selected is same
    assert "2 selected" in rows.heading().plain


@pytest.mark.parametrize(
    ("runs", "heading"),
    [
        ([], "dltui   0 runs"),
        (FOUR[:1], "dltui   1 run"),
        (FOUR, "dltui   4 runs   1 running"),
        (
            [*FOUR, run("e", state=State.RUNNING, paused=True)],
            "dltui   5 runs   1 running   1 paused",
        ),
        ([run("e", state=State.RUNNING, paused=True)], "dltui   1 run   1 paused"),
        ([run(f"r{place}") for place in range(1234)], "dltui   1,234 runs"),
    ],
    ids=["none", "one", "four", "one paused", "paused alone", "many"],
)
def test_the_heading_counts_runs(runs: Sequence[RunSummary], heading: str) -> None:
    assert shown_rows(runs).heading().plain == heading


def test_a_list_is_empty_only_once_all_was_read() -> None:
    assert shown_rows([]).empty
    assert not shown_rows([], complete=False).empty
    assert not shown_rows(FOUR).empty
    assert not ShownRows().empty


def test_a_filter_that_finds_nothing_leaves_no_empty_list() -> None:
    rows = shown_rows()
    rows.filter_by("nothing")
    assert (rows.visible, rows.empty) == ([], False)


@pytest.mark.parametrize(
    ("place", "before"), [(0, "a"), (1, None), (2, "c"), (3, None)], ids=["d", "b", "a", "c"]
)
def test_the_run_before_is_the_last_of_the_same_task(place: int, before: str | None) -> None:
    found = shown_rows().before(FOUR[place])
    assert (found and found.name) == before


def test_the_run_before_is_found_whatever_is_filtered() -> None:
    rows = shown_rows()
    rows.filter_by("name:d")
    found = rows.before(FOUR[0])
    assert found is not None
    assert found.name == "a"


def test_runs_without_a_task_have_none_before_them() -> None:
    damaged = [run("y", started=2.0, problem="x"), run("x", started=1.0, problem="x")]
    assert shown_rows(damaged).before(damaged[0]) is None


def test_of_runs_that_started_at_once_none_is_before_the_other() -> None:
    twins = [run("x", started=5.0, task="t"), run("y", started=5.0, task="t")]
    rows = shown_rows(twins)
    assert [rows.before(twin) for twin in twins] == [None, None]


def test_runs_of_machines_that_are_not_reachable_do_not_count_as_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.runs.summary.host_of", lambda run: "gpu1")
    rows = ShownRows()
    rows.take(Rows([run("a", state=State.RUNNING)], True, frozenset({"gpu1"})))
    assert (rows.running, rows.gone) == (0, {"gpu1"})
    assert rows.heading().plain == "dltui   1 run"
    rows.take(Rows([run("a", state=State.RUNNING)], True))
    assert (rows.running, rows.gone) == (1, set())
