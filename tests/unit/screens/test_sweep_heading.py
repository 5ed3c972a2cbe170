"""The line above the trials of a sweep: what the sweep is doing, from its start on."""

from __future__ import annotations

from engine.sweep.table import SweepTable, TrialRow
from tui.screens.sweeps.trials import heading

RUNNING = TrialRow(0, "running", {}, preset=True)
DONE = TrialRow(0, "complete", {}, value=0.92311, preset=True)


def line(table: SweepTable, searching: bool, name: str = "mine") -> str:
    return heading(name, table, searching, 30).plain


def test_a_sweep_has_not_ended_before_its_process_has_begun() -> None:
    assert line(SweepTable(), False) == "Sweep mine   not started yet, 0 of 30 trials"
    assert "preparing the first trial" in line(SweepTable("accuracy"), True)
    assert "searching, 0 of 30" in line(SweepTable("accuracy", trials=(RUNNING,)), True)
    assert "ended, 1 of 30" in line(SweepTable("accuracy", trials=(DONE,)), False)
    assert "ended" in line(SweepTable(problem="No space"), False)


def test_the_result_of_the_preset_is_shown_once_there_is_one_and_fits() -> None:
    assert "preset" not in line(SweepTable("accuracy", trials=(RUNNING,)), True)
    shown = line(SweepTable("accuracy", trials=(DONE,)), True, name="x" * 60)
    assert shown.endswith("= the preset: 0.9231")
    assert len(shown) <= 80
