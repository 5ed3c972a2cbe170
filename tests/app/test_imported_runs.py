"""Runs of other programs on the screens: imported by a key, drawn, compared, refused."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input

from engine.files.paths import runs_folder
from engine.importers.history import import_runs
from tui.app import DltuiApp
from tui.screens.compare.screen import CompareScreen
from tui.screens.monitor.screen import MonitorScreen
from tui.widgets.form.path_picker import PathPickerScreen


def names(app: DltuiApp) -> list[str]:
    """The runs in the list, whatever is open above it."""
    lists = [listing for screen in app.screen_stack for listing in screen.query("#runs")]
    return [row.name for listing in lists for row in listing.items]


def tensorboard(folder: Path) -> Path:
    """Write a run without epochs by TensorBoard itself."""
    from tensorboard.summary import Writer

    writer = Writer(str(folder))
    for step in range(0, 900, 10):
        writer.add_scalar("val/accuracy", step / 1000, step=step)
    writer.close()
    return folder


async def test_a_key_imports_the_runs_of_a_folder(tmp_path, make_run, until, text_of) -> None:
    tensorboard(tmp_path / "theirs")
    make_run("own")
    app = DltuiApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: names(app) == ["own"])
        await pilot.press("I")
        await until(pilot, lambda: isinstance(app.screen, PathPickerScreen))
        app.screen.query_one(Input).value = str(tmp_path / "theirs")
        await pilot.press("enter")
        await until(pilot, lambda: sorted(names(app)) == ["own", "theirs"])
        await until(pilot, lambda: "↓ imported" in text_of(pilot))


async def test_an_imported_run_without_a_loss_opens_on_a_metric_that_it_has(
    tmp_path, until, text_of
) -> None:
    list(import_runs(tensorboard(tmp_path / "theirs"), runs_folder()))
    app = DltuiApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: names(app) == ["theirs"])
        await until(pilot, lambda: "accuracy   ━●━ validation" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await until(pilot, lambda: "accuracy   ━●━ validation" in text_of(pilot))
        assert "loss" not in text_of(pilot)


async def test_the_monitor_of_an_imported_run_offers_nothing_that_needs_its_settings(
    tmp_path, make_run, until, text_of
) -> None:
    make_run("own")
    list(import_runs(tensorboard(tmp_path / "theirs"), runs_folder()))
    app = DltuiApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: len(names(app)) == 2)
        await pilot.press(*("j" if names(app)[0] == "own" else ""), "enter")
        await until(pilot, lambda: "(C in Runs), not resumed" in text_of(pilot))
        await until(pilot, lambda: "m Metric" in text_of(pilot))
        assert "Clone" not in text_of(pilot)
        for key, text in (("3", "This run has no samples."), ("4", "Nothing was measured")):
            await pilot.press(key)
            await until(pilot, lambda text=text: text in text_of(pilot))


async def test_an_imported_run_is_compared_with_an_own_one(
    tmp_path, make_run, training, finished, until, text_of
) -> None:
    make_run("own", [*training(), finished(0.5)])
    list(import_runs(tensorboard(tmp_path / "theirs"), runs_folder()))
    app = DltuiApp()
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: len(names(app)) == 2)
        await pilot.press("a", "C")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "over step" in text_of(pilot) and "0.8900 ◆" in text_of(pilot))
        assert "Imported: 1 of the runs (TensorBoard)" in text_of(pilot)
