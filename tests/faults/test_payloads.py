"""Escape sequences and markup in every text from outside: none reaches a terminal."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.errors import UserError
from engine.files.paths import presets_folder, sweeps_folder
from engine.runs.annotations import Annotations, to_tags, write_annotations
from engine.runs.directory import RunDirectory
from engine.runs.events import Data, Evaluated, Failed, Log, Samples
from engine.runs.trash import discard
from tui.app import DltuiApp
from tui.screens.adapters.combine import CombineScreen
from tui.screens.compare.screen import CompareScreen
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.dialogs.pick import PickScreen
from tui.screens.monitor.requests import learning_rate
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.runs.annotate import AnnotateScreen
from tui.screens.runs.trash import TrashScreen
from tui.screens.try_it import TryItScreen
from tui.widgets.notify import complain

_TESTS = Path(__file__).parents[1]
_SHARED = runpy.run_path(str(_TESTS / "app" / "conftest.py"))
_EVERYWHERE = runpy.run_path(str(_TESTS / "app" / "test_everywhere.py"))
_PTY = runpy.run_path(str(_TESTS / "end_to_end" / "conftest.py"))
make_run, until, training = _SHARED["make_run"], _SHARED["until"], _SHARED["training"]
text_of, finished = _SHARED["text_of"], _SHARED["finished"]
screens = _EVERYWHERE["screens"]
PAYLOADS: dict[str, str] = _EVERYWHERE["HARMFUL"]
ALL = " ".join(PAYLOADS.values())
SCREENS = 25
HARM = "payloads in texts from outside, on every screen"
OWN = re.compile(r"\x1b\[22;0t|\x1b\[23;0t|\x1b\]0;[^\x00-\x1f\x7f-\x9f]*\x07|\x1b\]22;[a-z-]*\x07")
"""Output besides the screens: a title without control characters, and the mouse pointer's shape."""

Make = Callable[[str], dict[str, Callable[[], Any]]]


@pytest.fixture
def others(make_run: Any, training: Any, finished: Any) -> Make:
    """A function that creates the screens missing in ``test_everywhere``, and the monitor's states.

    The text is in every place for a text of a run, its data or its model.
    """

    def told(text: str) -> list[Any]:
        summary = {
            "source": text, "rows": {"train": 9}, "facts": {text: text}, "notes": [text],
            "skips": [{"reason": text, "count": 3, "example": text}],
            "columns": [{"name": text, "type": "text", "role": "input", "example": text}],
            "classes": {text: 4},
        }  # fmt: skip
        return [
            *training(),
            Data(summary=summary),
            Log(level="error", message=text),
            Samples(step=9, split=text, items=[{text: text, "truth": text}]),
            Evaluated(step=40, epoch=4.0, split="validation", metrics={text: 0.5, "loss": 0.1}),
            Evaluated(step=40, epoch=4.0, split=text, metrics={text: 0.5}),
        ]

    def answer(question: str, **arguments: Any) -> dict[str, Any]:
        del question
        record = {"label": text_now[0], "scores": {text_now[0]: 0.9}, text_now[0]: text_now[0]}
        known = {"inputs": [text_now[0]], "records": [], "notes": [text_now[0]]}
        return known | ({"records": [record]} if "rows" in arguments else {})

    text_now = [""]

    def make(text: str) -> dict[str, Callable[[], Any]]:
        text_now[0] = text
        shown = make_run("shown", told(text))
        shown.log.write_text(f"{text}\n" * 9)
        failed = make_run("failed", [*told(text), Failed(message=text, report=text)])
        done = make_run("again", [*told(text), finished()])
        write_annotations(done, Annotations(to_tags([text]), text[:400], pinned=True))
        (done.path / "config.toml").write_text(f"# {text.isprintable()}\nname = {json.dumps(text)}")
        discard(make_run("thrown", [*told(text), finished()]))
        presets_folder().mkdir(parents=True, exist_ok=True)
        own = f"title = {json.dumps(text)}\n[task]\nkind = {json.dumps(text)}\n"
        (presets_folder() / "harmful.toml").write_text(own)
        return {
            "compare": lambda: CompareScreen([shown, failed]),
            "annotate": lambda: AnnotateScreen([Annotations(to_tags([text]), text[:400])]),
            "value": lambda: AskValueScreen(text, text, learning_rate),
            "combine": lambda: CombineScreen([("one", text), ("two", text)]),
            "pick": lambda: PickScreen(text, [text, "other"], text),
            "trash": TrashScreen,
            "try it": lambda: TryItScreen(shown, answer),
            "samples": lambda: MonitorScreen(shown),
            "failed": lambda: MonitorScreen(failed),
            "unreadable": lambda: MonitorScreen(done),
        }

    return make


async def stands(app: DltuiApp, pilot: Pilot[Any], written: list[str], payload: str) -> None:
    """No payload has had an effect on the current screen."""
    strips = app.screen._compositor.render_strips()
    shown = "\n".join(strip.text for strip in strips)
    assert all(c.isprintable() or c == "\n" for c in shown), ascii(payload)
    assert app.title == "dltui"
    assert not app.clipboard
    assert app.is_running
    for strip in strips:
        for segment in strip:
            assert "app.quit" not in str(segment.style.meta if segment.style else "")
    assert OWN.sub("", "".join(written)) == ""
    if "[red]" in payload:
        # A truncated line loses its markup with the text, never the closing tag alone.
        assert "not red[/red" not in shown.replace("[red]not red[/red", "")


async def visit(app: DltuiApp, pilot: Pilot[Any], until: Any, make: Any, check: Any) -> None:
    """Open a screen on home, use a few of its keys, and close it."""
    screen = make()
    if screen is not None:
        app.push_screen(screen)
        await until(pilot, lambda: app.screen is screen and screen.is_mounted)
    await pilot.pause(0.1)
    await check()
    for key in ("right_square_bracket", "j", "right_square_bracket", "right_square_bracket"):
        await pilot.press(key)
    await pilot.pause(0.05)
    await check()
    if screen is not None and app.screen is screen:
        app.pop_screen()
        await pilot.pause()


async def bring(payload: str, makers: dict[str, Callable[[], Any]], until: Any) -> None:
    """Show a payload on all screens, one after the other in one program."""
    app = DltuiApp()
    async with app.run_test(size=(200, 60), notifications=True) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        written: list[str] = []
        app._driver.write = written.append  # type: ignore[union-attr, method-assign]
        home = app.screen

        async def check() -> None:
            await stands(app, pilot, written, payload)

        for make in makers.values():
            shutil.rmtree(sweeps_folder(), ignore_errors=True)  # two screens create the same sweep
            await visit(app, pilot, until, make, check)
            while app.screen is not home:
                app.pop_screen()
        complain(home, UserError(payload))
        await pilot.pause(0.1)
        await check()


@pytest.mark.slow
@pytest.mark.harm(HARM, 10)
async def test_all_payloads_at_once_do_nothing_on_the_other_screens(
    others: Make, until: Any
) -> None:
    makers = others(ALL)
    await bring(ALL, makers, until)


@pytest.mark.harm(HARM, SCREENS)
@pytest.mark.faults
@pytest.mark.parametrize("name", PAYLOADS)
async def test_a_payload_does_nothing_on_any_screen(
    name: str, others: Make, screens: Make, until: Any
) -> None:
    payload = PAYLOADS[name]
    makers = screens(payload) | others(payload)
    assert len(makers) == SCREENS
    await bring(payload, makers, until)


CONTROLS = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_X^][^\x1b]*(?:\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[^\[\]]|[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)
USUAL = re.compile(r"\x1b\[[\d;:]*[mH]|\x1b\]0;[^\x00-\x1f\x7f-\x9f]*\x07")


def controls(output: bytes) -> set[str]:
    """Control sequences in the output, except colours, positions and titles."""
    found = CONTROLS.findall(output.decode())
    return {one for one in found if not USUAL.fullmatch(one)}


def walked(home: Path) -> set[str]:
    """Control sequences sent to a real terminal while the screens are visited."""
    terminal = _PTY["Terminal"]([_PTY["DLTUI"]], 120, 40)
    try:
        terminal.wait_for("shown", "Quit")
        terminal.press("end", "home", "down", "slash", "shown", "enter", "escape")
        for keys in (
            ["enter"],
            ["escape"],
            ["P"],
            ["escape"],
            ["S"],
            ["escape"],
            ["A"],
            ["escape"],
        ):
            terminal.press(*keys)
            terminal.read(0.6)
            if keys == ["enter"]:
                for panel in "123456":
                    terminal.press(panel)
                    terminal.read(0.4)
        terminal.press("n")
        terminal.read(1)
        assert terminal.process.poll() is None
        assert terminal.output.count(b"\x1b[?25h") == 0, "the cursor is shown"
        return controls(terminal.output)
    finally:
        terminal.close()


@pytest.mark.harm("payloads in the bytes that a real terminal gets", 1)
@pytest.mark.faults
@pytest.mark.parametrize(
    "payload", ["title", "clipboard", "cursor", "alternate screen", "one byte", "device", "all"]
)
def test_a_real_terminal_gets_nothing_else_than_usual(
    payload: str, others: Make, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others("harmless")
    usual = walked(home)
    monkeypatch.setenv("DLTUI_HOME", str(tmp_path / "harmed"))
    others(PAYLOADS.get(payload, ALL))
    runs = [RunDirectory(path) for path in (tmp_path / "harmed" / "runs").glob("*-shown")]
    assert runs
    assert walked(tmp_path / "harmed") - usual == set()
