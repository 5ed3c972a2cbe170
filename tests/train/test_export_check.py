"""Exported models are compared with what was trained, through transformers and peft alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from engine import RunConfig, train
from engine.artifacts.comparison import loaded_plainly, some_batch, with_padding
from engine.artifacts.model_folder import load_exported
from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.hardware.device import Compute
from engine.models.language.transformer import build_transformer
from engine.models.shapes import TextShape
from engine.runs.directory import RunDirectory
from engine.service import export
from engine.tasks.text import TextTask
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.training.export_check import check_export

CPU = torch.device("cpu")


def finished(folder: Path, encoder: Path, **adapter: Any) -> RunDirectory:
    rows = folder / "rows.csv"
    rows.write_text("text,label\n" + "good film fine,a\nbad play,b\n" * 10)
    values = {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(rows)},
        "model": {"kind": "transformer", "path": str(encoder)}, "adapter": adapter,
        "train": {"max_steps": 2, "epochs": 1, "batch_size": 4},
        "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    return train(RunConfig.parse(values))


def warnings_in(run: RunDirectory) -> list[str]:
    lines = map(json.loads, run.events.path.read_text().splitlines())
    return [line["message"] for line in lines if line.get("level") == "warning"]


def warned(run: RunDirectory, change: float) -> list[str]:
    """Warnings of the check where the trained network has another bias than the exported one."""
    task, fitted, network = load_exported(run.model, CPU)
    bias = dict(network.named_parameters())["classifier.bias"]
    bias.data += change
    told: list[str] = []
    setup: Any = SimpleNamespace(
        task=task, fitted=fitted, compute=Compute(CPU, torch.float32, threads=1),
        outlets=SimpleNamespace(warn=told.append),
    )  # fmt: skip
    source = task.encode(task.pipeline.load().train, fitted, CPU, lambda _: None)
    check_export(setup, network, source, run.model)
    return told


@pytest.mark.parametrize("adapter", [{}, {"method": "lora", "r": 2}])
def test_a_run_whose_model_others_load_with_the_same_outputs_says_nothing(
    adapter: dict[str, Any], small_encoder: Path, tmp_path: Path
) -> None:
    assert warnings_in(finished(tmp_path, small_encoder, **adapter)) == []


def test_outputs_that_differ_are_told_at_the_end_of_a_run(
    small_encoder: Path, tmp_path: Path
) -> None:
    run = finished(tmp_path, small_encoder)
    assert warned(run, 0.0) == []
    (warning,) = warned(run, 0.25)
    assert "its outputs differ by 0.25" in warning


def test_a_folder_that_others_cannot_read_is_told_at_the_end_of_a_run(
    small_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> nn.Module:
        raise OSError("no such weights")

    monkeypatch.setattr("engine.artifacts.comparison.loaded_plainly", refuse)
    (warning,) = warnings_in(finished(tmp_path, small_encoder))
    assert warning.endswith("alone cannot use the exported model: no such weights.")


@pytest.mark.parametrize("form", ["folder", "adapter", "merged"])
def test_an_export_that_says_something_else_through_others_is_thrown_away(
    form: str, small_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path, small_encoder, method="lora", r=2)
    out = tmp_path / "out"
    export.answer(run.id, str(tmp_path / "first"), form)

    def another(*arguments: Any) -> nn.Module:
        network: Any = loaded_plainly(*arguments)
        for name, parameter in network.named_parameters():
            if "classifier" in name:
                parameter.data += 1
        return network

    monkeypatch.setattr(export, "loaded_plainly", another)
    with pytest.raises(TrainingError, match="says something else than the run's model"):
        export.answer(run.id, str(out), form)
    assert not out.exists()


def test_models_are_tried_on_texts_with_padding(small_encoder: Path, tmp_path: Path) -> None:
    run = finished(tmp_path, small_encoder)
    task, fitted, _ = load_exported(run.model, CPU)
    mask = some_batch(task, fitted).inputs["attention_mask"]
    assert (mask[:, -2:] == 0).all()
    assert (mask[:, 0] == 1).all()
    assert isinstance(task, TextTask)
    source = task.encode(task.pipeline.load().train, fitted, CPU, lambda _: None)
    batch = next(source.read(source.plan(2)))
    ids = with_padding(batch, task, fitted).inputs["input_ids"]
    assert ids.shape == batch.inputs["input_ids"].shape
    assert (ids[:, -1] == task.shape(fitted).pad_token_id).all()
    # Some networks look for the tokens at the ends of a text.
    before = batch.inputs["input_ids"]
    assert torch.equal(ids[:, :3], before[:, [0, 3, 4]])


def test_positions_that_a_network_does_not_save_are_not_trained(tmp_path: Path) -> None:
    config = transformers.MarianConfig(
        vocab_size=100, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, pad_token_id=0,
        decoder_start_token_id=0, max_position_embeddings=32,
    )  # fmt: skip
    transformers.MarianMTModel(config).save_pretrained(tmp_path)
    wordpiece_from(train_wordpiece(["good film"], 100, True)).save_pretrained(tmp_path)
    shape = TextShape("seq2seq_lm", 100, 32, pad_token_id=0)
    network = build_transformer(TransformerConfig(path=str(tmp_path)), shape)
    still = [name for name, part in network.named_parameters() if not part.requires_grad]
    assert [name.rpartition("der.")[2] for name in still] == ["embed_positions.weight"] * 2
