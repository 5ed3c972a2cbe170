"""Preference tuning as a whole run: the reference, and how it survives a resume."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine import RunConfig, train
from engine.artifacts.build import build_network
from engine.hardware import device
from engine.metrics.text.answer_likelihoods import measured
from engine.runs.directory import RunDirectory
from engine.runs.events import Log, decode
from engine.runs.follower import read_history
from engine.tasks.create import create_task
from engine.training.checkpoints import checkpoint

CPU = torch.device("cpu")


def config_of(loss: str, **adapter: Any) -> RunConfig:
    return RunConfig.parse({
        "name": "replies",
        "task": {"kind": "preference", "loss": loss, "max_length": 128, "max_new_tokens": 4},
        "data": {"kind": "builtin", "name": "replies", "max_samples": 24,
                 "validation_fraction": 0.01, "test_fraction": 0.01},
        "model": {"kind": "transformer", "hidden_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "vocab_size": 300},
        "train": {"epochs": 1, "batch_size": 8, "eval_steps": 1, "save_steps": 1,
                  "save_total_limit": 10, "learning_rate": 0.01},
        "adapter": adapter,
        "compute": {"device": "cpu", "threads": 1},
    })  # fmt: skip


def weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    return load_file(run.model / "model.safetensors")


@pytest.mark.parametrize("adapter", [{}, {"method": "lora", "r": 2}])
def test_a_resumed_run_has_the_same_reference_and_ends_with_the_same_bits(
    tmp_path: Path, adapter: dict[str, Any]
) -> None:
    config = config_of("dpo", **adapter)
    run = train(config, RunDirectory.create(tmp_path, config))
    whole, reference = weights(run), run.start_values.read_bytes()
    evaluations = [event.metrics for event in read_history(run).evaluations]
    *later, first = checkpoint.found(run.checkpoints)
    assert first.step == 1
    for newer in later:
        shutil.rmtree(newer.path)
    resumed = train(config, run)
    assert resumed.start_values.read_bytes() == reference
    logged = map(decode, resumed.events.path.read_bytes().splitlines())
    said = [event.message for event in logged if isinstance(event, Log)]
    assert len([text for text in said if text.startswith("Measuring the untuned model")]) == 1
    assert weights(resumed).keys() == whole.keys()
    assert all(torch.equal(value, whole[name]) for name, value in weights(resumed).items())
    again = [event.metrics for event in read_history(resumed).evaluations]
    assert again[-len(later) :] == evaluations[-len(later) :]


def test_the_reference_is_the_base_with_the_adapter_switched_off(tmp_path: Path) -> None:
    config = config_of("dpo", method="lora", r=2)
    run = train(config, RunDirectory.create(tmp_path, config))
    task = create_task(config)
    raw = task.pipeline.load()
    fitted = task.pipeline.fitted_type.model_validate_json(run.fitted.read_bytes())
    source = task.encode(raw.train, fitted, CPU, lambda event: None)
    torch.manual_seed(config.train.seed)
    adapted: Any = build_network(task, fitted, device.choose(config.compute)).eval()
    with torch.no_grad():
        for name, part in adapted.named_parameters():
            if "lora_B" in name:
                part.add_(1.0)  # as if it were trained
        trained = measured(adapted, source, 8)
        with adapted.disable_adapter():
            base = measured(adapted, source, 8)
    kept = load_file(run.start_values)["train"]
    torch.testing.assert_close(kept, base)
    assert not torch.allclose(kept, trained)


def test_a_damaged_reference_of_a_run_is_measured_anew(tmp_path: Path) -> None:
    config = config_of("kto")
    run = train(config, RunDirectory.create(tmp_path, config))
    reference = run.start_values.read_bytes()
    run.start_values.write_bytes(reference[:20])
    shutil.rmtree(checkpoint.found(run.checkpoints)[0].path)
    assert train(config, run).start_values.read_bytes() == reference


def test_losses_without_a_reference_measure_the_held_out_rows_only(tmp_path: Path) -> None:
    config = config_of("simpo")
    run = train(config, RunDirectory.create(tmp_path, config))
    assert sorted(load_file(run.start_values)) == ["test", "validation"]
    assert run.report.read()["baseline"]["name"] == "the untuned model"
