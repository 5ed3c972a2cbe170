"""Adapters with one base model share its network, and each gives its own answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from engine.artifacts.model_folder import load_exported
from engine.config.run_config import RunConfig
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.service import predict
from engine.service.loaded_models import LoadedModels

CPU = torch.device("cpu")
WORDS = ("good", "bad", "fine", "dull")


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, small_encoder: Path
) -> Path:
    """A home folder shared by the module: its runs are trained once, from an encoder inside it."""
    folder = tmp_path_factory.getbasetemp() / "sharing"
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    shutil.copytree(small_encoder, folder / "base", dirs_exist_ok=True)
    return folder


_made: dict[str, RunDirectory] = {}


def finished(home: Path, name: str, labels: tuple[str, ...] = ("yes", "no"), **adapter: Any) -> Any:
    if name not in _made:
        path = home / f"{name}.csv"
        lines = [f"{word} film,{labels[i % len(labels)]}" for i, word in enumerate(WORDS)]
        path.write_text("text,label\n" + "\n".join(lines * 12) + "\n")
        values = {
            "name": name,
            "task": {"kind": "text_classification"},
            "data": {"kind": "file", "path": str(path)},
            "model": {"kind": "transformer", "path": str(home / "base")},
            "adapter": {"method": "lora", "r": 4} | adapter,
            "train": {"epochs": 4, "batch_size": 8, "learning_rate": 0.01},
            "compute": {"device": "cpu", "threads": 1},
        }
        _made[name] = train(RunConfig.parse(values))
    return _made[name]


@pytest.fixture
def runs(home: Path) -> list[RunDirectory]:
    """Runs that differ in labels, target layers, and method."""
    return [
        finished(home, "small", r=2, target_modules=["query"]),
        finished(home, "other", labels=("no", "yes")),
        finished(home, "dora", method="dora", r=3),
        finished(home, "pissa", init_lora_weights="pissa", target_modules=["attention"]),
    ]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths from which whole networks were loaded."""
    places: list[str] = []
    auto = transformers.AutoModelForSequenceClassification
    read = auto.from_pretrained

    def counted(place: str, *arguments: Any, **options: Any) -> Any:
        if options.get("device_map") != "meta":  # else only the names of its weights
            places.append(place)
        return read(place, *arguments, **options)

    monkeypatch.setattr(auto, "from_pretrained", counted)
    monkeypatch.setattr(predict, "loaded", LoadedModels())
    return places


def scores(run: RunDirectory) -> list[list[float]]:
    records = predict.answer(run.id, rows=[f"{word} film" for word in WORDS])["records"]
    return [[record["scores"]["yes"], record["scores"]["no"]] for record in records]


def alone(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    with monkeypatch.context() as patch:
        patch.setattr(predict, "loaded", LoadedModels())
        return scores(run)


def test_adapters_share_a_base_that_is_read_once_and_answer_as_they_do_alone(
    runs: list[RunDirectory], reads: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = [alone(run, monkeypatch) for run in runs]
    reads.clear()
    for _ in range(2):
        for run, expected in zip(runs, each, strict=True):
            assert torch.allclose(torch.tensor(scores(run)), torch.tensor(expected), atol=1e-6)
    assert reads == [str(home / "base")]
    assert not torch.allclose(torch.tensor(each[0]), torch.tensor(each[1]), atol=1e-4)


def test_a_head_for_other_classes_needs_a_network_of_its_own(
    runs: list[RunDirectory], reads: list[str], home: Path
) -> None:
    three = finished(home, "three", labels=("yes", "no", "perhaps", "never"))
    reads.clear()
    scores(runs[0])
    records = predict.answer(three.id, rows=["good film"])["records"]
    assert len(records[0]["scores"]) == 4
    scores(runs[0])
    assert len(reads) == 2


def test_an_adapter_with_biases_says_what_it_says_alone(
    runs: list[RunDirectory], reads: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    biased = finished(home, "biased", bias="all")
    expected = alone(biased, monkeypatch)
    scores(runs[0])
    assert scores(biased) == expected


def test_a_model_that_was_written_anew_is_read_anew(
    runs: list[RunDirectory], reads: list[str], tmp_path: Path
) -> None:
    models = LoadedModels()
    first, other = (run.model for run in runs[:2])
    place = tmp_path / "model"
    place.symlink_to(first)
    before = models.get(place, CPU)[2]
    place.unlink()
    place.symlink_to(other)
    _, _, network = models.get(place, CPU)
    ids = torch.arange(8).reshape(1, 8)
    with torch.no_grad():
        expected = load_exported(other, CPU)[2](input_ids=ids).logits
        torch.testing.assert_close(network(input_ids=ids).logits, expected)
    assert network is before
