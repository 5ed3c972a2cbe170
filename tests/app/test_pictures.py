"""Images on the screens: as half blocks where the terminal shows them, else in words."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import Any

import pytest

from engine.errors import UserError
from engine.reports.explanation import Explanation
from engine.reports.gallery import Explained, Gallery
from engine.reports.picture import Picture, PictureGroup
from engine.reports.views import Pictures, Shaded, Table, Texts
from engine.service.client import Superseded
from tui.app import DltuiApp
from tui.screens.dialogs.base import ReadScreen
from tui.screens.dialogs.explanation import ExplanationScreen
from tui.screens.dialogs.picture import PictureScreen
from tui.screens.new_run.contact_sheet import ContactSheetScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.try_it import TryItScreen
from tui.settings import Settings
from tui.widgets.input_rows import InputRows
from tui.widgets.pictures.explorer import PictureExplorer
from tui.widgets.preview import DataPreview

PRESET = {
    "task": {"kind": "image_classification"},
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "cnn"},
}
SHADES = {"stored": 40, "augmented": 80, "others": 120}


def shaded(value: int, **words: str) -> Picture:
    return Picture(8, 8, base64.b64encode(bytes([value] * 192)).decode(), **words)


def sheet(value: int) -> list[dict[str, Any]]:
    groups = [
        PictureGroup(f"{name}: 9 images", tuple(
            shaded(value + place, caption=name, name=f"{name}{place}.png", size="28×28")
            for place in range(8)
        ))
        for name in ("cat", "dog")
    ]  # fmt: skip
    return [asdict(group) for group in groups]


def answered(question: str, **arguments: Any) -> dict[str, Any]:
    if question == "preview":
        return {
            "columns": ["image"], "rows": [["a.png"]], "problem": "",
            "pictures": [asdict(shaded(200, caption="cat")), asdict(shaded(220, caption="dog"))],
            "summary": {
                "source": "digits", "rows": {"train": 9}, "facts": {}, "skips": [], "notes": [],
                "columns": [], "classes": {"cat": 5, "dog": 4},
            },
        }  # fmt: skip
    if question == "contact sheet":
        return {"groups": sheet(SHADES["others" if arguments["seed"] else "stored"])}
    if question == "augmented contact sheet":
        return {"groups": sheet(SHADES["augmented"] + 16 * arguments["variant"]), "changed": True}
    raise Superseded("")


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 24 bits."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


def greys(app: DltuiApp) -> set[int]:
    """The shades of grey that are the background of a cell on the screen."""
    found = set()
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            colour = segment.style and segment.style.bgcolor
            if colour and colour.triplet and len(set(colour.triplet)) == 1:
                found.add(colour.triplet.red)
    return found


async def opened(pilot: Any, until: Any, *keys: str) -> DltuiApp:
    app = pilot.app
    await app.push_screen(NewRunScreen(PRESET, ask=answered))
    await until(pilot, lambda: app.screen.query(DataPreview))
    await pilot.press("p")
    await until(pilot, lambda: app.screen.query_one(DataPreview)._answer)
    await pilot.press(*keys)
    return app


async def test_the_preview_shows_an_image_of_each_class(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, until)
        await until(pilot, lambda: {200, 220} <= greys(app))
        assert "cat" in text_of(pilot)


async def test_the_sheet_shows_images_augmented_and_others(until, text_of) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        app = await opened(pilot, until, "v")
        await until(pilot, lambda: isinstance(app.screen, ContactSheetScreen))
        await until(pilot, lambda: {40, 41, 46} <= greys(app))
        assert "cat: 9 images" in text_of(pilot)
        await until(pilot, lambda: "as stored   cat  cat0.png  28×28 px" in text_of(pilot))
        await pilot.press("v")
        await until(pilot, lambda: 80 in greys(app))
        assert "augmented   cat" in text_of(pilot)
        await pilot.press("n")
        await until(pilot, lambda: 96 in greys(app))
        await pilot.press("v", "n")
        await until(pilot, lambda: 120 in greys(app))


async def test_the_cursor_goes_from_image_to_image_and_enter_enlarges(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, until, "v")
        await until(pilot, lambda: "cat0.png" in text_of(pilot))
        await pilot.press("right", "down")  # four stand side by side
        await until(pilot, lambda: "cat5.png" in text_of(pilot))
        await pilot.press("down", "end")
        await until(pilot, lambda: "dog7.png" in text_of(pilot))
        assert 47 in greys(app), "the sheet scrolls with the cursor"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PictureScreen))
        await until(pilot, lambda: "dog  dog7.png  28×28 px" in text_of(pilot))
        await pilot.press("enter", "plus")
        await until(pilot, lambda: app.screen.query_one(PictureExplorer).side == 32)
        await until(pilot, lambda: app.screen.query_one(PictureExplorer).size.height > 60)


@pytest.mark.parametrize(
    ("settings", "environment"),
    [
        (Settings(characters="plain"), {}),
        (Settings(), {"COLORTERM": "", "TERM": "xterm"}),
        (Settings(), {"NO_COLOR": "1"}),
    ],
    ids=["plain characters", "16 colours", "no colour"],
)
async def test_images_are_told_in_words_where_they_cannot_be_shown(
    settings, environment, until, text_of, monkeypatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with DltuiApp(settings=settings).run_test(size=(80, 24)) as pilot:
        app = await opened(pilot, until, "v")
        await until(pilot, lambda: isinstance(app.screen, ContactSheetScreen))
        size = "28x28" if settings.characters == "plain" else "28×28"
        await until(pilot, lambda: f"cat  cat1.png  {size} px" in text_of(pilot))
        assert not {40, 41} & greys(app)
        await pilot.press("end")
        await until(pilot, lambda: text_of(pilot).count("dog7.png") == 2)


async def test_over_a_slow_connection_images_are_small_and_few(until, text_of) -> None:
    asked: list[dict[str, Any]] = []

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return answered(question, **arguments)

    async with DltuiApp(settings=Settings(slow_link=True)).run_test(size=(80, 24)) as pilot:
        app = pilot.app
        app.push_screen(ContactSheetScreen(PRESET, ask))
        await until(pilot, lambda: "cat0.png" in text_of(pilot))
        assert asked[-1]["each"] < 8
        assert app.screen.query_one(PictureExplorer).side == 8


async def test_an_error_is_told(until, text_of) -> None:
    def failing(question: str, **arguments: Any) -> dict[str, Any]:
        raise UserError("This data set has no images.")

    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(ContactSheetScreen(PRESET, failing))
        await until(pilot, lambda: "This data set has no images." in text_of(pilot))


def explanation(target: str) -> dict[str, Any]:
    value = {"cat": 150, "dog": 170}[target]
    pictures = [asdict(shaded(60, caption=target)), asdict(shaded(value, caption="middle (40%)"))]
    view = {"form": "pictures", "title": target, "pictures": pictures}
    return {
        "target": target, "targets": ["cat", "dog"], "method": "Grad-CAM", "notes": [],
        "views": [view],
    }  # fmt: skip


@pytest.fixture
def mistaken(make_run, training, finished) -> Any:
    """A finished run with two mistakes."""
    run = make_run("mistaken", [*training(), finished()])
    views = [Pictures(f"{i}.png", [shaded(100 + i, name=f"{i}.png")]) for i in range(2)]
    rows = [[f"folder/{i}.png", "cat", "dog", 0.9 - i / 10] for i in range(2)]
    columns = ["image", "class", "predicted", "probability"]
    run.gallery.write(Gallery("Mistakes", columns, rows, views, 2))
    table = Table("Worst mistakes", columns, rows)
    report = {"metrics": {"test": {"loss": 1.0}}, "views": [table.record()]}
    run.report.path.write_text(json.dumps(report))
    return run


async def test_mistakes_are_seen_enlarged_and_explained(
    mistaken, until, text_of, monkeypatch
) -> None:
    asked: list[dict[str, Any]] = []

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return explanation(arguments["target"] or "cat")

    app = DltuiApp(mistaken.id)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "Summary  Mistakes  Loss" in text_of(pilot))
        monkeypatch.setattr(app.screen._advisor, "ask", ask)
        await pilot.press("2")
        await until(pilot, lambda: 100 in greys(app))
        await pilot.press("down")
        await until(pilot, lambda: 101 in greys(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PictureScreen))
        await pilot.press("escape", "e")
        await until(pilot, lambda: {60, 150} <= greys(app))
        assert "Where did it look?" in text_of(pilot)
        assert asked[0]["run"] == mistaken.id
        assert asked[0]["file"] == "1.png"
        assert asked[0]["picture"] == asdict(shaded(101, name="1.png"))
        await pilot.press("right")
        await until(pilot, lambda: 170 in greys(app))
        await pilot.press("right")
        await until(pilot, lambda: 150 in greys(app))
        assert [arguments["target"] for arguments in asked] == ["", "dog", "cat"]


async def test_a_wrong_row_is_opened_whole_and_explained(
    make_run, training, finished, until, text_of, monkeypatch
) -> None:
    asked: list[dict[str, Any]] = []

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return explanation("cat")

    run = make_run("rows", [*training(), finished()])
    words = " ".join(f"word{i}" for i in range(60))
    views = [Texts("a text", [{"text": f"a{i} [b]{words}[/b]", "label": "dog"}]) for i in range(2)]
    views.append(Table("Row 3", ["column", "value"], [["age", "41"], ["town", "Wien"]]))
    known = [Explained({"text": f"text {i}"}, "dog") for i in range(3)]
    rows = [[f"a{i}", "dog", 0.9 - i / 10] for i in range(3)]
    columns = ["text", "label", "probability"]
    run.gallery.write(Gallery("Mistakes", columns, rows, views, 3, known))
    run.report.path.write_text(json.dumps({"metrics": {"test": {"loss": 1.0}}}))
    app = DltuiApp(run.id)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "Summary  Mistakes  Loss" in text_of(pilot))
        monkeypatch.setattr(app.screen._advisor, "ask", ask)
        await pilot.press("2")
        await until(pilot, lambda: "a0 [b]word0" in text_of(pilot))
        await pilot.press("down")
        await until(pilot, lambda: "a1 [b]word0" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ReadScreen))
        assert "word59[/b]" in text_of(pilot)
        await pilot.press("escape", "e")
        await until(pilot, lambda: "Where did it look?" in text_of(pilot) and asked)
        assert asked == [{"run": run.id, "row": {"text": "text 1"}, "target": "dog"}]
        await pilot.press("escape", "down")
        await until(pilot, lambda: "Wien" in text_of(pilot))


async def test_a_tried_image_is_shown_and_explained(make_run, until, text_of) -> None:
    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        if question == "explain":
            assert arguments["row"] == {"image": "a.png"}
            return explanation("dog")
        if not arguments.get("rows"):
            return {"inputs": ["image"], "records": [], "notes": [], "explained": True}
        record = {"image": "a.png", "label": "dog", "score": 0.9, "scores": {"dog": 0.9}}
        pictures = [asdict(shaded(130, caption="dog (90%)"))]
        return {"inputs": ["image"], "records": [record], "notes": [], "pictures": pictures}

    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.push_screen(TryItScreen(make_run("pets"), ask))
        await until(pilot, lambda: app.screen.query(InputRows))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "Type an input" in text_of(pilot))
        await pilot.press(*"a.png", "enter")
        await until(pilot, lambda: 130 in greys(app))
        assert "dog (90%)" in text_of(pilot)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: {60, 170} <= greys(app))


async def test_words_and_columns_are_told_by_their_weights(until, text_of) -> None:
    shaded_text = Shaded("Words", [("good", 0.5), ("dull", -1.0), ("a", 0.0)])
    columns = ["column", "value", "usual value", "change of p(yes)"]
    table = Table("p(yes) is 0.7", columns, [["age", "41", "37", 0.25]])
    shown = Explanation("yes", ["yes"], "occlusion", [shaded_text, table])

    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ExplanationScreen(lambda *_, **__: shown.record(), {"run": "x"}))
        for text in ("good dull a", "-1  dull", "+0.5  good", "change of p(yes)", "0.2500"):
            await until(pilot, lambda text=text: text in text_of(pilot))


async def test_what_cannot_be_explained_is_told(until, text_of) -> None:
    def failing(question: str, **arguments: Any) -> dict[str, Any]:
        raise UserError("Predictions of this task cannot be explained.")

    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ExplanationScreen(failing, {"run": "x"}))
        await until(pilot, lambda: "cannot be explained" in text_of(pilot))
        await pilot.press("right", "escape")
        await until(pilot, lambda: not isinstance(app.screen, ExplanationScreen))
