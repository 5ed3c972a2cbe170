"""The files that a configuration names exist, or are refused before a run exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.requirements import check_requirements
from engine.config.run_config import RunConfig, parse_overridden
from engine.errors import ConfigError


def config(**data: str) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "file"} | data,
            "model": {"kind": "mlp"},
        }
    )


def test_files_folders_and_patterns_are_taken(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    check_requirements(config(path="a.csv", validation_path=str(tmp_path), test_path="b/*.csv"))
    check_requirements(config())


@pytest.mark.parametrize("path", ["b.csv", "x" * 5000, "~nobody-of-this-name/a.csv"])
def test_what_does_not_exist_is_a_problem_of_its_field(path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        check_requirements(config(path=str(tmp_path), test_path=path))
    assert [problem.field for problem in error.value.problems] == ["data.test_path"]


def test_the_nearest_name_is_offered(tmp_path: Path) -> None:
    (tmp_path / "customers.csv").touch()
    with pytest.raises(ConfigError, match=r"Did you mean customers\.csv\?"):
        check_requirements(config(path=str(tmp_path / "costumers.csv")))
    with pytest.raises(ConfigError, match=r"The folder .*none does not exist either"):
        check_requirements(config(path=str(tmp_path / "none" / "customers.csv")))


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ({"kind": "tabular_regression", "tabicl": "jingang/TabICL"}, "tabicl"),
        ({"kind": "forecasting", "holidays": "DE"}, "holidays"),
    ],
)
def test_a_missing_extra_is_a_problem_of_the_field_that_needs_it(
    task: dict[str, str], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"kind": "dlinear" if task["kind"] == "forecasting" else "mlp"}
    asked = RunConfig.parse({"task": task, "data": {"kind": "file"}, "model": model})
    monkeypatch.setattr("engine.config.requirements.find_spec", lambda name: None)
    install = rf"task\.{field}: it needs the package {field}\. .* pip install 'dltui\[{field}\]'"
    with pytest.raises(ConfigError, match=install):
        check_requirements(asked)
    monkeypatch.setattr("engine.config.requirements.find_spec", lambda name: object())
    check_requirements(asked)


@pytest.mark.parametrize(
    ("change", "package", "extra"),
    [
        ("train.report_to=wandb,tensorboard", "wandb", "wandb"),
        ("train.report_to=tensorboard", "tensorboard", "tensorboard"),
        ("train.optimizer=paged_adamw_8bit", "bitsandbytes", "quant"),
        ("adapter.quantization=nf4", "bitsandbytes", "quant"),
        ("model.path=timm/resnet18.a1_in1k", "timm", "timm"),
    ],
)
def test_an_extra_that_is_missing_is_found_in_every_section(
    change: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ["task.kind=text_classification", "data.kind=file", "model.kind=transformer"]
    asked = parse_overridden({}, [*kinds, "model.path=a/b", "adapter.method=lora", change])
    monkeypatch.setattr("engine.config.requirements.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        check_requirements(asked)
    field = change.partition("=")[0]
    assert str(error.value.problems[0]) == (
        f"{field}: it needs the package {package}. Install it with: pip install 'dltui[{extra}]'."
    )
