"""Several adapters are merged into one, which is a run like others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.artifacts.model_folder import load_exported
from engine.config.combination import BY_RANK, METHODS
from engine.config.run_config import RunConfig
from engine.errors import RunError, TrainingError, UserError
from engine.files.paths import runs_folder
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.listing import summarize
from engine.runs.status import State
from engine.service import export, merge, predict
from engine.text.tokens.bpe import bpe_from, train_bpe

CPU = torch.device("cpu")
LINES = ["the owl and the cat", "went to sea in a boat", "they took some honey and money"] * 10
WORDS = ("good", "bad", "fine", "dull")


@pytest.fixture(autouse=True)
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, small_encoder: Path
) -> Path:
    """A home folder shared by the module: its runs are trained once, from an encoder inside it."""
    folder = tmp_path_factory.getbasetemp() / "combining"
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    shutil.copytree(small_encoder, folder / "bert", dirs_exist_ok=True)
    return folder


_made: dict[str, RunDirectory] = {}


def gpt2(folder: Path) -> Path:
    if not folder.exists():
        tokenizer = bpe_from(train_bpe(LINES, 300))
        tokenizer.save_pretrained(folder)
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=2, vocab_size=len(tokenizer), bos_token_id=0,
            eos_token_id=0,
        )  # fmt: skip
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def finished(home: Path, name: str, task: str, base: Path, rows: str, **adapter: Any) -> Any:
    if name not in _made:
        path = home / f"{name}.csv"
        path.write_text(rows)
        values = {
            "name": name,
            "task": {"kind": task, "max_length": 16},
            "data": {"kind": "file", "path": str(path)},
            "model": {"kind": "transformer", "path": str(base)},
            "adapter": {"method": "lora", "r": 4} | adapter,
            "train": {"epochs": 2, "batch_size": 8, "learning_rate": 0.02},
            "compute": {"device": "cpu", "threads": 1},
        }
        _made[name] = train(RunConfig.parse(values))
    return _made[name]


def writer(home: Path, name: str, **adapter: Any) -> RunDirectory:
    lines = [line if name < "n" else " ".join(reversed(line.split())) for line in LINES * 4]
    rows = "text\n" + "\n".join(lines) + "\n"
    return finished(home, name, "causal_lm", gpt2(home / "gpt2"), rows, **adapter)


def judge(home: Path, name: str, labels: tuple[str, ...] = ("yes", "no"), **adapter: Any) -> Any:
    lines = [f"{word} film,{labels[i % len(labels)]}" for i, word in enumerate(WORDS)]
    rows = "text,label\n" + "\n".join(lines * 12) + "\n"
    return finished(home, name, "text_classification", home / "bert", rows, **adapter)


@pytest.fixture
def writers(home: Path) -> list[RunDirectory]:
    """Two adapters on GPT-2, whose layers store their weights transposed."""
    return [writer(home, "forth"), writer(home, "yonder")]


def combined(runs: list[RunDirectory], weights: list[float], **options: Any) -> RunDirectory:
    values = {"name": "both", "runs": [run.id for run in runs], "weights": weights} | options
    return RunDirectory(Path(merge.answer(**values)["path"]))


def added(run: RunDirectory) -> dict[str, Tensor]:
    """The change of each layer's weights by an adapter."""
    _, _, network = load_exported(run.model, CPU)
    return {
        name: module.get_delta_weight("default").detach()
        for name, module in network.named_modules()
        if isinstance(module, peft.tuners.lora.LoraLayer)
    }


@pytest.mark.parametrize(
    ("method", "options"), [("cat", {}), ("svd", {"rank": 8}), ("svd", {"rank": 40})]
)
def test_a_weighted_sum_is_one(writers: list[RunDirectory], method: str, options: Any) -> None:
    run = combined(writers, [0.7, -0.4], method=method, **options)
    one, other, both = (added(each) for each in (*writers, run))
    assert both.keys() == one.keys()
    for name, value in both.items():
        torch.testing.assert_close(value, 0.7 * one[name] - 0.4 * other[name], atol=1e-6, rtol=1e-4)


def test_the_scale_of_rslora_is_heeded(home: Path, writers: list[RunDirectory]) -> None:
    scaled = writer(home, "scaled", method="rslora", r=2)
    run = combined([scaled, writers[0]], [0.5, 0.5])
    one, other, both = (added(each) for each in (scaled, writers[0], run))
    for name, value in both.items():
        torch.testing.assert_close(value, (one[name] + other[name]) / 2, atol=1e-6, rtol=1e-4)


def test_adapters_of_other_layers_are_put_together(home: Path, writers: list[RunDirectory]) -> None:
    narrow = writer(home, "narrow", target_modules=["c_fc"])
    run = combined([narrow, writer(home, "sideways", target_modules=["c_attn"])], [1, 1])
    assert {name.rpartition(".")[2] for name in added(run)} == {"c_fc", "c_attn"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_a_run_that_says_something(
    writers: list[RunDirectory], method: str
) -> None:
    run = combined(writers, [0.5, 0.5], method=method)
    answer = predict.answer(run.id, rows=["the owl"])
    assert answer["records"]
    assert all(value.isfinite().all() for value in load_file(weights_of(run)).values())


def weights_of(run: RunDirectory) -> Path:
    return run.model / "adapter_model.safetensors"


def test_it_is_listed_with_what_it_is_made_of(writers: list[RunDirectory]) -> None:
    run = combined(writers, [0.7, 0.3], name="mixture")
    summary = summarize(run)
    assert (summary.name, summary.state, summary.problem) == ("mixture", State.FINISHED, "")
    assert summary.notes.tags == ("combined",)
    assert f"{writers[0].id} × 0.7" in summary.notes.note
    assert f"{writers[1].id} × 0.3" in summary.notes.note


def test_it_is_exported_and_begun_from_as_others(
    writers: list[RunDirectory], tmp_path: Path
) -> None:
    run = combined(writers, [0.5, 0.5])
    for form in ("folder", "merged"):
        told = export.answer(run.id, str(tmp_path / form), form)
        assert told["difference"] <= 1e-4
    values = writers[0].config.read().values()
    values["model"]["path"] = run.id
    values["train"]["max_steps"] = 1
    further = train(RunConfig.parse(values))
    assert further.status.state() is State.FINISHED


def logits(network: nn.Module) -> Tensor:
    with torch.no_grad():
        result: Tensor = network(input_ids=torch.arange(8).reshape(1, 8)).logits
    return result


def test_heads_are_averaged_and_others_load_the_result(home: Path) -> None:
    runs = [judge(home, "a"), judge(home, "b", r=2)]
    run = combined(runs, [3, 1])
    head = "base_model.model.classifier.weight"
    one, other, both = (load_file(weights_of(each))[head] for each in (*runs, run))
    torch.testing.assert_close(both, 0.75 * one + 0.25 * other)
    auto = transformers.AutoModelForSequenceClassification.from_pretrained(home / "bert")
    theirs = peft.PeftModel.from_pretrained(auto, run.model).eval()
    torch.testing.assert_close(logits(theirs), logits(load_exported(run.model, CPU)[2]))


def nothing_new(act: Callable[[], object], error: type[UserError], match: str) -> None:
    before = {run.id for run in all_runs(runs_folder())}
    with pytest.raises(error, match=match):
        act()
    assert {run.id for run in all_runs(runs_folder())} == before


def test_heads_for_other_classes_are_refused(home: Path) -> None:
    for labels in (("yes", "no", "perhaps", "never"), ("yes", "perhaps")):
        runs = [judge(home, "a"), judge(home, f"classes-{len(labels)}-{labels[1]}", labels)]
        nothing_new(lambda runs=runs: combined(runs, [1, 1]), TrainingError, "different classes")


def test_weights_that_leave_no_head_are_refused(home: Path) -> None:
    runs = [judge(home, "a"), judge(home, "b", r=2)]
    nothing_new(lambda: combined(runs, [1, -1]), TrainingError, "add up to nothing")


def test_adapters_of_another_base_or_task_are_refused(
    home: Path, writers: list[RunDirectory]
) -> None:
    runs = [writers[0], judge(home, "a")]
    nothing_new(lambda: combined(runs, [1, 1]), TrainingError, "the base of one is")


def test_dora_is_refused(home: Path, writers: list[RunDirectory]) -> None:
    runs = [writers[0], writer(home, "magnitudes", method="dora")]
    nothing_new(lambda: combined(runs, [1, 1]), TrainingError, "trained with dora")


@pytest.mark.parametrize("method", BY_RANK)
def test_other_ranks_are_refused_where_the_method_needs_one(
    home: Path, writers: list[RunDirectory], method: str
) -> None:
    runs = [writers[0], writer(home, "low", r=2)]
    nothing_new(lambda: combined(runs, [1, 1], method=method), TrainingError, "Choose cat or svd")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weights": [1]}, "a weight for each"),
        ({"weights": [1, float("nan")]}, "must be a number"),
        ({"name": "No Name"}, "The name must have"),
        ({"method": "blend"}, "There is no method"),
        ({"density": 0}, "density"),
        ({"rank": 0}, "rank"),
    ],
)
def test_values_without_a_meaning_are_refused(change: Any, match: str) -> None:
    values = {"runs": ["a", "b"], "weights": [1, 1], "name": "both"} | change
    with pytest.raises(UserError, match=match):
        merge.answer(**values)


def test_runs_without_an_adapter_are_refused(home: Path, writers: list[RunDirectory]) -> None:
    bare = RunDirectory.create(runs_folder(), writers[0].config.read())
    nothing_new(lambda: combined([writers[0], bare], [1, 1]), RunError, "has no adapter")
