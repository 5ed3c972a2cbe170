"""Networks of timm, read by transformers: trained, adapted, exported and loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from timm.models import save_for_hf

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.errors import TrainingError
from engine.models.images.preprocessing import preprocessing_of

CPU = torch.device("cpu")
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ConvNeXt as timm writes it for the hub."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("timm")
    save_for_hf(timm.create_model("test_convnext"), place, safe_serialization=True)
    return place


def configured(path: Path, **sections: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "image_classification", "image_size": 32},
            "data": {"kind": "builtin", "name": "digits", "max_samples": 100},
            "model": {"kind": "image_transformer", "path": str(path)},
            "train": {"epochs": 1, "learning_rate": 0.01},
            "compute": {"device": "cpu", "threads": 1},
        }
        | sections
    )


def test_the_body_is_read_and_the_head_is_new(folder: Path) -> None:
    frozen = configured(folder).override(["model.trainable=head"])
    run = train(frozen)
    _, _, network = load_exported(run.model, CPU)
    own: Any = network
    theirs = transformers.AutoModelForImageClassification.from_pretrained(run.model).eval()
    with torch.inference_mode():
        assert torch.allclose(own(IMAGES), theirs(IMAGES).logits, atol=1e-5)
    assert own(IMAGES).shape == (2, 10)
    before = timm.create_model("test_convnext", num_classes=10, checkpoint_path="")
    state = transformers.AutoModel.from_pretrained(run.model).timm_model.state_dict()
    assert set(state) == {name for name in before.state_dict() if not name.startswith("head.fc")}
    from safetensors.torch import load_file

    stored = load_file(folder / "model.safetensors")
    assert all(torch.equal(value, stored[name]) for name, value in state.items())


def test_an_adapter_is_trained_and_loaded_again(folder: Path) -> None:
    run = train(configured(folder, adapter={"method": "lora"}))
    assert (run.model / "adapter_model.safetensors").is_file()
    _, _, network = load_exported(run.model, CPU)
    with torch.inference_mode():
        assert network(IMAGES).shape == (2, 10)


def test_size_and_normalization_are_those_of_timm(folder: Path) -> None:
    wanted = preprocessing_of(configured(folder).model)
    cfg = timm.create_model("test_convnext").default_cfg
    assert wanted is not None
    assert (wanted.size, wanted.mean, wanted.std) == (160, cfg["mean"], cfg["std"])


def test_without_the_package_its_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "TimmWrapperForImageClassification requires the timm library"

    def missing(*_: Any, **__: Any) -> Any:
        raise ImportError(message)

    monkeypatch.setattr(transformers.TimmWrapperForImageClassification, "__init__", missing)
    with pytest.raises(TrainingError, match=r"is a network of timm(.|\n)*dltui\[timm\]"):
        train(configured(folder))
