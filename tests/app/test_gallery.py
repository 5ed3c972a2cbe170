"""A picker of forecasts: a list of series beside the picture of one of them."""

from __future__ import annotations

import json

import pytest

from engine.errors import RunError
from engine.reports.gallery import Gallery
from engine.reports.views import Lines, Table
from tui.app import DltuiApp
from tui.charts.band import Band, filling
from tui.charts.explorer import ChartExplorer
from tui.widgets.gallery import GalleryPanel
from tui.widgets.listing import Listing

COUNT = 3_000


def picture(place: int) -> Lines:
    series = {
        "truth": [1.0, 2.0, 3.0, float(place)],
        "forecast": [None, None, 2.5, 3.5],
        "0.1": [None, None, 2.0, 3.0],
        "0.9": [None, None, 3.0, 4.0],
    }
    days = ["2024-05-01", "2024-05-02", "2024-05-03", "2024-05-04"]
    return Lines(f"shop {place}", [-1.0, 0.0, 1.0, 2.0], series, labels=days)


@pytest.fixture
def done(make_run, training, finished):
    """A finished run whose report has thousands of forecasts."""
    run = make_run("done", [*training(), finished()])
    views = [
        Lines("Forecast of sales after 2024-05-02", [0, 1], {"truth": [1.0, 2.0]}),
        Table("Errors by step", ["step", "mae"], [[1, 0.5]]),
        Lines("RMSE by step", [1, 2], {"sales": [1.0, 2.0]}),
    ]
    report = {"metrics": {"test": {"loss": 1.0}}, "views": [view.record() for view in views]}
    run.report.path.write_text(json.dumps(report))
    rows = [[f"shop {i}", "2024-05-02", None if i == 7 else (COUNT - i) / 10] for i in range(COUNT)]
    columns = ["shop", "after", "mase"]
    run.gallery.write(Gallery("Forecasts", columns, rows, list(map(picture, range(COUNT))), 9_000))
    return run


def test_a_picture_is_read_alone(done) -> None:
    found = done.gallery.read()
    assert found.columns == ["shop", "after", "mase"]
    for place in (0, 1, COUNT - 1):
        assert done.gallery.view(found.places[place]).record() == picture(place).record()
    assert done.gallery.view(found.places[1] + 1) is None


def test_a_damaged_gallery_is_reported(done) -> None:
    done.gallery.path.write_text('{"title": "Forecasts"}\n')
    with pytest.raises(RunError, match="Cannot read"):
        done.gallery.read()


async def test_series_are_picked_filtered_and_sorted(done, until, text_of) -> None:
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Summary  Forecasts  By step" in text_of(pilot))
        assert "Forecast of sales" not in text_of(pilot)
        await pilot.press("2")
        await until(pilot, lambda: "3,000 forecasts, the worst of 9,000" in text_of(pilot))
        legend = "shop 0   ━━━ truth   ━●━ forecast   ░░░ 10–90 %"
        await until(pilot, lambda: legend in text_of(pilot))
        assert "2024-05-0" in text_of(pilot).splitlines()[-2], "dates on the axis"
        await pilot.press("down")
        await until(pilot, lambda: "shop 1   ━━━ truth" in text_of(pilot))
        await pilot.press("slash", *"2998")
        await until(pilot, lambda: "1 of 3,000 forecasts" in text_of(pilot))
        await until(pilot, lambda: "shop 2998   ━━━ truth" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "3,000 forecasts" in text_of(pilot))
        listing = app.screen.query_one(Listing)
        await until(pilot, lambda: listing.scroll_offset.y <= 2998 < listing.scroll_offset.y + 9)
        await pilot.press("o")
        await until(pilot, lambda: "shop 0   ━━━ truth" in text_of(pilot))
        assert (listing.cursor, listing.scroll_offset.y) == (0, 0)
        assert [case.cells[0] for case in listing.items[:2]] == ["shop 0", "shop 1"]
        await pilot.press("o", "o", "O")
        errors = [case.cells[2] for case in listing.items]
        assert errors[:2] == [0.1, 0.2]
        assert errors[-1] is None, "an unknown error is no small one"


async def test_the_legend_tells_the_values_at_the_cursor_in_further_lines(
    done, until, text_of
) -> None:
    app = DltuiApp(done.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query(GalleryPanel))
        await pilot.press("2")
        await until(pilot, lambda: "░░░ 10–90 %" in text_of(pilot))
        app.screen.query_one(GalleryPanel).query_one(ChartExplorer).focus()
        await pilot.press("right")
        await until(pilot, lambda: "░░░ 10–90 % 3.0000 to 4.0000" in text_of(pilot))
        assert "forecast 3.5000" in text_of(pilot)


async def test_the_list_stands_beside_the_picture_where_there_is_room(done, until, text_of) -> None:
    app = DltuiApp(done.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.screen.query(GalleryPanel))
        await pilot.press("2")
        await until(pilot, lambda: "░░░ 10–90 %" in text_of(pilot))
        listing, chart = (app.screen.query_one(GalleryPanel).query_one(part)
                          for part in (Listing, ChartExplorer))  # fmt: skip
        assert listing.region.right + 1 == chart.region.x
        assert listing.region.height == chart.region.height > 30


def test_a_band_is_filled_between_its_ends() -> None:
    band = Band("80 %", [(0, 1.0), (10, 1.0)], [(0, 3.0), (10, 5.0)])
    points = filling(band, (-10, 10), (0, 10), 20, 10)
    assert {x for x, _ in points} == {i + 0.5 for i in range(10)}
    assert {y for x, y in points if x == 0.5} == {1.5, 2.5, 3.5}
    assert max(y for _, y in points) == 4.5
