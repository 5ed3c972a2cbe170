"""Adapters on networks for images: saved in peft's format, by the names of the plain network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models

from engine.artifacts.model_folder import load_exported
from engine.config.run_config import RunConfig
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.launch.in_process import train
from engine.runs.adapters import list_adapters
from engine.runs.directory import RunDirectory
from engine.runs.events import Started
from engine.service import export, merge
from engine.service.estimate import estimate
from engine.service.loaded_models import LoadedModels
from engine.training.checkpoints import checkpoint

CPU = torch.device("cpu")
AUTO: Any = transformers.AutoModelForImageClassification
VIT = transformers.AutoConfig.for_model(
    "vit",
    image_size=16, patch_size=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=64, num_labels=7,
)  # fmt: skip
RESNET = transformers.AutoConfig.for_model(
    "resnet",
    embedding_size=8,
    hidden_sizes=[8, 16],
    depths=[1, 1],
    layer_type="basic",
    num_labels=7,
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(tmp_path / "home"))


def spread(network: nn.Module) -> nn.Module:
    """Set statistics that no batch of digits has, so that a change of them would be noticed."""
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value.fill_(0.1)
    return network


def on_disk(folder: Path, architecture: Any) -> Path:
    torch.manual_seed(1)
    network: Any = spread(AUTO.from_config(architecture))
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 16, "width": 16}}')
    return folder


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    return on_disk(tmp_path / "vit", VIT)


@pytest.fixture
def resnet18(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Weights in torch's download folder, and the section that loads them."""
    torch.manual_seed(1)
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    name = models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
    torch.save(spread(models.resnet18()).state_dict(), folder / name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return {"kind": "torchvision", "pretrained": True}


def experiment(model: dict[str, Any] | Path, **changes: Any) -> RunConfig:
    if isinstance(model, Path):
        model = {"kind": "image_transformer", "path": str(model)}
    values: dict[str, Any] = {
        "name": changes.pop("name", "digits"),
        "task": {"kind": "image_classification", "image_size": 32 if "pretrained" in model else 16},
        "data": {"kind": "builtin", "name": "digits", "max_samples": 64},
        "model": model,
        "adapter": {"method": "lora", "r": 4} | changes.pop("adapter", {}),
        "train": {"epochs": 1, "batch_size": 16, "learning_rate": 0.01} | changes.pop("train", {}),
        "compute": {"device": "cpu", "threads": 1},
    }
    return RunConfig.parse(values | changes)


def images(size: int = 16) -> Tensor:
    return torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))


def said(network: nn.Module, pixels: Tensor) -> Tensor:
    with torch.inference_mode():
        result: Any = network.eval()(pixels)
    logits: Tensor = getattr(result, "logits", result)
    return logits.clone()


def ours(run: RunDirectory, pixels: Tensor) -> Tensor:
    return said(load_exported(run.model, CPU)[2], pixels)


def plain_resnet18() -> nn.Module:
    """The base model as described in the model card."""
    network: nn.Module = models.get_model("resnet18", weights=models.ResNet18_Weights.IMAGENET1K_V1)
    network.set_submodule("fc", nn.Linear(512, 10))
    return network


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", [VIT, RESNET], ids=["vit", "resnet"])
@pytest.mark.parametrize("changes", [{}, {"method": "dora"}, {"bias": "all"}], ids=str)
def test_an_adapter_on_a_transformer_says_the_same_through_peft(
    architecture: Any, changes: dict[str, Any], tmp_path: Path
) -> None:
    base = on_disk(tmp_path / "base", architecture)
    run = train(experiment(base, adapter=changes))
    assert not (run.model / "model.safetensors").exists()
    plain = AUTO.from_pretrained(base, num_labels=10, ignore_mismatched_sizes=True)
    untrained = said(plain, images())
    through_peft = said(peft.PeftModel.from_pretrained(plain, run.model), images())
    same(through_peft, ours(run, images()))
    assert not torch.allclose(through_peft, untrained, atol=1e-2)


def test_pissa_on_a_vit_is_saved_as_a_difference_from_the_base(vit: Path) -> None:
    run = train(experiment(vit, adapter={"init_lora_weights": "pissa"}))
    plain = AUTO.from_pretrained(vit, num_labels=10, ignore_mismatched_sizes=True)
    same(said(peft.PeftModel.from_pretrained(plain, run.model), images()), ours(run, images()))


def code_of_page(run: RunDirectory) -> dict[str, Any]:
    """The variables that the code in the model card defines."""
    code = (run.model / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    made: dict[str, Any] = {}
    exec(code.replace("path/to/this/folder", str(run.model)), made)
    return made


def test_the_code_on_its_page_loads_it_with_the_names_of_the_classes(vit: Path) -> None:
    run = train(experiment(vit))
    model = code_of_page(run)["model"]
    assert model.config.id2label == {number: str(number) for number in range(10)}
    same(said(model, images()), ours(run, images()))


@pytest.mark.usefixtures("transformers_alone")
def test_it_says_the_same_through_transformers_alone(vit: Path) -> None:
    run = train(experiment(vit))
    theirs = AUTO.from_pretrained(run.model, num_labels=10, ignore_mismatched_sizes=True)
    same(said(theirs, images()), ours(run, images()))


def test_its_preprocessing_is_saved_with_it(vit: Path) -> None:
    run = train(experiment(vit))
    processor = json.loads((run.model / "preprocessor_config.json").read_text())
    assert processor["crop_size"] == {"height": 16, "width": 16}


def test_names_are_those_of_the_plain_network_and_the_head_is_whole(vit: Path) -> None:
    run = train(experiment(vit, adapter={"target_modules": ["attention"]}))
    plain = {name for name, _ in AUTO.from_pretrained(vit).named_modules()}
    names = load_file(run.model / "adapter_model.safetensors")
    layers = {name.removeprefix("base_model.model.").partition(".lora_")[0] for name in names}
    assert {name for name in layers if name not in plain} == {
        "classifier.weight", "classifier.bias",
    }  # fmt: skip
    record = json.loads((run.model / "adapter_config.json").read_text())
    assert record["modules_to_save"] == ["classifier"]
    assert record["base_model_name_or_path"] == str(vit)


def test_an_adapter_on_torchvision_says_the_same_through_peft(resnet18: dict[str, Any]) -> None:
    run = train(experiment(resnet18))
    theirs = said(peft.PeftModel.from_pretrained(plain_resnet18(), run.model), images(32))
    same(theirs, ours(run, images(32)))
    same(said(code_of_page(run)["model"], images(32)), theirs)


def test_a_network_of_torchvision_without_its_own_stem_is_saved_whole(
    resnet18: dict[str, Any],
) -> None:
    task = {"kind": "image_classification", "image_size": 8}
    run = train(experiment(resnet18 | {"small_stem": "yes"}, task=task))
    assert not (run.model / "adapter_config.json").exists()
    assert (run.model / "network.safetensors").is_file()


@pytest.mark.slow
def test_adapters_on_images_are_listed_by_base(vit: Path, resnet18: dict[str, Any]) -> None:
    told = [estimate(experiment(model)).adapter for model in (resnet18, vit)]
    for model in (vit, resnet18):
        train(experiment(model))
    listed = list_adapters(runs_folder())
    # Sorted by base model: a path comes before a name.
    assert [one.base for one in listed] == [str(vit), "ResNet18_Weights.IMAGENET1K_V1"]
    assert not any(one.problem for one in listed)
    assert [one.size for one in reversed(listed)] == pytest.approx(told, rel=0.2)


@pytest.mark.parametrize("form", ["folder", "adapter", "merged", "program"])
@pytest.mark.parametrize("kind", ["vit", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_an_adapter_on_images_is_exported(
    form: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = train(experiment(request.getfixturevalue(kind)))
    target = tmp_path / "exported"
    assert export.answer(run.id, str(target), form)["difference"] <= 1e-4
    if (form, kind) == ("merged", "vit"):
        merged = AUTO.from_pretrained(target)
        assert merged.config.id2label[3] == "3"
        same(said(merged, images()), ours(run, images()))


@pytest.mark.parametrize("kind", ["vit", pytest.param("resnet18", marks=pytest.mark.slow)])
def test_adapters_on_images_are_combined(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    size = 16 if kind == "vit" else 32
    runs = [train(experiment(model, train={"seed": seed})) for seed in (1, 2)]
    names = [run.id for run in runs]
    alone = merge.answer(runs=names, weights=[1.0, 0.0], name="alone")
    run = RunDirectory.open(runs_folder(), alone["run"])
    same(ours(run, images(size)), ours(runs[0], images(size)))
    assert export.answer(run.id, str(tmp_path / "merged"), "merged")["difference"] <= 1e-4
    assert len(list_adapters(runs_folder())) == 3


def test_adapters_on_one_vit_share_it_while_they_are_tried(vit: Path) -> None:
    runs = [train(experiment(vit, train={"seed": seed})) for seed in (1, 2)]
    loaded = LoadedModels()
    answers = [said(loaded.get(run.model, CPU)[2], images()) for run in (*runs, runs[0])]
    assert len({id(loaded.get(run.model, CPU)[2]) for run in runs}) == 1
    for run, answer in zip((*runs, runs[0]), answers, strict=True):
        same(answer, ours(run, images()))


@pytest.mark.parametrize("method", ["none", "lora"])
def test_a_run_continues_from_an_adapter_on_a_vit(method: str, vit: Path) -> None:
    first = train(experiment(vit, train={"epochs": 3}))
    begun = experiment(Path(first.id), adapter={"method": method}, train={"learning_rate": 1e-8})
    second = train(begun)
    torch.testing.assert_close(ours(second, images()), ours(first, images()), atol=1e-3, rtol=1e-3)
    assert (second.model / "model.safetensors").is_file()


def test_checkpoints_hold_the_adapter_and_the_head_only(vit: Path) -> None:
    run = train(experiment(vit))
    saved = torch.load(max(run.checkpoints.iterdir()) / "state.pt", weights_only=True)
    assert any(".lora_A." in name for name in saved["network"])
    others = [name for name in saved["network"] if ".lora_" not in name]
    assert all(".classifier." in name for name in others)


def test_a_batch_norm_below_an_adapter_stays_as_its_base_has_it(resnet18: dict[str, Any]) -> None:
    run = train(experiment(resnet18))
    saved = torch.load(max(run.checkpoints.iterdir()) / "state.pt", weights_only=True)
    means = [value for name, value in saved["network"].items() if name.endswith("running_mean")]
    assert means
    assert all(torch.equal(value, torch.full_like(value, 0.1)) for value in means)


@pytest.mark.parametrize(
    ("kind", "init"),
    [
        ("vit", "default"),
        ("vit", "pissa"),
        pytest.param("resnet18", "default", marks=pytest.mark.slow),
    ],
)
def test_an_adapter_on_images_continues_with_the_same_bits(
    kind: str, init: str, request: pytest.FixtureRequest
) -> None:
    changes = {"adapter": {"init_lora_weights": init, "lora_dropout": 0.2}}
    steps = {"save_steps": 1, "save_total_limit": 9, "max_steps": 3}
    config = experiment(request.getfixturevalue(kind), train=steps, **changes)
    whole = train(config)
    begun = RunDirectory.create(runs_folder(), config)
    shutil.copytree(min(whole.checkpoints.iterdir()), begun.checkpoints / "step-000000001")
    rest = train(config, begun)
    started = rest.events.last(Started)
    assert isinstance(started, Started)
    assert started.resumed_step == 1
    name = "adapter_model.safetensors"
    assert (rest.model / name).read_bytes() == (whole.model / name).read_bytes()


def test_a_checkpoint_with_the_adapter_around_the_network_is_refused(vit: Path) -> None:
    """Checkpoints had this format before adapters used the names of the plain network."""
    whole = train(experiment(vit))
    run = RunDirectory.create(runs_folder(), whole.config.read())
    state = torch.load(max(whole.checkpoints.iterdir()) / "state.pt", weights_only=True)
    state["network"] = {
        name.replace("network.base_model.model.", "base_model.model.network."): value
        for name, value in state["network"].items()
    }
    checkpoint.save(run.checkpoints, 1, state, keep=1)
    with pytest.raises(TrainingError, match="does not suit the configuration") as raised:
        train(run.config.read(), run)
    assert len(str(raised.value)) < 500
