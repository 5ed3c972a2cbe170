"""The learning rate that a run takes where none is set."""

from __future__ import annotations

import pytest

from engine.config.run_config import RunConfig
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.sections import sections_of
from tui.widgets.form.field_text import field_text

CAUSAL = {"task": {"kind": "causal_lm"}, "data": {"kind": "builtin", "name": "docstrings"}}
CLASSES = {"task": {"kind": "text_classification"}, "data": CAUSAL["data"]}
IMAGES = {"task": {"kind": "image_classification"}, "data": {"kind": "builtin", "name": "digits"}}


def config(values: dict[str, object], model: str, *changes: str) -> RunConfig:
    path = {} if model == "torchvision" else {"path": "x/y"}
    return RunConfig.parse(values | {"model": {"kind": model} | path}).override(changes)


@pytest.mark.parametrize(
    ("made", "rate"),
    [
        (config(CAUSAL, "transformer"), 2e-5),
        (config(CAUSAL, "transformer", "adapter.method=lora"), 2e-4),
        (config(CAUSAL, "transformer", "model.path="), 1e-3),
        (config(CAUSAL, "transformer", "train.optimizer=sgd"), 1e-3),
        (config(CLASSES, "transformer"), 5e-5),
        (config(CLASSES, "transformer", "adapter.method=dora"), 5e-4),
        (config(IMAGES, "image_transformer"), 5e-5),
        (config(IMAGES, "image_transformer", "model.trainable=head"), 1e-3),
        (config(IMAGES, "torchvision", "model.pretrained=true"), 1e-3),
    ],
)
def test_the_usual_learning_rate_follows_the_method(made: RunConfig, rate: float) -> None:
    assert made.usual_rate == pytest.approx(rate)


def test_a_change_of_the_method_changes_an_automatic_learning_rate_and_no_other() -> None:
    automatic = config(CAUSAL, "transformer")
    assert "learning_rate" not in automatic.values()["train"]
    assert automatic.override(["adapter.method=lora"]).train.learning_rate is None
    chosen = config(CAUSAL, "transformer", "train.learning_rate=3e-4")
    assert chosen.override(["adapter.method=lora"]).train.peak_rate == 3e-4


def line(draft: Draft) -> str:
    fields = [field for section in sections_of(draft, True) for field in section.fields]
    (view,) = (field for field in fields if field.spec.name == "train.learning_rate")
    return field_text(view, focused=False, editing=False).plain


def test_the_form_shows_the_value_of_an_automatic_learning_rate() -> None:
    draft = Draft(config(CAUSAL, "transformer").values())
    assert line(draft).split() == ["learning_rate", "automatic", "→", "2e-05"]
    draft.set("adapter.method", "lora")
    assert line(draft).endswith("automatic → 0.0002")
    draft.set("train.learning_rate", "3e-4")
    assert line(draft).endswith("0.0003")
    draft.set("train.learning_rate", "")
    assert line(draft).endswith("automatic → 0.0002")
