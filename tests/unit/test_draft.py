"""The draft of an experiment: consequences of a choice, problems, and changes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial

import pytest

from engine.config.fields import FieldSpec
from engine.config.overrides import parse_value, text_of
from engine.config.presets import (
    experiment_of,
    find_preset,
    list_presets,
    load_preset,
    save_preset,
    usable_presets,
    without_preset,
)
from engine.config.run_config import RunConfig
from engine.config.tasks.registry import TASKS
from engine.errors import ConfigError, PresetError
from tui.screens.new_run import choices
from tui.screens.new_run.command_line import command_line
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.sections import Known, applies, sections_of
from tui.widgets.form.field_text import field_text
from tui.widgets.form.view import FieldView


def drafts() -> Iterator[Draft]:
    """A draft for every task with every model and every data source that suits it."""
    for task in TASKS:
        for section in ("model", "data"):
            for kind in choices.kinds(section, task):
                yield Draft({"task": {"kind": task}, section: {"kind": kind}})


def iris(*changes: str) -> RunConfig:
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp"},
    }
    return RunConfig.parse(values).override(changes)


def test_an_empty_draft_can_be_started_as_it_is() -> None:
    draft = Draft()
    assert draft.values.checked.config is not None
    assert not draft.changes


@pytest.mark.parametrize("task", TASKS)
def test_every_task_begins_with_its_usual_model_and_data_that_suit_it(task: str) -> None:
    draft = Draft()
    draft.set_domain(TASKS[task].domain)
    draft.set("task.kind", task)
    assert draft.values.text("model.kind") == TASKS[task].models[0]
    assert draft.values.text("data.kind") in choices.kinds("data", task)
    assert draft.values.checked.problems == {}


def test_built_in_data_is_offered_to_the_tasks_that_it_serves() -> None:
    draft = Draft()
    draft.set("task.kind", "tabular_regression")
    assert draft.values.text("data.name") == "diabetes"
    assert "digits" not in choices.options(draft.values, "data.name")


def test_another_task_keeps_data_that_suits_it_too() -> None:
    draft = Draft({"task": {"kind": "tabular_classification"}, "data": {"kind": "file"}})
    draft.set("data.path", "mine.csv")
    draft.set("task.kind", "tabular_regression")
    assert draft.values.text("data.path") == "mine.csv"


def test_a_wrong_value_is_a_problem_of_its_field_and_is_kept() -> None:
    draft = Draft()
    draft.set("train.epochs", "many")
    assert draft.values.checked.config is None
    assert "whole number" in draft.values.checked.problems["train.epochs"]
    assert draft.values.text("train.epochs") == "many"


def test_an_emptied_number_takes_its_default() -> None:
    draft = Draft()
    draft.set("train.save_total_limit", "3")
    draft.set("train.save_total_limit", "")
    assert draft.values.value("train.save_total_limit") == 2
    assert not draft.changes


def test_a_change_is_known_and_undone() -> None:
    draft = Draft(iris("train.epochs=7").values(), "iris-mlp")
    draft.set("train.epochs", "9")
    assert draft.changes == ["train.epochs"]
    draft.reset("train.epochs")
    assert draft.values.value("train.epochs") == 7
    assert not draft.changes


def test_saving_makes_the_draft_the_measure_of_changes() -> None:
    draft = Draft()
    draft.set("train.epochs", "9")
    draft.saved_as("mine")
    assert not draft.changes
    assert draft.preset == draft.values.text("name") == "mine"


def test_a_run_is_called_after_its_data_and_model_until_it_is_given_a_name() -> None:
    draft = Draft(iris("name=iris-mlp").values(), "iris-mlp")
    draft.set("data.name", "wine")
    assert draft.values.text("name") == "wine-mlp"
    draft.set("name", "mine")
    draft.set("data.name", "iris")
    assert draft.values.text("name") == "mine"


def test_every_field_of_every_kind_stands_once_in_the_form() -> None:
    fields = 0
    for draft in drafts():
        sections = sections_of(draft, advanced=True)
        shown = [view.spec.name for section in sections for view in section.fields]
        wanted = filter(partial(applies, draft.values), draft.values.fields)
        assert sorted(shown) == sorted(["domain", *wanted])
        fields += len(shown)
    assert fields > 500


def test_every_field_of_every_kind_is_read_back_from_its_text() -> None:
    read: set[tuple[str, str]] = set()  # by kind of the section and name: most kinds share some
    for draft in drafts():
        before = draft.values.checked
        for name in draft.values.fields:
            chooser = f"{name.partition('.')[0]}.kind"
            kind = draft.values.text(chooser) if chooser in draft.values.fields else ""
            if not name.endswith(".kind") and (kind, name) not in read:
                draft.set(name, draft.values.text(name))
                read.add((kind, name))
        assert draft.values.checked == before
    assert len(read) > 400


def test_of_a_kind_that_was_changed_its_former_value_is_shown() -> None:
    draft = Draft()
    before = draft.values.text("data.kind")
    draft.set("data.kind", "file")
    assert draft.changed("data.kind")
    assert draft.text_before("data.kind") == before
    draft.set("data.kind", before)
    assert not draft.changed("data.kind")


def test_advanced_fields_are_folded_unless_changed() -> None:
    draft = Draft()

    def shown() -> list[str]:
        sections = sections_of(draft, advanced=False)
        return [view.spec.name for section in sections for view in section.fields]

    assert "train.max_steps" not in shown()
    draft.set("train.max_steps", "5")
    assert "train.max_steps" in shown()


def test_an_advanced_field_that_the_preset_has_set_is_not_hidden() -> None:
    chosen = {"task": {"kind": "image_classification", "augmentation": {"mixup": 0.2}}}
    names = shown(Draft(chosen, "mine")).keys()
    assert "task.augmentation.mixup" in names
    assert not {"task.augmentation.zoom", "task.label_smoothing", "data.drop_rows"} & names


def test_column_fields_offer_the_columns() -> None:
    draft = Draft(iris().values())
    sections = sections_of(draft, advanced=False, known=Known({"[b]x[/b]": "numeric, input"}))
    target = next(v for s in sections for v in s.fields if v.spec.name == "task.target")
    assert list(target.options) == ["", "[b]x[/b]"]


AWKWARD = [
    "",
    "none",
    "true",
    "1",
    "1e-3",
    "a,b",
    '"quoted"',
    "'",
    "it's $HOME",
    "a\nb",
    "[x]",
    " ",
]


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize("optional", [False, True])
def test_any_text_is_read_back_from_its_text(value: str, optional: bool) -> None:
    spec = FieldSpec("data.path", "text", "", "", optional=optional)
    assert parse_value(text_of(value, spec), spec) == value


@pytest.mark.parametrize("value", AWKWARD)
def test_any_list_is_read_back_from_its_text(value: str) -> None:
    spec = FieldSpec("task.ignore", "list", (), "", item="text")
    assert parse_value(text_of([value, "b"], spec), spec) == [value, "b"]


def typed(command: str) -> RunConfig:
    """The configuration that ``dltui run`` parses from a command line."""
    program, verb, preset, *assignments = shlex.split(command)
    assert (program, verb) == ("dltui", "run")
    return load_preset(find_preset(preset), assignments)


CHANGES = [
    (),
    ("train.epochs=3", "train.learning_rate=1e-05"),
    ("model.hidden=[]", "task.ignore=['petal width (cm)','a,b']"),
    ("data.kind=file", "data.path=it's here/\"x\" [1].csv", "data.validation_path=none"),
    ("model.dropout=0", "train.max_steps=5", "compute.device=cpu", "title=none"),
    ("data.name=wine", "adapter.method=none"),
]  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES)
def test_the_command_line_makes_the_same_configuration(changes: tuple[str, ...]) -> None:
    save_preset("base", iris("train.max_steps=9", "title=A base"))
    config = load_preset(find_preset("base"), list(changes))
    assert typed(command_line(config, usable_presets(), "base")) == config
    assert typed(command_line(config, usable_presets())) == config


def test_the_command_line_of_every_preset_is_its_name() -> None:
    presets = usable_presets()
    assert len(presets) >= len([preset for preset in list_presets() if not preset.problem])
    for name, config in presets.items():
        assert command_line(config, presets, name) == f"dltui run {name}"


def test_the_shortest_command_may_start_from_no_preset() -> None:
    save_preset("base", iris("train.max_steps=9", "train.seed=3", "task.ignore=a", "title=A base"))
    config = iris("name=other")
    command = command_line(config, {"base": load_preset(find_preset("base"))}, "base")
    assert "task.kind=tabular_classification" in command
    assert without_preset(shlex.split(command)[2:]) == config


def test_a_run_of_fields_alone_is_called_after_its_data_and_model() -> None:
    fields = ["task.kind=tabular_regression", "data.kind=file", "data.path=some/Big_homes.csv.gz"]
    assert without_preset([*fields, "model.kind=tabm"]).name == "big-homes-tabm"
    assert without_preset([*fields, "model.kind=tabm", "name=mine"]).name == "mine"
    assert experiment_of(fields[0], [*fields[1:], "model.kind=tabm"]).name == "big-homes-tabm"
    with pytest.raises(PresetError, match="Name a preset"):
        experiment_of("data.path=" + "x" * 300, [])
    called_run = without_preset([*fields, "model.kind=tabm", "name=run"])
    assert without_preset(shlex.split(command_line(called_run, {}))[2:]) == called_run


def test_task_and_path_alone_begin_a_run_with_the_first_model_of_the_task() -> None:
    config = without_preset(["task.kind=image_regression", "data.path=cells/labels.csv"])
    assert (config.data.kind, config.model.kind) == ("file", "residual_cnn")
    folder = ["data.kind=image_folder", "data.path=cells", "model.kind=cnn"]
    config = without_preset(["task.kind=image_regression", *folder])
    assert (config.data.kind, config.model.kind) == ("image_folder", "cnn")
    with pytest.raises(ConfigError) as refused:
        without_preset(["task.kind=image_regresion", "data.path=cells/labels.csv"])
    assert [problem.field for problem in refused.value.problems] == ["task.kind"]


def test_every_preset_has_a_command_that_starts_from_none() -> None:
    for config in usable_presets().values():
        assert without_preset(shlex.split(command_line(config, {}))[2:]) == config


def test_the_task_follows_data_that_it_cannot_use() -> None:
    draft = Draft()
    assert draft.values.kind("task") == "image_classification"
    draft.set("data.kind", "image_masks")
    assert draft.values.kind("task") == "semantic_segmentation"
    draft.set("data.kind", "builtin")
    assert draft.values.kind("task") == "semantic_segmentation"
    draft.set("data.name", "digits")
    assert draft.values.kind("task") == "image_classification"
    assert draft.values.checked.problems == {}


def test_data_of_the_task_is_offered_before_that_of_others_in_its_domain() -> None:
    draft = Draft()
    offered = choices.options(draft.values, "data.kind")
    assert list(offered)[: len(choices.kinds("data", "image_classification"))] == list(
        choices.kinds("data", "image_classification")
    )
    assert offered["image_masks"].endswith("for Semantic segmentation")
    assert "for Object detection" in choices.options(draft.values, "data.name")["shapes"]


def shown(draft: Draft, **columns: str) -> dict[str, FieldView]:
    """The visible fields of a draft by name."""
    sections = sections_of(draft, advanced=False, known=Known(columns))
    return {view.spec.name: view for section in sections for view in section.fields}


def line_of(view: FieldView) -> str:
    return field_text(view, focused=False, editing=False).plain


def test_automatic_fields_show_what_the_data_makes_of_them() -> None:
    table = Draft({"task": {"kind": "tabular_classification"}, "model": {"kind": "tabm"}})
    settled = {"train.epochs": "17", "model.width": "128"}
    views = {
        view.spec.name: view
        for section in sections_of(table, True, Known(settled=settled))
        for view in section.fields
    }
    assert line_of(views["train.epochs"]).endswith("automatic → 17")
    assert line_of(views["model.width"]).endswith("automatic → 128")
    assert line_of(views["model.layers"]).endswith("automatic → by the data")
    images = Draft({"task": {"kind": "image_classification"}})
    [size] = [
        view
        for section in sections_of(images, True, Known(settled={"task.image_size": "64"}))
        for view in section.fields
        if view.spec.name == "task.image_size"
    ]
    assert line_of(size).endswith("automatic → 64")


def test_sizes_of_a_new_network_are_hidden_for_a_pre_trained_one() -> None:
    draft = Draft({"task": {"kind": "text_classification"}})
    assert {"model.hidden_size", "model.vocab_size"} <= shown(draft).keys()
    draft.set("model.path", "owner/name")
    assert not {"model.hidden_size", "model.vocab_size", "model.dropout"} & shown(draft).keys()
    model = sections_of(draft, advanced=False)[2]
    assert model.note == "7 hidden (pre-trained)"


def test_a_hidden_field_that_is_wrong_is_shown() -> None:
    draft = Draft({"task": {"kind": "text_classification"}, "model": {"kind": "transformer"}})
    draft.set("model.hidden_size", "0")
    draft.set("model.path", "owner/name")
    assert shown(draft)["model.hidden_size"].problem


def test_an_empty_column_shows_which_one_is_used() -> None:
    draft = Draft(iris().values())
    found = shown(draft, width="numeric, input", kind="categorical, target")
    assert (found["task.target"].automatic, found["task.target"].about) == ("kind", "")
    two = shown(draft, one="numeric, target", two="numeric, target")
    assert two["task.target"].automatic == ""


def test_empty_columns_show_which_ones_are_used_or_that_there_are_none() -> None:
    draft = Draft({"task": {"kind": "forecasting"}, "data": {"kind": "file", "path": "a.csv"}})
    roles = {"day": "date, time", "shop": "categorical, series", "sold": "numeric, target"}

    def automatic(**columns: str) -> list[str]:
        views = shown(draft, **columns)
        names = ("time", "targets", "inputs", "series", "static")
        return [views[f"task.{name}"].automatic for name in names]

    assert automatic(**roles, promo="numeric, input", price="numeric, input") == [
        "day", "sold", "promo, price", "shop", "none",
    ]  # fmt: skip
    many = {f"x{number}": "numeric, input" for number in range(7)}
    assert automatic(**roles, **many)[2] == "7 columns"
    assert automatic(day="", sold="") == [""] * 5


def test_columns_come_first_among_the_fields_of_a_task() -> None:
    names = list(shown(Draft(iris().values())))
    assert names[names.index("task.kind") + 1] == "task.target"
    assert names[:2] == ["domain", "data.kind"]


MESSAGES = [
    ("task.target is no column; set it.", "task.target"),
    ("The weights are missing. Put them there, or set model.dropout to 1.", "model.dropout"),
    ("There is no file '/data/people.csv'.", "data.path"),
    ("Unknown x.y and data.nothing in train.", ""),
    ("", ""),
]


@pytest.mark.parametrize(("message", "field"), MESSAGES)
def test_the_message_of_a_failed_run_stands_at_its_field_until_that_is_changed(
    message: str, field: str
) -> None:
    values = iris().values() | {"data": {"kind": "file", "path": "/data/people.csv"}}
    draft = Draft(values)
    assert draft.blame(message) == field
    if field:
        assert shown(draft)[field].problem == message
        assert draft.values.checked.config is not None
        draft.set(field, "0.5")
        assert shown(draft)[field].problem == ""


def test_a_copied_run_is_named_anew_for_other_data_unless_it_had_a_name_of_its_own() -> None:
    draft = Draft(iris("name=iris-mlp").values())
    draft.set("model.kind", "tabm")
    assert draft.values.text("name") == "iris-tabm"
    draft = Draft(iris("name=my-run").values())
    draft.set("model.kind", "tabm")
    assert draft.values.text("name") == "my-run"


def test_a_path_stays_when_another_source_of_data_is_chosen() -> None:
    draft = Draft()
    draft.set("data.kind", "file")
    draft.set("data.path", "photos")
    draft.set("data.kind", "image_folder")
    assert draft.values.text("data.path") == "photos"
    draft.set("data.kind", "builtin")
    assert draft.values.checked.problems == {}


def test_a_zero_that_leaves_the_choice_to_the_program_is_shown_as_automatic() -> None:
    draft = Draft()

    def shown() -> list[str]:
        sections = sections_of(draft, advanced=False)
        views = (view for section in sections for view in section.fields)
        size = next(view for view in views if view.spec.name == "task.image_size")
        return field_text(size, focused=False, editing=False).plain.split()

    assert shown() == ["image_size", "automatic"]
    draft.set("task.image_size", "64")
    assert shown() == ["*image_size", "64", "px"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [("a.csv", "a.csv"), ("/data/" + "x" * 50 + "/sales.csv", "…" + "x" * 9 + "/sales.csv"),
     ("/データ/" + "売" * 50 + ".csv", "…" + "売" * 7 + ".csv")],
)  # fmt: skip
def test_a_path_that_is_too_long_shows_its_end(path: str, shown: str) -> None:
    draft = Draft()
    draft.set("data.kind", "file")
    draft.set("data.path", path)
    views = [view for section in sections_of(draft, False) for view in section.fields]
    field = next(view for view in views if view.spec.name == "data.path")
    text = field_text(field, focused=False, editing=False, width=50)
    assert text.plain.split() == ["*path", shown]
    assert text.cell_length <= 50


def test_an_empty_field_of_columns_is_automatic_only_where_they_are_found() -> None:
    draft = Draft(iris().values())
    sections = sections_of(draft, advanced=True, known=Known({"width": "numeric, input"}))
    views = {view.spec.name: view for section in sections for view in section.fields}

    def text(name: str) -> str:
        return field_text(views[name], focused=False, editing=False).plain.split()[1]

    assert text("task.target") == "automatic"
    assert {text(f"data.{name}") for name in ("group", "time")} == {"–"}
    assert {text(f"task.{name}") for name in ("ignore", "numeric", "categorical")} == {"–"}
    assert views["data.group"].options[""] == "no column"
