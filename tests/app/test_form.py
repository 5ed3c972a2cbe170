"""The form by itself: every kind of field is changed with a few keys."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import ComposeResult
from textual.widgets import OptionList

from engine.config.fields import FieldKind, FieldSpec
from tui.app import DltuiApp
from tui.format.text import literal
from tui.terminal.keyboard import KeysInOrder
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.form import Form
from tui.widgets.form.row import FieldRow
from tui.widgets.form.view import FieldView, SectionView


def view(kind: FieldKind, text: str, **more: Any) -> FieldView:
    options = more.pop("options", {})
    spec = FieldSpec("train.field", kind, None, "What it is for", **more)
    return FieldView(spec, text, options)


class FormApp(KeysInOrder):
    """A form with one field, and the values it was changed to."""

    def __init__(self, field: FieldView) -> None:
        super().__init__()
        self.field = field
        self.edits: list[str] = []

    def compose(self) -> ComposeResult:
        yield Form(1)

    async def on_mount(self) -> None:
        form = self.query_one(Form)
        await form.show([SectionView("Section", [self.field])])
        form.go_to_section(0)

    def on_field_row_edited(self, event: FieldRow.Edited) -> None:
        self.edits.append(event.text)


CHANGES = [
    (view("bool", "false"), ["enter"], "true"),
    (view("bool", "true"), ["space"], "false"),
    (view("choice", "a", choices=("a", "b", "c"), options=dict.fromkeys("abc", "")), ["l"], "b"),
    (view("choice", "a", choices=("a", "b", "c"), options=dict.fromkeys("abc", "")), ["left"], "c"),
    (view("choice", "a", options={"a": "apple", "b": "pear"}), ["enter", *"pea", "enter"], "b"),
    (view("choice", "a", options={"a": "", "b": ""}), ["enter", "down", "enter"], "b"),
    (view("text", "a", options={"a": ""}), ["enter", *"other", "enter"], "other"),
    (view("text", "", options={"Gewicht": "weight"}), ["enter", *"Gew", "enter"], "Gewicht"),
    (view("text", "", options={"Gewicht": "Ge"}), ["enter", *"Gew", "down", "enter"], "Gew"),
    (view("text", "", options={"a": "weight"}), ["enter", *"weight", "enter"], "weight"),
    (view("text", "", options={"Gewicht": ""}), ["enter", *"Gt", "enter"], "Gt"),
    (view("choice", "a", options={"a": "", "Gewicht": ""}), ["enter", *"gct", "enter"], "Gewicht"),
    (view("text", "a", options={"": "any", "a": ""}), ["enter", "up", "enter"], ""),
    (view("int", "7"), ["enter", "1", "2"], "12"),
    (view("float", "7"), ["enter", "ctrl+u", *"1e-4"], "1e-4"),
    (view("list", "1,2", item="int"), ["enter", "end", *",3"], "1,2,3"),
    (
        view("list", "b", item="text", options=dict.fromkeys(["a,x", "b"], "")),
        ["enter", "space", "enter"],
        '["a,x", "b"]',
    ),
]


@pytest.mark.parametrize(("field", "keys", "expected"), CHANGES)
async def test_a_few_keys_change_a_field(
    field: FieldView, keys: list[str], expected: str, until: Any
) -> None:
    app = FormApp(field)
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: app.edits[-1:] == [expected])


@pytest.mark.parametrize(("field", "keys", "expected"), CHANGES)
async def test_keys_that_come_all_at_once_change_a_field_the_same(
    field: FieldView, keys: list[str], expected: str, until: Any, type_ahead: Any
) -> None:
    """Keys arrive all at once over a slow connection, or when the user types ahead."""
    app = FormApp(field)
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        type_ahead(pilot, *keys)
        await until(pilot, lambda: app.edits[-1:] == [expected])


async def test_escape_leaves_a_choice_as_it_was(until: Any) -> None:
    app = FormApp(view("choice", "a", options={"a": "", "b": ""}))
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        await pilot.press("enter", "down", "escape")
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
    assert app.edits == []


async def test_enter_on_an_empty_line_takes_no_suggestion(until: Any) -> None:
    app = FormApp(view("text", "", options={"first": "", "second": ""}))
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        assert app.edits == []
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.edits == ["first"])


async def test_a_double_click_changes_a_field(until: Any) -> None:
    app = FormApp(view("bool", "false"))
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        await pilot.click(FieldRow, times=2)
        await until(pilot, lambda: app.edits == ["true"])


async def test_a_field_that_stays_keeps_its_focus_when_others_go(until: Any) -> None:
    app = FormApp(view("int", "7"))
    other = FieldView(FieldSpec("train.other", "int", 1, ""), "1")
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        row, form = app.focused, app.query_one(Form)
        await form.show([SectionView("Section", [other, app.field])])
        assert [row.view.spec.key for row in form.rows] == ["other", "field"]
        await form.show([SectionView("Section", [app.field])])
        assert app.focused is row


async def test_values_and_problems_are_shown_literally(until: Any, text_of: Any) -> None:
    field = view("text", "[red]x[/red] \x1b[2J")
    wrong = FieldView(field.spec, field.text, problem="[b]no[/b]")
    app = FormApp(wrong)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.focused, FieldRow))
        text = text_of(pilot)
    assert "[red]x[/red] ␛[2J" in text
    assert "! [b]no[/b]" in text


async def test_a_choice_says_that_nothing_matches(until: Any, text_of: Any) -> None:
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(ChoiceScreen("Which", {"adam": "", "sgd": ""}))
        await until(pilot, lambda: "adam" in text_of(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "nothing matches 'x'" in text_of(pilot))
        await pilot.press("enter", "backspace")
        await until(pilot, lambda: "adam" in text_of(pilot))


async def test_a_long_choice_formats_each_value_a_few_times(until: Any, monkeypatch: Any) -> None:
    written: list[object] = []

    def counted(text: object, limit: int = 200) -> Any:
        written.append(text)
        return literal(text, limit)

    monkeypatch.setattr("tui.widgets.form.choice.literal", counted)
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = ChoiceScreen("Which", {f"column {number}": "" for number in range(300)})
        app.push_screen(screen)
        await until(pilot, lambda: [one.option_count for one in screen.query(OptionList)] == [300])
    assert len(written) < 300 * 10
