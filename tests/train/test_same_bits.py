"""One seed, the same bits: every shipped preset, tiny, trained in two fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from engine.config.presets import Preset, find_preset, list_presets, load_preset
from engine.config.run_config import RunConfig, fields_of
from engine.text.tokens.bpe import bpe_from, ending_texts, train_bpe

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("DLTUI_TEST_DATA", ROOT.parent / "shared" / "data"))
SHIPPED = [preset for preset in list_presets() if preset.shipped]

WORKER = """
import hashlib, json, sys
from pathlib import Path
from engine import RunConfig, train
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated
from engine.runs.follower import Follower

facts = {}
for name, values in json.load(sys.stdin).items():
    config = RunConfig.parse(values)
    run = train(config, RunDirectory.create(Path(sys.argv[1]), config))
    events = list(Follower(run.events.path).new())
    facts[name] = {
        "losses": [event.train_loss for event in events if isinstance(event, Evaluated)],
        "metrics": [event.metrics for event in events if isinstance(event, Evaluated)],
        "report": run.report.read()["metrics"],
        "fitted": hashlib.sha256((run.model / "fitted.json").read_bytes()).hexdigest(),
        "weights": [
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(run.model.glob("*.safetensors"))
        ],
    }
print("FACTS", json.dumps(facts))
"""

SMALL: dict[str, Any] = {
    "model.hidden_size": 16, "model.num_hidden_layers": 1, "model.num_attention_heads": 2,
    "model.vocab_size": 500, "model.channels": [4, 4], "train.batch_size": 16,
    "train.max_steps": 3, "train.epochs": 1, "train.warmup_ratio": 0.0,
    "task.max_length": 32, "task.doc_stride": 8, "task.num_beams": 2, "task.max_new_tokens": 8,
    "model.pretrained": False, "compute.device": "cpu", "compute.threads": 1,
}  # fmt: skip
"""Fields that keep a run short, wherever a preset has them."""

LINES = [
    f"the {size} {animal} of {name} sees a {colour} house and is {mood}"
    for size in ("small", "large") for animal in ("dog", "cat", "horse")
    for name, colour in (("Anna", "red"), ("Peter", "blue")) for mood in ("good", "bad", "calm")
] * 2  # fmt: skip


def tiny_bases(folder: Path) -> dict[str, Path]:
    """Small base models of random weights, in place of those that presets have from the hub."""
    tokenizer = bpe_from(ending_texts(train_bpe(LINES, 400)))
    tokenizer.cls_token = tokenizer.sep_token = tokenizer.eos_token
    marks = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    size = {"vocab_size": len(tokenizer)}
    wide = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    networks: dict[str, Any] = {
        "encoder": lambda: transformers.BertForMaskedLM(
            transformers.BertConfig(
                **size, **wide, hidden_size=32, pad_token_id=tokenizer.pad_token_id
            )
        ),
        "gpt2": lambda: transformers.GPT2LMHeadModel(
            transformers.GPT2Config(**size, **marks, n_embd=32, n_layer=1, n_head=2)
        ),
        "t5": lambda: transformers.T5ForConditionalGeneration(
            transformers.T5Config(
                **size, **marks, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2,
                decoder_start_token_id=tokenizer.pad_token_id,
            )
        ),
        "vit": lambda: transformers.AutoModelForImageClassification.from_config(
            transformers.ViTConfig(**wide, hidden_size=32, image_size=32, patch_size=8)
        ),
    }  # fmt: skip
    torch.manual_seed(0)
    for name, build in networks.items():
        build().save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return {name: folder / name for name in networks}


def base_of(preset: str) -> str:
    """Return which small base model stands in for that of a preset."""
    kinds = {"vit": "vit", "gpt2": "gpt2", "t5": "t5"}
    return next((kind for end, kind in kinds.items() if end in preset), "encoder")


def _pictures(count: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 256, (32, 32, 3), "uint8")) for _ in range(count)]


def _questions() -> list[dict[str, Any]]:
    names = ["Anna" if "Anna" in line else "Peter" for line in LINES]
    return [
        {
            "context": line, "question": "whose house is it ?",
            "answers": {"text": [name], "answer_start": [line.index(name)]},
        }
        for line, name in zip(LINES, names, strict=True)
    ]  # fmt: skip


def hub_rows(preset: str) -> datasets.Dataset:
    """Rows of the form that the preset's data set on the hub has."""
    labels = [index % 2 for index in range(len(LINES))]
    two = datasets.ClassLabel(names=["no", "yes"])
    if preset.startswith(("cifar10", "beans", "food101")):
        column = "img" if preset.startswith("cifar10") else "image"
        rows = datasets.Dataset.from_dict({column: _pictures(40), "label": labels[:40]})
        return rows.cast_column(column, datasets.Image()).cast_column("label", two)
    if preset.startswith("squad"):
        return datasets.Dataset.from_list(_questions())
    words = [line.split() for line in LINES]
    columns: dict[str, dict[str, Any]] = {
        "conll": {"tokens": words, "ner_tags": [[int(w.istitle()) for w in s] for s in words]},
        "imdb": {"text": LINES, "label": labels},
        "mnli": {"premise": LINES, "hypothesis": LINES[::-1], "label": labels},
        "opus": {"translation": [{"en": line, "fr": line[::-1]} for line in LINES]},
        "cnn": {"article": LINES, "highlights": [line[:20] for line in LINES]},
        "wikitext2": {"text": LINES * 3},
    }
    rows = datasets.Dataset.from_dict(columns[preset.split("-")[0].removesuffix("2003")])
    if "label" in rows.column_names:
        rows = rows.cast_column("label", two)
    if "ner_tags" in rows.column_names:
        tags = datasets.ClassLabel(names=["O", "B-PER"])
        rows = rows.cast_column("ner_tags", datasets.Sequence(tags))
    return rows


def small(preset: Preset, values: dict[str, Any]) -> dict[str, Any]:
    """Return the preset's experiment with little data, a small network and three updates."""
    known = fields_of(values)
    if load_preset(preset).task.domain != "time series":
        fractions = {"validation_fraction": 0.05, "test_fraction": 0.05}
        values["data"] |= {"max_samples": 96} | fractions
    for name, value in SMALL.items():
        section, key = name.split(".")
        if name in known:
            values.setdefault(section, {})[key] = value
    return RunConfig.parse(values).values()


Experiments = dict[str, dict[str, Any]]


def trained_in_a_process(experiments: Experiments, home: Path, hash_seed: int) -> dict[str, Any]:
    """Return what the runs gave, trained one after the other in a fresh process."""
    environment = os.environ | {
        "DLTUI_HOME": str(home), "PYTHONHASHSEED": str(hash_seed),
        "HF_DATASETS_CACHE": str(home / "datasets"),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(home / "runs")],
        input=json.dumps(experiments), env=environment, cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("FACTS ")]
    assert lines, done.stderr[-3000:]
    facts: dict[str, Any] = json.loads(lines[0].removeprefix("FACTS "))
    return facts


def trained_twice(experiments: Experiments, folder: Path) -> list[dict[str, Any]]:
    return [
        trained_in_a_process(experiments, folder / f"home{seed}", hash_seed=seed)
        for seed in (1, 2)
    ]  # fmt: skip


def local(values: dict[str, Any], preset: Preset, bases: dict[str, Path], folder: Path) -> bool:
    """Put what is on this machine in place of what the preset has from elsewhere.

    Return whether there is all that it needs.
    """
    if values["model"].get("path"):
        values["model"]["path"] = str(bases[base_of(preset.name)])
    data = values["data"]
    if data["kind"] == "hub":
        rows = folder / preset.name
        hub_rows(preset.name).to_parquet(rows / "train.parquet")
        values["data"] = {"kind": "hub", "name": str(rows)}
    if data["kind"] == "file":
        data["path"] = str(REAL / data["path"])
        return Path(data["path"]).exists()
    return True


def experiments_of(presets: list[Preset], folder: Path) -> Experiments:
    """Return a small experiment for each of the presets whose data is here."""
    bases = tiny_bases(folder)
    found = {}
    for preset in presets:
        values = load_preset(preset).values()
        if local(values, preset, bases, folder):
            found[preset.name] = small(preset, values)
    return found


@pytest.mark.slow
def test_tokenizers_trained_anew_in_each_process_give_the_same_bits(tmp_path: Path) -> None:
    names = ["entities-bert", "docstrings-llama"]
    experiments = experiments_of([find_preset(name) for name in names], tmp_path)
    one, other = trained_twice(experiments, tmp_path)
    for name in names:
        assert one[name] == other[name]
        assert any(one[name]["losses"])


@pytest.fixture(scope="module")
def all_twice(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("all")
    return trained_twice(experiments_of(SHIPPED, folder), folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", [preset.name for preset in SHIPPED])
def test_a_shipped_preset_gives_the_same_bits_in_every_process(
    name: str, all_twice: list[dict[str, Any]]
) -> None:
    one, other = all_twice
    if name not in one:
        pytest.skip(f"the data of {name} is not on this machine")
    assert one[name]["weights"]
    assert any(one[name]["losses"])
    assert one[name] == other[name]
