"""Every kind of network as a torch.export program and as an ONNX file, or a clear refusal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.utils._pytree import tree_map

from engine.artifacts import outputs
from engine.artifacts.stored_type import cast_weights
from engine.config.run_config import RunConfig
from engine.errors import TrainingError
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.service import export

SMALL: dict[str, Any] = {
    "vocab_size": 200, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
}  # fmt: skip
TEXT = {"kind": "transformer", **SMALL}
DIGITS = {"kind": "builtin", "name": "digits", "max_samples": 64}
SEASONS = {"kind": "builtin", "name": "seasons"}
FORECAST = {"kind": "forecasting", "window": 24, "horizon": 6}
NETWORKS: dict[str, dict[str, Any]] = {
    "cnn": {
        "task": {"kind": "image_classification"}, "data": DIGITS,
        "model": {"kind": "cnn", "channels": [8]},
    },
    "resnet": {
        "task": {"kind": "image_classification", "image_size": 32}, "data": DIGITS,
        "model": {"kind": "torchvision", "name": "resnet18"},
    },
    "vit": {
        "task": {"kind": "image_classification"}, "data": DIGITS,
        "model": {"kind": "image_transformer", "hidden_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2},
    },
    "mlp": {
        "task": {"kind": "tabular_regression"},
        "data": {"kind": "builtin", "name": "diabetes"}, "model": {"kind": "mlp", "hidden": [8]},
    },
    "lstm": {"task": FORECAST, "data": SEASONS, "model": {"kind": "lstm", "hidden_size": 8}},
    "gru": {"task": FORECAST, "data": SEASONS, "model": {"kind": "gru", "hidden_size": 8}},
    "dlinear": {"task": FORECAST, "data": SEASONS, "model": {"kind": "dlinear"}},
    "nhits": {"task": FORECAST, "data": SEASONS, "model": {"kind": "nhits", "hidden_size": 8}},
    "bert": {
        "task": {"kind": "text_classification", "max_length": 32},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 200}, "model": TEXT,
    },
    "llama": {
        "task": {"kind": "causal_lm", "max_length": 16},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 200}, "model": TEXT,
    },
    "t5": {
        "task": {"kind": "seq2seq"}, "data": {"kind": "builtin", "name": "dates"}, "model": TEXT,
    },
}  # fmt: skip

_QUICK = ("cnn", "mlp", "bert")
EACH = [pytest.param(name, marks=() if name in _QUICK else pytest.mark.slow) for name in NETWORKS]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder shared by the module: its runs are trained once."""
    folder = tmp_path_factory.getbasetemp() / "exporting"
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    return folder


_made: dict[str, RunDirectory] = {}


def finished(name: str) -> RunDirectory:
    if name not in _made:
        common: dict[str, Any] = {
            "name": name,
            "compute": {"device": "cpu", "threads": 1},
            "train": {"max_steps": 1, "batch_size": 8},
        }
        _made[name] = train(RunConfig.parse(common | NETWORKS[name]))
    return _made[name]


def other_arguments(run: RunDirectory) -> tuple[export.Finished, Any, Any]:
    """A batch of another size than the example's; for texts, of another length too."""
    done = export._finished(run)
    arguments, named = done.task.deployment().arguments(done.batch)
    shorter = {
        name: value[:3, :-2] if isinstance(value, torch.Tensor) else value
        for name, value in named.items()
    }
    return done, tree_map(lambda value: value[:3], arguments), shorter


@pytest.mark.parametrize("name", EACH)
def test_a_program_says_the_same_for_batches_of_any_size(name: str, tmp_path: Path) -> None:
    run = finished(name)
    path = tmp_path / "network.pt2"
    assert export.answer(run.id, str(path), "program")["difference"] <= 1e-4
    done, arguments, named = other_arguments(run)
    with torch.no_grad():
        expected = outputs.tensors_of(done.network(*arguments, **named))
        said = outputs.tensors_of(torch.export.load(path).module()(*arguments, **named))
    assert outputs.distance(expected, said) <= 1e-4


@pytest.mark.parametrize("name", EACH)
def test_an_onnx_file_says_the_same_for_batches_of_any_size(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs dltui[onnx]")
    pytest.importorskip("onnxscript", reason="needs dltui[onnx]")
    run = finished(name)
    path = tmp_path / "network.onnx"
    assert export.answer(run.id, str(path), "onnx")["difference"] <= 1e-4
    done, arguments, named = other_arguments(run)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kept = session.get_modelmeta().custom_metadata_map[export.SCHEMA]
    assert json.loads(kept) == json.loads(done.fitted.model_dump_json())
    text = NETWORKS[name]["model"] is TEXT
    assert session.get_outputs()[0].name == ("logits" if text else "output")
    inputs = arguments[0] if arguments and isinstance(arguments[0], dict) else named
    if not inputs:
        inputs = dict(zip((one.name for one in session.get_inputs()), arguments, strict=True))
    feed = {name: value.numpy() for name, value in inputs.items() if torch.is_tensor(value)}
    with torch.no_grad():
        expected = outputs.tensors_of(done.network(*arguments, **named))
    said = [torch.from_numpy(value) for value in session.run(None, feed)]
    assert outputs.distance(expected, said) <= 1e-4


def bits_kept(value: torch.Tensor) -> torch.Tensor:
    """Round float32 to bfloat16 by its bits: to the nearest of 16, to the even one in between."""
    bits = value.numpy().view("uint32").astype("uint64")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16
    return torch.from_numpy(rounded.astype("uint32").view("float32"))


def test_weights_are_written_in_the_type_that_is_asked_for(
    small_encoder: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    shutil.copytree(small_encoder, half)
    cast_weights(half, torch.bfloat16)
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "good film,a\nbad play,b\n" * 10)
    values = {
        "task": {"kind": "text_classification"}, "data": {"kind": "file", "path": str(rows)},
        "model": {"kind": "transformer", "path": str(half)},
        "train": {"max_steps": 2, "epochs": 1}, "compute": {"device": "cpu"},
    }  # fmt: skip
    run = train(RunConfig.parse(values))
    trained = load_file(run.model / "model.safetensors")
    # Trained in what compute.precision says, the new head too.
    assert {value.dtype for value in trained.values()} == {torch.float32}
    for name, dtype in (("stored", torch.bfloat16), ("float16", torch.float16)):
        told = export.answer(run.path.name, str(tmp_path / name), "folder", name)
        assert told["difference"] < 1e-5
        assert json.loads((tmp_path / name / "config.json").read_text())["dtype"] in str(dtype)
        written = load_file(tmp_path / name / "model.safetensors")
        assert {value.dtype for value in written.values()} == {dtype}
        assert told["bytes"] < 0.7 * sum(4 * value.numel() for value in trained.values())
    written = load_file(tmp_path / "stored" / "model.safetensors")
    for name, value in written.items():
        assert torch.equal(value.float(), bits_kept(trained[name]))
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "stored")
    assert plain.dtype == torch.bfloat16


def test_a_type_that_cannot_hold_the_weights_or_has_none_to_follow_is_refused(
    tmp_path: Path,
) -> None:
    save_file({"large": torch.tensor([1.0, 70_000.0])}, tmp_path / "model.safetensors")
    with pytest.raises(TrainingError, match="large has values beyond the range of float16"):
        cast_weights(tmp_path, torch.float16)
    values = NETWORKS["cnn"] | {"train": {"max_steps": 1, "epochs": 1}}
    run = train(RunConfig.parse(values))
    with pytest.raises(TrainingError, match="began from no stored weights"):
        export.answer(run.path.name, str(tmp_path / "out"), "folder", "stored")
    with pytest.raises(TrainingError, match="for whole models only"):
        export.answer(run.path.name, str(tmp_path / "out"), "program", "bfloat16")
    assert not (tmp_path / "out").exists()
    told = export.answer(run.path.name, str(tmp_path / "out"), "folder", "bfloat16")
    assert told["difference"] == 0.0
