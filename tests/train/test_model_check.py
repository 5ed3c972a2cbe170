"""A model is checked before a run from the names and shapes of its weights alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.models.language.transformer import build_transformer
from engine.models.shapes import TextHead, TextShape
from engine.models.weights.weightless import WEIGHTS, stored_weights, write_weightless
from engine.service import model_check
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small decoder with its tokenizer."""
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = wordpiece_from(train_wordpiece(["one small film"] * 3, 100, True))
    tokenizer.add_special_tokens({"eos_token": "</s>"})
    tokenizer.save_pretrained(folder)
    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=128, num_attention_heads=2, num_hidden_layers=5,
        vocab_size=100, max_position_embeddings=64,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def values_of(model: Path | str, task: str) -> dict[str, Any]:
    return {"task": {"kind": task}, "model": {"kind": "transformer", "path": str(model)}}


def described(folder: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Types and shapes of all weights, as safetensors' own reader tells them."""
    with safe_open(folder / WEIGHTS, "pt") as file:
        slices = {name: file.get_slice(name) for name in file.offset_keys()}
        return {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


@pytest.mark.parametrize("shards", [1, 3])
def test_weights_are_told_without_their_content(llama: Path, tmp_path: Path, shards: int) -> None:
    network = transformers.LlamaForCausalLM.from_pretrained(llama).to(torch.bfloat16)
    network.save_pretrained(tmp_path / "in", max_shard_size="50MB" if shards == 1 else "150KB")
    assert len(list((tmp_path / "in").glob("*.safetensors"))) >= shards
    weights = stored_weights(str(tmp_path / "in"), "main")
    expected = {name: ("BF16", tuple(part.shape)) for name, part in network.state_dict().items()}
    assert {name: (one.dtype, one.shape) for name, one in weights.items()} == expected
    (tmp_path / "out").mkdir()
    write_weightless(weights, tmp_path / "out" / WEIGHTS)
    assert described(tmp_path / "out") == expected
    whole = sum(part.numel() * 2 for part in network.state_dict().values())
    status = (tmp_path / "out" / WEIGHTS).stat()
    assert status.st_size > whole > 512 * status.st_blocks - 8192


def shape_of(head: TextHead) -> TextShape:
    return TextShape(head, 102, 32, 0, labels=("a", "b") if "class" in head else ())


@pytest.mark.parametrize(
    "head",
    ["causal_lm", "sequence_classification", "token_classification", "question_answering"],
)
def test_without_weights_the_same_is_new_and_unused_as_with_them(
    llama: Path, head: TextHead
) -> None:
    config = TransformerConfig(path=str(llama))
    real: Any = build_transformer(config, shape_of(head))
    with torch.device("meta"):
        meta: Any = build_transformer(config, shape_of(head))
    assert {part.device.type for part in meta.parameters()} == {"meta"}
    assert meta.state_dict().keys() == real.state_dict().keys()
    for name in ("new_layers", "new_weights", "unused_weights", "added_tokens"):
        assert getattr(meta, name) == getattr(real, name)
    assert real.new_layers == ([] if head == "causal_lm" else [*real.new_layers])


def test_a_model_whose_body_lacks_weights_is_refused_before_a_run(
    llama: Path, tmp_path: Path
) -> None:
    transformers.AutoConfig.from_pretrained(llama).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(llama).save_pretrained(tmp_path)
    weights = load_file(llama / WEIGHTS)
    del weights["model.layers.3.self_attn.k_proj.weight"]
    save_file(weights, tmp_path / WEIGHTS, {"format": "pt"})
    with pytest.raises(TrainingError, match=r"lacks weights .*layers\.3\.self_attn\.k_proj"):
        model_check.answer(values_of(tmp_path, "text_classification"))


def test_a_folder_without_weights_or_with_broken_ones_is_refused(
    llama: Path, tmp_path: Path
) -> None:
    transformers.AutoConfig.from_pretrained(llama).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(llama).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match="no weights in safetensors format"):
        model_check.answer(values_of(tmp_path, "causal_lm"))
    for head in (b"hello", b"[]   ", b'{"w": 1}', b'{"w": {"dtype": "F32", "shape": [], '
                 b'"data_offsets": [0]}}'):  # fmt: skip
        (tmp_path / WEIGHTS).write_bytes(len(head).to_bytes(8, "little") + head)
        with pytest.raises(TrainingError, match=r"model\.safetensors is not a file of weights"):
            model_check.answer(values_of(tmp_path, "causal_lm"))
    (tmp_path / WEIGHTS).write_bytes((llama / WEIGHTS).read_bytes()[:-1000])
    with pytest.raises(TrainingError, match=r"model\.safetensors is incomplete"):
        model_check.answer(values_of(tmp_path, "causal_lm"))
    (tmp_path / WEIGHTS).unlink()
    for index in (b"[]", b'{"weight_map": {"w": 1}}', b'{"weight_map": {"w": "../x.safetensors"}}'):
        (tmp_path / f"{WEIGHTS}.index.json").write_bytes(index)
        with pytest.raises(TrainingError, match=r"index\.json is not an index of weights"):
            model_check.answer(values_of(tmp_path, "causal_lm"))


def test_the_check_tells_weights_inputs_layers_and_exports(llama: Path) -> None:
    pytest.importorskip("onnxscript")
    told = model_check.answer(values_of(llama, "text_classification"))
    whole = 100 * 64 + 5 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64) + 64
    assert told["network"] == "LlamaForSequenceClassification"
    assert told["parameters"] == whole + 2 * 64
    assert told["stored"] == {"F32": 4 * (whole + 100 * 64)}
    assert (told["found"], told["new"]) == (1 + 5 * 9 + 1, ("score.weight",))
    assert told["unused"] == ("lm_head.weight",)
    assert told["text"]["longest"] == 64
    assert told["text"]["special"]["end"] == "</s>"
    assert told["text"]["chat_template"] is False
    assert told["presets"]["peft-default"] == {
        "count": 10, "parameters_per_rank": 10 * 128, "outputs": 640,
    }  # fmt: skip
    assert set(told["exports"]) == {"folder", "adapter", "merged", "program", "onnx"}
    assert not any(told["exports"].values())
    json.dumps(told)


def test_an_export_that_fails_is_told_with_its_reason(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    told = model_check.answer(values_of(llama, "causal_lm"))
    assert "no such operator" in told["exports"]["onnx"]
    assert told["exports"]["program"] == ""


def test_the_check_of_a_language_model_tells_whether_it_can_be_a_gguf_file(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_check, "as_program", lambda *_: None)
    monkeypatch.setattr(model_check, "as_onnx", lambda *_, **__: None)
    told = model_check.answer(values_of(llama, "causal_lm"))["exports"]["gguf"]
    assert "tokenizer of this model cannot be written as GGUF" in told
    monkeypatch.setattr(model_check, "vocabulary_in_gguf", lambda *_: None)
    assert model_check.answer(values_of(llama, "causal_lm"))["exports"]["gguf"] == ""
    monkeypatch.setattr("engine.artifacts.handover.families.FAMILIES", {})
    told = model_check.answer(values_of(llama, "causal_lm"))["exports"]["gguf"]
    assert "Models of type llama cannot be written as GGUF" in told


def test_models_that_are_neither_of_transformers_nor_torchvision_are_refused() -> None:
    for model in ({"kind": "cnn"}, {"kind": "image_transformer"}):
        with pytest.raises(TrainingError, match=r"model\.(kind|path): "):
            model_check.answer({"task": {"kind": "image_classification"}, "model": model})


def test_weights_that_only_the_hub_has_are_told_where_it_is_out_of_reach(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration and the tokenizer of a model that was looked at are in the cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--some--one"
    shutil.copytree(llama, place / "snapshots" / "abc", ignore=lambda *_: [WEIGHTS])
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    with pytest.raises(TrainingError, match="some/one is not on this machine, and HF_HUB_OFFLINE"):
        model_check.answer(values_of("some/one", "causal_lm"))


class Hub(BaseHTTPRequestHandler):
    """The files of one model as the hub serves them, and what was asked for."""

    folder: Path
    served: dict[str, int]

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, head: bool) -> None:
        name = self.path.rpartition("/")[2].partition("?")[0]
        path = self.folder / name
        if "/resolve/" not in self.path or not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content, whole = path.read_bytes(), path.stat().st_size
        if wanted := self.headers.get("Range"):
            first, last = wanted.removeprefix("bytes=").split("-")
            content = content[int(first) : int(last or whole) + 1]
        self.send_response(206 if wanted else 200)
        if wanted:
            end = int(first) + len(content) - 1
            self.send_header("Content-Range", f"bytes {first}-{end}/{whole}")
        self.send_header("ETag", f'"{name}-{whole}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if not head:
            self.served[name] = self.served.get(name, 0) + len(content)
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture
def hub(llama: Path) -> Iterator[type[Hub]]:
    kind = type("HubOfLlama", (Hub,), {"folder": llama, "served": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kind.address = f"http://127.0.0.1:{server.server_port}"
    yield kind
    server.shutdown()


@pytest.mark.slow
def test_of_a_model_on_the_hub_only_the_head_of_the_weights_is_read(
    hub: Any, llama: Path, tmp_path: Path
) -> None:
    options = ["check", "someone/tiny", "--task", "causal_lm", "--json"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tui", *options],
        capture_output=True, text=True, timeout=240,
        env=os.environ | {"HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0",
                          "HF_HOME": str(tmp_path / "hf")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["network"] == "LlamaForCausalLM"
    assert (told["new"], told["unused"]) == ([], [])
    with (llama / WEIGHTS).open("rb") as file:
        head = 8 + int.from_bytes(file.read(8), "little")
    # The library asks for its first 100 kB in one go, here once for each of two readings.
    assert head <= hub.served[WEIGHTS] <= 2 * 100_001 < (llama / WEIGHTS).stat().st_size
    assert not list((tmp_path / "hf").rglob(WEIGHTS))
