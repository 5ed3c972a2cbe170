"""Files that would execute code when they are unpickled: none of them is loaded."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers

from engine.artifacts.model_folder import load_exported, write_manifest
from engine.config.run_config import RunConfig
from engine.data.load import load_data
from engine.errors import UserError
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.training.checkpoints import checkpoint

HARM = "pickles that would run a program, at every door"
CPU = torch.device("cpu")
FORMS = ("torch", "old", "pickle")

Lay = Callable[[Path], Any]
"""Writes the bomb into a file."""


class Bomb:
    """Creates a folder as soon as it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place),)


@pytest.fixture
def struck(tmp_path: Path) -> Path:
    """The folder that exists if the bomb was unpickled."""
    return tmp_path / "struck"


@pytest.fixture(params=FORMS)
def lay(request: pytest.FixtureRequest, struck: Path) -> Lay:
    """A function that writes the bomb in one of the formats of pickles."""

    def write(path: Path) -> None:
        content = {"weight": torch.zeros(2), "bomb": Bomb(struck)}
        if request.param == "pickle":
            path.write_bytes(pickle.dumps(content))
        else:
            torch.save(content, path, _use_new_zipfile_serialization=request.param == "torch")

    return write


def test_the_bomb_would_go_off(lay: Lay, struck: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    lay(path)
    content = path.read_bytes()
    if content.startswith(b"\x80\x04"):
        pickle.loads(content)
    else:
        torch.load(path, weights_only=False)
    assert struck.exists()


def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "good film,yes\nbad film,no\n" * 20)
    return path


def text_config(tmp_path: Path, model: Path) -> RunConfig:
    """A training on texts that starts from the model in a folder."""
    return RunConfig.parse(
        {
            "task": {"kind": "text_classification"},
            "data": {"kind": "file", "path": str(table(tmp_path))},
            "model": {"kind": "transformer", "path": str(model)},
            "train": {"epochs": 1, "max_steps": 2, "batch_size": 8},
            "compute": {"device": "cpu", "threads": 1},
        }
    )


def refused(action: Callable[[], object]) -> str:
    """The message of the error."""
    with pytest.raises(UserError) as error:
        action()
    return str(error.value)


def sealed(folder: Path) -> None:
    """Write the state's digest into the manifest of a checkpoint."""
    state = folder / "state.pt"
    digest = hashlib.sha256(state.read_bytes()).hexdigest()
    record = {"step": 1, "files": {"state.pt": {"sha256": digest, "size": state.stat().st_size}}}
    (folder / "manifest.json").write_text(json.dumps(record))


@pytest.mark.harm(HARM, 1)
def test_a_checkpoint(lay: Lay, struck: Path, tmp_path: Path) -> None:
    folder = tmp_path / "step-000000001"
    folder.mkdir()
    lay(folder / "state.pt")
    sealed(folder)
    newest, state, damaged = checkpoint.load_newest(tmp_path)
    assert (newest, state, len(damaged)) == (None, {}, 1)
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_the_state_of_an_optimizer(struck: Path, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, {"position": {}, "network": {"w": torch.ones(2)}}, 2)
    state = checkpoint.load_newest(tmp_path)[1]
    folder = tmp_path / "step-000000001"
    torch.save(state | {"optimizer": {"state": {0: Bomb(struck)}}}, folder / "state.pt")
    sealed(folder)
    newest, _, damaged = checkpoint.load_newest(tmp_path)
    assert newest is None
    assert len(damaged) == 1
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_the_weights_of_a_finished_run(
    lay: Lay, struck: Path, flowers: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(flowers.model, tmp_path / "model"))
    lay(folder / "network.safetensors")
    write_manifest(folder)
    refused(lambda: load_exported(folder, CPU))
    (folder / "network.safetensors").rename(folder / "network.pt")
    write_manifest(folder)
    refused(lambda: load_exported(folder, CPU))
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_the_weights_of_a_text_model(
    lay: Lay, struck: Path, small_encoder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_encoder, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    lay(folder / "pytorch_model.bin")
    assert "safetensors" in refused(lambda: train(text_config(tmp_path, folder)))
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_the_weights_of_an_image_model(lay: Lay, struck: Path, tmp_path: Path) -> None:
    folder = tmp_path / "vit"
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1}
    transformers.ViTConfig(
        image_size=8, patch_size=4, num_hidden_layers=1, **sizes
    ).save_pretrained(folder)
    lay(folder / "pytorch_model.bin")
    config = RunConfig.parse(
        {
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits", "max_samples": 50},
            "model": {"kind": "image_transformer", "path": str(folder)},
            "train": {"epochs": 1, "max_steps": 1},
            "compute": {"device": "cpu", "threads": 1},
        }
    )
    assert "safetensors" in refused(lambda: train(config))
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_an_adapter(lay: Lay, struck: Path, small_encoder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(small_encoder / name, folder)
    record = {
        "peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["query"],
        "task_type": "SEQ_CLS", "base_model_name_or_path": str(small_encoder),
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(record))
    lay(folder / "adapter_model.bin")
    refused(lambda: train(text_config(tmp_path, folder)))
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_a_model_and_a_tokenizer_with_code_of_their_own(
    lay: Lay, struck: Path, small_encoder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_encoder, tmp_path / "model"))
    (folder / "own.py").write_text(f"import os\nos.mkdir({str(struck)!r})\nclass Own: pass\n")
    lay(folder / "vocab.pkl")
    for name, kinds in {
        "config.json": ("AutoConfig", "AutoModelForSequenceClassification"),
        "tokenizer_config.json": ("AutoTokenizer",),
    }.items():
        record = json.loads((folder / name).read_text())
        record |= {"auto_map": dict.fromkeys(kinds, "own.Own"), "vocab_file": "vocab.pkl"}
        (folder / name).write_text(json.dumps(record))
    with contextlib.suppress(UserError):
        train(text_config(tmp_path, folder))  # without custom code, if possible
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_a_data_file(lay: Lay, struck: Path, tmp_path: Path) -> None:
    lay(tmp_path / "rows.pkl")
    np.save(tmp_path / "rows.npy", np.array([Bomb(struck)], object), allow_pickle=True)
    noted = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Bomb(struck)),
    }
    schema = pa.schema(
        [pa.field("text", pa.string(), metadata=noted), pa.field("label", pa.string())]
    )
    rows = pa.table([["good", "bad"] * 20, ["yes", "no"] * 20], schema=schema)
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), schema) as file:
        file.write_table(rows)
    pa.parquet.write_table(rows, tmp_path / "rows.parquet")

    for name in ("rows.pkl", "rows.npy"):
        for format in ("", "pkl", "npy", "csv", "json", "parquet", "arrow", "txt"):
            data = {"kind": "file", "path": str(tmp_path / name), "format": format}
            values = text_config(tmp_path, tmp_path).values() | {"data": data}
            config = RunConfig.parse(values)
            if format != "txt":
                refused(lambda data=config.data: load_data(data))
    for name in ("rows.arrow", "rows.parquet"):
        values = text_config(tmp_path, tmp_path).values()
        values["data"] = {"kind": "file", "path": str(tmp_path / name)}
        assert load_data(RunConfig.parse(values).data).train.num_rows == 40
    assert not struck.exists()


@pytest.mark.harm(HARM, 1)
def test_what_a_run_keeps_of_its_data(lay: Lay, struck: Path, tmp_path: Path) -> None:
    """``fitted.json`` and ``report.json``, which a run reads again when it resumes."""
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp"},
        "train": {"epochs": 1},
        "compute": {"device": "cpu", "threads": 1},
    }
    run = RunDirectory.create(tmp_path / "runs", RunConfig.parse(values))
    lay(run.fitted)
    lay(run.report.path)
    lay(run.events.path)
    train(run.config.read(), run)
    assert not struck.exists()
