"""Every kind of network as a torch.export program and as an ONNX file, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._pytree import tree_map

from engine.artifacts import comparison
from engine.config.run_config import RunConfig
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

_QUICK = ("cnn", "mlp", "lstm", "bert")
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
    arguments, named = done.task.call_arguments(done.batch)
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
        expected = comparison.tensors_of(done.network(*arguments, **named))
        said = comparison.tensors_of(torch.export.load(path).module()(*arguments, **named))
    assert comparison.distance(expected, said) <= 1e-4


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
    inputs = arguments[0] if arguments and isinstance(arguments[0], dict) else named
    if not inputs:
        inputs = dict(zip((one.name for one in session.get_inputs()), arguments, strict=True))
    feed = {name: value.numpy() for name, value in inputs.items() if torch.is_tensor(value)}
    with torch.no_grad():
        expected = comparison.tensors_of(done.network(*arguments, **named))
    said = [torch.from_numpy(value) for value in session.run(None, feed)]
    assert comparison.distance(expected, said) <= 1e-4
