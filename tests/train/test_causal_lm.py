"""Language modelling from data to generated text, by the real engine."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from engine.artifacts.model_folder import load_exported
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.data import on_disk
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.errors import DataError
from engine.launch.in_process import train
from engine.pipelines.create import create_pipeline
from engine.runs.events import Samples, decode
from engine.tasks.create import create_task
from engine.text import blocks as blocks_module
from engine.training import checkpoint

CPU = torch.device("cpu")
VERSE = ["The owl and the cat", "went to sea in a boat,", "", "and the boat was green.", ""]
COLOURS = {"grass": "green", "snow": "white", "coal": "black", "blood": "red"}


def config(path: Path, *changes: str) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "causal_lm", "max_length": 16, "max_new_tokens": 12, "temperature": 0},
            "data": {"kind": "file", "path": str(path)},
            "model": {
                "kind": "transformer", "vocab_size": 300, "hidden_size": 32,
                "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0,
            },
            "train": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2},
            "compute": {"threads": 1, "device": "cpu"},
        }
    ).override(list(changes))  # fmt: skip


@pytest.fixture
def verse(tmp_path: Path) -> Path:
    path = tmp_path / "verse.txt"
    path.write_text("\n".join(VERSE * 60))
    return path


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def written(config_folder: Path, table: pa.Table) -> list[dict[str, Any]]:
    task, fitted, network = load_exported(config_folder, CPU)
    source = task.encode_new(table, fitted, CPU, lambda event: None)
    return [
        record
        for batch in source.read(source.plan(4))
        for record in task.predict(network, batch, fitted)
    ]


def test_a_verse_is_learned_by_heart(verse: Path) -> None:
    run = train(config(verse, "train.epochs=6"))
    report = json.loads(run.report.path.read_text())
    metrics = report["metrics"][TEST]
    assert metrics["loss"] < 0.5 < report["baseline"]["metrics"]["loss"]
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert metrics["nats_per_character"] < metrics["loss"]
    [record] = written(run.model, pa.table({"text": ["The owl and the"]}))
    assert record["continuation"].startswith(" cat\nwent to sea")
    [view] = report["views"]
    assert set(view["items"][0]) == {"prompt", "continuation", "reference"}


def test_blocks_are_the_same_when_their_tokens_lie_on_the_disk(
    verse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = config(verse)
    task = create_task(chosen)
    raw = task.pipeline.load()
    fitted = task.pipeline.fit(raw)

    def blocks() -> torch.Tensor:
        source = task.encode(raw.train, fitted, CPU, lambda event: None)
        return torch.cat([b.inputs["input_ids"] for b in source.read(source.plan(4))])

    in_memory = blocks()
    for module in (on_disk, blocks_module):
        monkeypatch.setattr(module, "LARGE", 0)
    assert torch.equal(blocks(), in_memory)


def test_texts_are_written_while_it_trains(verse: Path) -> None:
    run = train(config(verse))
    events = map(decode, run.events.path.read_bytes().splitlines())
    samples = [event for event in events if isinstance(event, Samples)]
    assert len(samples) == 2
    assert samples[0].items[0]["reference"]


def test_plain_text_is_cut_at_its_end(verse: Path) -> None:
    chosen = config(verse, "data.test_fraction=0.2", "data.validation_fraction=0.1")
    raw = create_pipeline(chosen).load()
    rows = [raw.splits[name]["text"].to_pylist() for name in (TRAIN, VALIDATION, TEST)]
    assert [*rows[0], *rows[1], *rows[2]] == "\n".join(VERSE * 60).removesuffix("\n").split("\n")
    sizes = [sum(len(text) + 1 for text in part) for part in rows]
    assert sizes[2] / sum(sizes) == pytest.approx(0.2, abs=0.02)
    assert sizes[1] / sum(sizes) == pytest.approx(0.1, abs=0.02)


def test_a_text_shorter_than_a_block_is_refused(verse: Path) -> None:
    chosen = config(verse, "task.max_length=5000")
    task = create_task(chosen)
    raw = task.pipeline.load()
    with pytest.raises(DataError, match=r"has only .* tokens, where a block needs 5,001"):
        task.encode(raw.train, task.pipeline.fit(raw), CPU, lambda event: None)


def test_answers_to_instructions_are_learned(tmp_path: Path) -> None:
    records = [{"prompt": f"colour of {thing}?", "completion": colour}
               for thing, colour in COLOURS.items()] * 20  # fmt: skip
    path = write_lines(tmp_path / "pairs.jsonl", records)
    run = train(config(path, "train.epochs=15", "task.max_length=32"))
    things = list(COLOURS)
    records = written(run.model, pa.table({"prompt": [f"colour of {thing}?" for thing in things]}))
    assert [record["continuation"] for record in records] == list(COLOURS.values())


def test_conversations_are_learned(tmp_path: Path) -> None:
    records = [
        {"messages": [{"role": "user", "content": f"colour of {thing}?"},
                      {"role": "assistant", "content": colour}]}
        for thing, colour in COLOURS.items()
    ] * 20  # fmt: skip
    broken = [{"messages": [{"role": "user", "content": "hello?"}]}]
    path = write_lines(tmp_path / "chat.jsonl", records + broken)
    chosen = config(path, "train.epochs=50", "task.max_length=64")
    task = create_task(chosen)
    assert [skip.reason for skip in task.pipeline.load().skips] == ["there is no answer"]
    run = train(chosen)
    ask = [[{"role": "user", "content": "colour of coal?"}]]
    [record] = written(run.model, pa.table({"messages": ask}))
    assert record["continuation"].strip() == "black"


def test_answers_that_are_cut_off_are_counted(tmp_path: Path) -> None:
    records = [{"prompt": "long " * 40, "completion": "a"}, {"prompt": "b?", "completion": "c"}]
    chosen = config(write_lines(tmp_path / "pairs.jsonl", records * 5), "data.test_fraction=0")
    task = create_task(chosen)
    raw = task.pipeline.load()
    said: list[Any] = []
    task.encode(raw.train, task.pipeline.fit(raw), CPU, said.append)
    assert "answers begin beyond" in said[-1].message


def test_resuming_changes_nothing(verse: Path) -> None:
    chosen = config(verse, "train.save_steps=5", "train.max_steps=14", "model.dropout=0.1")
    run = train(chosen.override(["train.save_total_limit=9", "train.epochs=9"]))
    expected = checkpoint.load_newest(run.checkpoints)[1]
    for saved in checkpoint.found(run.checkpoints):
        if saved.step > 5:
            for file in saved.path.iterdir():
                file.unlink()
    train(run.config.read(), run)
    actual = checkpoint.load_newest(run.checkpoints)[1]
    assert actual["position"]["step"] == 14
    for name, value in expected["network"].items():
        assert torch.equal(value, actual["network"][name]), name


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(3600)
def test_a_small_llama_learns_shakespeare(real_data: Path) -> None:
    """Validation loss on the last tenth of the text, in nats a character."""
    path = real_data / "tinyshakespeare.txt"
    results = []
    for seed in range(3):
        changes = [f"data.path={path}", f"train.seed={seed}"]
        run = train(load_preset(find_preset("shakespeare-llama"), changes))
        report = json.loads(run.report.path.read_text())
        results.append(report["metrics"][VALIDATION]["nats_per_character"])
    assert statistics.median(results) <= 1.75
