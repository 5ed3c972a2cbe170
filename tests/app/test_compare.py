"""Runs compared on one screen, and the selection in the list that opens it."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input, TabbedContent

from engine.files.paths import presets_folder, runs_folder
from engine.processes.identity import ProcessIdentity
from engine.runs.annotations import Annotations, read_annotations, write_annotations
from engine.runs.control import LEARNING_RATE
from engine.runs.directory import all_runs
from engine.runs.events import Controlled
from tui.app import DltuiApp
from tui.charts.series_chart import SeriesChart
from tui.screens.compare.screen import CompareScreen
from tui.screens.presets.save_preset import SavePresetScreen
from tui.screens.runs.annotate import AnnotateScreen
from tui.screens.runs.screen import RunsScreen
from tui.screens.runs.trash import TrashScreen
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.listing import Listing


def names(app: DltuiApp) -> list[str]:
    return [row.name for row in app.screen_stack[-1].query_one(Listing).items]


async def compared(pilot, app, until) -> None:  # type: ignore[no-untyped-def]
    """Select all runs and compare them."""
    await until(pilot, lambda: len(names(app)) > 1)
    await pilot.press("a", "C")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))


async def test_curves_of_all_runs_are_drawn_with_markers_of_their_own(
    make_run, training, finished, until, text_of
) -> None:
    for place in range(8):
        make_run(f"run-{place}", [*training(), finished(0.5 + place / 100)])
    app = DltuiApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot, app, until)
        await until(pilot, lambda: "┌" in text_of(pilot) and "0.5700 ◆" in text_of(pilot))
        for sign in "●▲■▼○△□▽":
            assert f"━{sign}━ run-" in text_of(pilot)
        assert "accuracy (validation)   over epoch" in text_of(pilot)


async def test_keys_change_metric_axis_split_and_scale(
    make_run, training, finished, until, text_of
) -> None:
    for name in ("one", "two"):
        make_run(name, [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await compared(pilot, app, until)
        await until(pilot, lambda: "accuracy (validation)   over epoch" in text_of(pilot))
        await pilot.press("m", "v", "x", "x", "y", "w")
        await until(pilot, lambda: "loss (train)   over time, log, smoothed" in text_of(pilot))
        await pilot.press("left")
        await until(pilot, lambda: "time 40" in text_of(pilot))


async def test_tables_show_what_differs_and_what_is_best(
    make_run, training, finished, until, text_of
) -> None:
    make_run("one", [*training(), finished(0.5)])
    change = Controlled(request=LEARNING_RATE, message="Peak learning rate 0.01 from now on.")
    other = make_run("two", [*training(), change, finished(0.75)])
    config = other.path / "config.toml"
    config.write_text(config.read_text().replace("seed = 0", "seed = 4711"))
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await compared(pilot, app, until)
        await pilot.press("2")
        await until(pilot, lambda: "0.75 ◆" in text_of(pilot))
        assert "two: 2 runs that differ by train.seed" in text_of(pilot)
        assert "0.625 ± 0.18" in text_of(pilot)  # (0.75 − 0.5) / √2
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "4711" in text_of(pilot))
        assert "train.learning_rate" not in text_of(pilot)
        assert "two  epoch 4: Peak learning rate 0.01 from now on." in text_of(pilot)
        assert app.screen.query_one(TabbedContent).active == "settings"


async def test_a_run_that_continues_is_drawn_as_it_goes(
    make_run, training, finished, until, text_of
) -> None:
    make_run("one", [*training(), finished()])
    going = make_run("two", training(trained=1))
    going.status.set_worker(ProcessIdentity.own())
    app = DltuiApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await compared(pilot, app, until)
        chart = app.screen.query_one(SeriesChart)
        await until(pilot, lambda: sorted(len(c.points) for c in chart._curves) == [1, 4])
        with going.events.path.open("a") as file:
            file.write(all_runs(runs_folder())[0].events.path.read_text().splitlines()[-2] + "\n")
        lines = [
            line for line in going.events.path.read_text().splitlines() if '"evaluated"' in line
        ]
        with going.events.path.open("a") as file:
            file.write(lines[-1].replace('"step":10', '"step":20') + "\n")
        await until(pilot, lambda: min(len(c.points) for c in chart._curves) >= 2)


async def test_the_comparison_is_written_to_the_path_that_is_typed(
    make_run, training, finished, until, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        make_run(name, [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await compared(pilot, app, until)
        await until(pilot, lambda: app.screen._comparison is not None)
        for name in ("out.csv", "out.md"):
            await pilot.press("X")
            await until(pilot, lambda: isinstance(app.screen, PathPickerScreen))
            app.screen.query_one(Input).value = str(tmp_path / name)
            await pilot.press("enter")
            await until(pilot, (tmp_path / name).exists)
    assert (tmp_path / "out.csv").read_text().startswith("run,state,accuracy\n")
    assert "| accuracy |" in (tmp_path / "out.md").read_text()


async def test_hostile_metrics_and_tags_are_only_shown(
    make_run, training, finished, until, text_of
) -> None:
    for name in ("one", "two"):
        run = make_run(name, [*training(), finished()])
        write_annotations(run, Annotations(("[red]x[/red]", "[@click=app.quit]y"), "\x1b[2Jnote"))
        with run.events.path.open("a") as file:
            file.write('{"event":"evaluated","step":1,"epoch":1,"split":"validation",'
                       '"metrics":{"[bold]\\u001b[2J":1.0},"best":true}\n')  # fmt: skip
    app = DltuiApp()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "#[red]x[/red]" in text_of(pilot))
        assert "\x1b" not in text_of(pilot)
        await compared(pilot, app, until)
        for key in ("m", "m", "2", "3"):
            await pilot.press(key)
            await pilot.pause(0.1)
            assert "\x1b" not in text_of(pilot)


async def test_one_run_alone_is_not_compared(make_run, until, text_of) -> None:
    make_run("one")
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("C")
        await until(pilot, lambda: "Select at least two" in text_of(pilot))
        assert isinstance(app.screen, RunsScreen)


async def test_pinned_runs_come_first_and_stay_so(make_run, training, until) -> None:
    for name in ("old", "mid", "new"):
        make_run(name, training(trained=1))
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 3)
        last = names(app)[-1]
        await pilot.press("end", "asterisk")
        await until(pilot, lambda: names(app)[0] == last)
        await pilot.press("o", "O")
        assert names(app)[0] == last
        await pilot.press("asterisk")
        await until(pilot, lambda: not app.screen.query_one(Listing).current.notes.pinned)


async def test_tags_and_a_note_are_written_and_found(make_run, until, text_of) -> None:
    run = make_run("one")
    make_run("two")
    app = DltuiApp()
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 2)
        while names(app)[app.screen.query_one(Listing).cursor] != "one":
            await pilot.press("down")
        await pilot.press("N")
        await until(pilot, lambda: isinstance(app.screen, AnnotateScreen))
        await pilot.press(*"paper", "tab", *"try-again", "enter")
        await until(pilot, lambda: "#paper" in text_of(pilot) and "try-again" in text_of(pilot))
        await pilot.press("slash", *"tag:pap", "enter")
        await until(pilot, lambda: names(app) == ["one"])
    assert read_annotations(run) == Annotations(("paper",), "try-again")


async def test_several_runs_are_tagged_and_deleted_at_once(make_run, until) -> None:
    runs = [make_run(name) for name in ("one", "two", "three")]
    app = DltuiApp()
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 3)
        await pilot.press("a", "N")
        await until(pilot, lambda: isinstance(app.screen, AnnotateScreen))
        await pilot.press(*"x", "enter")
        await until(pilot, lambda: all(read_annotations(run).tags == ("x",) for run in runs))
        await pilot.press("d", "y")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and not names(app))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, TrashScreen) and len(names(app)) == 3)
        back = names(app)[0]
        await pilot.press("u")
        await until(pilot, lambda: len(names(app)) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and names(app) == [back])


async def test_escape_selects_none_and_then_shows_all(make_run, until, text_of) -> None:
    for name in ("one", "two"):
        make_run(name)
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 2)
        await pilot.press("slash", *"one", "enter", "space")
        await until(pilot, lambda: "1 selected" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "selected" not in text_of(pilot))
        assert names(app) == ["one"]
        await pilot.press("escape")
        await until(pilot, lambda: len(names(app)) == 2)


async def test_a_wrong_filter_says_so_and_leaves_the_rows(make_run, until, text_of) -> None:
    make_run("one")
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("slash", *"nope:x")
        await until(pilot, lambda: "No field is called 'nope'" in text_of(pilot))
        await until(pilot, lambda: names(app) == ["one"])
        await pilot.press("escape")
        await until(pilot, lambda: "No field" not in text_of(pilot))


async def test_a_click_on_a_heading_sorts_and_a_second_turns_it_around(
    make_run, training, finished, until
) -> None:
    for name, accuracy in (("b", 0.5), ("a", 0.75), ("c", 0.25)):
        make_run(name, [*training(), finished(accuracy)])
    make_run("d")
    app = DltuiApp()
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: len(names(app)) == 4)
        await until(pilot, lambda: app.screen.query_one("#pane").size.width)
        heading = app.screen.query_one(Listing)
        at = heading.render_line(0).text.index("Value")
        await pilot.click(Listing, offset=(at + 1, 0))
        await until(pilot, lambda: names(app) == ["a", "b", "c", "d"])
        await pilot.click(Listing, offset=(at + 1, 0))
        await until(pilot, lambda: names(app) == ["c", "b", "a", "d"])
        await pilot.click(Listing, offset=(1, 1))
        await until(pilot, lambda: app.screen.query_one(Listing).rows.selected)


async def test_a_run_is_saved_as_a_preset(make_run, until) -> None:
    make_run("one")
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: names(app))
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, SavePresetScreen))
        await pilot.press("enter")
        await until(pilot, (presets_folder() / "one.toml").exists)
