"""Benchmarks of a finished language model by lm-eval, with a task and data of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from engine.config.run_config import RunConfig
from engine.errors import DataError, RunError, TrainingError
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.service import benchmarks
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from tui.format.evals import evals_table

QUESTIONS = [("grass", 0), ("snow", 1), ("leaves", 0), ("milk", 1)]
CHOICES = ["green", "white"]
TASK = """
task: colours
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
output_type: multiple_choice
test_split: test
doc_to_text: "the colour of {{{{what}}}} is"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder with a task of lm-eval, whose data lies elsewhere."""
    pytest.importorskip("lm_eval")
    data = tmp_path / "colours.jsonl"
    rows = [{"what": what, "choices": CHOICES, "answer": place} for what, place in QUESTIONS]
    data.write_text("\n".join(map(json.dumps, rows)))
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "colours.yaml").write_text(TASK.format(data=data))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny GPT-2 with its tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    words = "the colour of is green white " + " ".join(what for what, _ in QUESTIONS)
    tokenizer = wordpiece_from(train_wordpiece([words] * 9, 120, True))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.GPT2Config(
        n_embd=16, n_head=2, n_layer=1, vocab_size=len(tokenizer), n_positions=64
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def tuned(base: Path, folder: Path, *changes: str) -> RunDirectory:
    rows = [
        {"prompt": f"the colour of {what} is", "completion": f" {CHOICES[place]}"}
        for what, place in QUESTIONS * 8
    ]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    values: dict[str, Any] = {
        "task": {"kind": "causal_lm", "max_length": 32, "max_new_tokens": 2},
        "data": {"kind": "file", "path": str(folder / "pairs.jsonl")},
        "model": {"kind": "transformer", "path": str(base)},
        "train": {"epochs": 100, "batch_size": 8, "learning_rate": 1e-2},
        "compute": {"threads": 1, "device": "cpu"},
    }
    return train(RunConfig.parse(values).override(changes))


def share_right(folder: Path) -> float:
    """The accuracy by transformers alone: the likelier of both answers."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    right = 0
    for what, place in QUESTIONS:
        ids = tokenizer(f"the colour of {what} is", return_tensors="pt").input_ids
        with torch.no_grad():
            logits = network(input_ids=ids[:, :-1]).logits[0, -1]  # without the [SEP] behind it
        scores = [float(logits[tokenizer.convert_tokens_to_ids(word)]) for word in CHOICES]
        right += int(scores[place] > scores[1 - place])
    return right / len(QUESTIONS)


@pytest.mark.slow
def test_a_run_and_its_base_are_evaluated_and_kept(base: Path, tasks: Path, tmp_path: Path) -> None:
    run = tuned(base, tmp_path)
    benchmarks.answer(run.id, ["colours"], str(tasks), base=True)
    found = (run.evals.read() or {})["tasks"]["colours"]
    assert found["run"]["acc"]["value"] == share_right(run.model) == 1.0
    assert found["base"]["acc"]["value"] == share_right(base) < 1.0
    benchmarks.answer(run.id, ["colours"], str(tasks), limit=2, shots=1)
    headings, rows = evals_table(run.evals.read())
    assert headings[:4] == ["task", "metric", "value", "base model"]
    assert [row[:4] for row in rows] == [["colours", "acc", rows[0][2], "–"]]
    assert rows[0][-1].endswith("1 examples, first 2 rows")


def test_an_adapter_is_evaluated_on_its_base(base: Path, tasks: Path, tmp_path: Path) -> None:
    run = tuned(base, tmp_path, "adapter.method=lora", "train.epochs=1")
    benchmarks.answer(run.id, ["colours"], str(tasks), base=True)
    found = (run.evals.read() or {})["tasks"]["colours"]
    assert found["run"]["acc"]["value"] == share_right(run.model)
    assert found["base"]["acc"]["value"] == share_right(base)


def test_a_task_that_is_missing_or_has_no_data_is_told_in_a_sentence(
    base: Path, tasks: Path, tmp_path: Path
) -> None:
    run = tuned(base, tmp_path, "train.epochs=1")
    (tasks / "lost.yaml").write_text(
        TASK.replace("colours", "lost").format(data=tmp_path / "nowhere.jsonl")
    )
    with pytest.raises(DataError, match="cannot load the task 'lost'"):
        benchmarks.answer(run.id, ["lost"], str(tasks))
    with pytest.raises(DataError, match="is not a folder"):
        benchmarks.answer(run.id, ["colours"], str(tmp_path / "none"))
    assert run.evals.read() is None


@pytest.mark.parametrize("task", ["colours", "there is none"])
def test_a_run_that_is_no_language_model_is_refused_whatever_is_asked_for(
    tasks: Path,
    flowers: RunDirectory,
    trained_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    with pytest.raises(RunError, match="not of a language model"):
        benchmarks.answer(flowers.id, [task], str(tasks))


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(benchmarks, "import_module", missing)
    with pytest.raises(TrainingError, match=r"dltui\[eval\]"):
        benchmarks.answer("any", ["colours"])
