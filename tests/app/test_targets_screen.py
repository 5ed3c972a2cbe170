"""Target layers of an adapter are chosen from the layers that the model really has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from engine.reports.layer_groups import TargetGroup
from tui.app import DltuiApp
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.new_run.targets import TargetsScreen
from tui.widgets.form.row import FieldRow

DENSE = ["output.dense", "intermediate.dense", "pooler.dense"]


@pytest.fixture
def values(small_encoder: Path, tmp_path: Path) -> dict[str, Any]:
    """An experiment with an adapter on that encoder."""
    path = tmp_path / "films.csv"
    path.write_text("text,label\n" + "good film,yes\nbad film,no\n" * 12)
    return {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "path": str(small_encoder)},
        "adapter": {"method": "lora", "r": 4, "target_modules": ["attention"]},
    }


class Picking:
    """The screen, and the result with which it was dismissed."""

    def __init__(self, pilot: Pilot[Any], values: dict[str, Any], ask: Any) -> None:
        self.chosen: list[str | None] = []
        self.screen = TargetsScreen(Draft(values), ask)
        pilot.app.push_screen(self.screen, self.chosen.append)


def ticked(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.strip().startswith("[x]")]


@pytest.mark.slow
async def test_layers_are_listed_with_count_shape_and_what_they_add(
    values, advisor, until, text_of
) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        Picking(pilot, values, advisor.ask)
        await until(pilot, lambda: "parameters in the model" in text_of(pilot))
        row = next(line for line in text_of(pilot).splitlines() if " query " in line)
    # Two layers, each with 4 rows for its 32 inputs and 4 columns for its 32 outputs.
    assert row.split()[:7] == ["[x]", "query", "2", "32→32", "512", "1.33", "%"]
    assert "all-linear, attention" in row


async def test_a_preset_counts_the_part_of_a_group_that_it_takes(
    values, advisor, until, text_of
) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        Picking(pilot, values, advisor.ask)
        # Query, key, value and the output of attention in each of two blocks.
        await until(pilot, lambda: "8 layers  attention" in text_of(pilot))
        assert "2.0 k trained" in text_of(pilot)
        assert ticked(text_of(pilot)) == ["query", "key", "value"]
        # Those of attention are two of its four layers.
        part = next(line for line in text_of(pilot).splitlines() if " output.dense " in line)
    assert part.split()[:3] == ["[-]", "output.dense", "2/4"]


async def test_names_that_do_not_fit_into_the_sum_end_in_an_ellipsis(
    values, until, text_of
) -> None:
    names = [f"experts.of_some_length_{place}" for place in range(4)]
    groups = [TargetGroup(name, 1, ("8→8",), 16, 8, ("all-linear",)).record() for name in names]
    answer = {"groups": groups, "presets": {"all-linear": names}, "parameters": 1000}
    adapter = values["adapter"] | {"target_modules": names}
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        Picking(pilot, values | {"adapter": adapter}, lambda *_, **__: answer)
        await until(pilot, lambda: "4 layers" in text_of(pilot))
        [total] = [line for line in text_of(pilot).splitlines() if "4 layers" in line]
    assert total.rstrip().endswith("…")


async def test_a_magnitude_for_each_output_is_counted_with_dora(
    values, advisor, until, text_of
) -> None:
    values["adapter"] |= {"method": "dora", "target_modules": ["query"]}
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        Picking(pilot, values, advisor.ask)
        # Two layers of 4 · (32 + 32) parameters, with 32 magnitudes each.
        await until(pilot, lambda: "576 trained" in text_of(pilot))
        row = next(line for line in text_of(pilot).splitlines() if " query " in line)
    assert row.split()[4] == "576"


async def test_space_chooses_several_and_enter_takes_them(values, advisor, until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picking = Picking(pilot, values, advisor.ask)
        await until(pilot, lambda: ticked(text_of(pilot)))
        await pilot.press("j", "space", "j", "j", "space")
        await until(pilot, lambda: ticked(text_of(pilot)) == ["query", "value", "output.dense"])
        await pilot.press("enter")
        await until(pilot, lambda: picking.chosen)
    assert picking.chosen == ['["query", "value", "output.dense"]']


@pytest.mark.parametrize(
    ("key", "names", "preset"),
    [
        ("1", ["query", "key", "value"], "attention"),
        ("2", ["query", "key", "value", *DENSE], "all-linear"),
        ("3", ["query", "value"], "peft-default"),
    ],
)
async def test_a_key_chooses_a_preset_by_its_name(
    values, advisor, until, text_of, key, names, preset
) -> None:
    values["adapter"]["target_modules"] = ["dense"]
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picking = Picking(pilot, values, advisor.ask)
        await until(pilot, lambda: ticked(text_of(pilot)) == DENSE)
        await pilot.press(key)
        await until(pilot, lambda: ticked(text_of(pilot)) == names)
        await pilot.press("enter")
        await until(pilot, lambda: picking.chosen)
    assert picking.chosen == [f'["{preset}"]']


@pytest.mark.parametrize("before", [[], ["[red]vlaue[/red]"]])
async def test_a_choice_that_is_wrong_is_mended(values, advisor, until, text_of, before) -> None:
    values["adapter"] |= {"target_modules": before, "r": 4}
    values["train"] = {"epochs": -1}
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picking = Picking(pilot, values, advisor.ask)
        await until(pilot, lambda: "[ ] query" in text_of(pilot))
        assert ("this model has no [red]vlaue[/red]" in text_of(pilot)) == bool(before)
        await pilot.press("enter")
        await pilot.pause()
        assert not picking.chosen
        await pilot.press("space", "enter")
        await until(pilot, lambda: picking.chosen)
    assert picking.chosen == ['["query"]']


async def test_a_model_that_cannot_be_built_is_reported(
    values, advisor, until, text_of, tmp_path
) -> None:
    values["model"]["path"] = str(tmp_path / "nowhere")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picking = Picking(pilot, values, advisor.ask)
        # A long path is wrapped at the screen's width.
        await until(pilot, lambda: "nowhere" in "".join(text_of(pilot).split()))
        await pilot.press("escape")
        await until(pilot, lambda: picking.chosen)
    assert picking.chosen == [None]


async def test_the_form_opens_the_layers_and_takes_the_choice(
    values, advisor, until, text_of
) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        screen = NewRunScreen(values, ask=advisor.ask)
        pilot.app.push_screen(screen)

        def row() -> Any:
            rows = [row for row in screen.query(FieldRow) if row.name == "adapter.target_modules"]
            return rows[0] if rows else None

        await until(pilot, row)
        row().focus()
        await pilot.press("enter")
        await until(pilot, lambda: ticked(text_of(pilot)))
        await pilot.press("3", "enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await until(pilot, lambda: row().view.text == "peft-default")


async def test_fields_of_an_adapter_are_shown_only_with_a_method(values, advisor, until) -> None:
    values["adapter"] = {"method": "none"}
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        screen = NewRunScreen(values, ask=advisor.ask)
        pilot.app.push_screen(screen)

        def names() -> list[str]:
            rows = [row.view.spec.name for row in screen.query(FieldRow)]
            return [name for name in rows if name.startswith("adapter.")]

        await until(pilot, lambda: names() == ["adapter.method"])
        next(row for row in screen.query(FieldRow) if row.name == "adapter.method").focus()
        await pilot.press("right")
        await until(pilot, lambda: "adapter.target_modules" in names())
