"""The base model beside the tuned one, and what was forgotten, by the real engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.launch.attempt import attempt
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.runs.earlier_base import take_base_from
from engine.runs.events import FORGETTING, Evaluated, Log, Progress, Samples, Started, decode
from engine.runs.follower import read_history
from engine.tasks.create import create_task
from engine.text.forgetting import other_texts
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.training.run import train_in

CPU = torch.device("cpu")
WORDS = "red green blue white black grass snow sky coal milk what is the colour of it"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with its tokenizer."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = wordpiece_from(train_wordpiece([WORDS] * 9, 200, True))
    tokenizer.eos_token = tokenizer.sep_token
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=1,
        num_key_value_heads=2, vocab_size=len(tokenizer), tie_word_embeddings=False,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    colours = [("grass", "green"), ("snow", "white"), ("sky", "blue"), ("coal", "black")]
    rows = [{"prompt": f"the colour of {what}", "completion": how} for what, how in colours * 10]
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def config(base: Path, pairs: Path, *changes: str) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "causal_lm", "max_length": 32, "max_new_tokens": 4, "temperature": 0},
            "data": {"kind": "file", "path": str(pairs)},
            "model": {"kind": "transformer", "path": str(base)},
            "train": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-2},
            "compute": {"threads": 1, "device": "cpu"},
        }
    ).override(list(changes))


def events(run: RunDirectory) -> list[Any]:
    return [decode(line) for line in run.events.path.read_bytes().splitlines()]


def mean_loss(base: Path, texts: list[str], longest: int) -> float:
    """The loss a token by transformers alone, a text at a time."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    network = transformers.AutoModelForCausalLM.from_pretrained(base).eval()
    nats = tokens = 0.0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt").input_ids[:, : longest + 1]
        with torch.no_grad():
            loss = network(input_ids=ids, labels=ids).loss
        nats, tokens = nats + float(loss) * (ids.shape[1] - 1), tokens + ids.shape[1] - 1
    return nats / tokens


def test_a_pre_trained_network_is_evaluated_before_the_first_update(
    base: Path, pairs: Path
) -> None:
    run = train(config(base, pairs))
    history, report = read_history(run), run.report.read() or {}
    assert [row.step for row in history.evaluations][:1] == [0]
    assert not history.evaluations[0].best
    before, after = report["base"]["metrics"], report["metrics"]["test"]
    assert after["loss"] < before["loss"]
    assert report["base"]["improved"] is True
    (texts,) = report["views"]
    assert list(texts["items"][0]) == ["prompt", "base model", "continuation", "reference"]
    other = mean_loss(base, other_texts(""), 32)
    assert report["base"]["forgetting"]["loss"] == pytest.approx(other, rel=1e-4)
    curve = history.curve("loss", FORGETTING).points
    assert [point.step for point in curve] == [row.step for row in history.evaluations]
    assert curve[0].value == pytest.approx(other, rel=1e-4)
    assert report["forgetting"]["loss"] == pytest.approx(curve[-1].value, rel=1e-5)
    assert [sample.step for sample in history.sampled][:1] == [0]


def test_a_base_that_is_not_beaten_is_named_and_the_best_of_training_kept(
    base: Path, pairs: Path
) -> None:
    run = train(config(base, pairs, "train.learning_rate=50", "train.epochs=1"))
    report = run.report.read() or {}
    assert report["base"]["improved"] is False
    assert report["best_step"] > 0


@pytest.mark.parametrize(
    "changes",
    [("train.evaluate_base=off",), ("model.path=", "model.vocab_size=200", "model.hidden_size=16")],
)
def test_no_base_is_evaluated_where_it_is_switched_off_or_new(
    base: Path, pairs: Path, changes: tuple[str, ...]
) -> None:
    run = train(config(base, pairs, *changes, "train.epochs=1"))
    steps = [event.step for event in events(run) if isinstance(event, Evaluated | Samples)]
    assert min(steps) > 0
    assert not run.base.path.exists()
    assert (run.report.read() or {})["base"] is None


def test_the_evaluation_of_the_base_changes_no_bit_of_the_training(base: Path, pairs: Path) -> None:
    runs = [
        train(config(base, pairs, f"name={name}", f"train.evaluate_base={name}"))
        for name in ("on", "off")
    ]
    with_base, without = ((run.model / "model.safetensors").read_bytes() for run in runs)
    assert with_base == without


def resumed(run: RunDirectory) -> list[Any]:
    """The events of a run that makes another epoch."""
    run.config.write(run.config.read().override(["train.epochs=2"]))
    run.report.path.unlink()
    attempt(run, train_in)
    return events(run)


def base_evaluations(told: list[Any]) -> int:
    return sum(type(e) is Evaluated and e.step == 0 and e.split == "validation" for e in told)


@pytest.mark.parametrize("from_checkpoint", [True, False])
def test_a_resumed_run_does_not_evaluate_the_base_again(
    base: Path, pairs: Path, from_checkpoint: bool
) -> None:
    run = train(config(base, pairs, "train.epochs=1"))
    kept = run.base.path.read_bytes()
    if not from_checkpoint:
        shutil.rmtree(run.checkpoints)
        run.checkpoints.mkdir()
    told = resumed(run)
    assert [e.resumed_step > 0 for e in told if isinstance(e, Started)][1:] == [from_checkpoint]
    assert base_evaluations(told) == 1
    assert run.base.path.read_bytes() == kept
    assert (run.report.read() or {})["base"]["metrics"] == json.loads(kept)["metrics"]


@pytest.mark.parametrize("deleted", [False, True])
def test_the_base_of_an_earlier_run_is_taken_over_while_that_run_exists(
    base: Path, pairs: Path, deleted: bool
) -> None:
    first = train(config(base, pairs, "name=first", "train.epochs=1"))
    values = first.base.read() or {}
    second = RunDirectory.create(first.path.parent, config(base, pairs, "train.epochs=1"))
    take_base_from(second, first)
    if deleted:
        shutil.rmtree(first.path)
    attempt(second, train_in)
    told = [event for event in events(second) if isinstance(event, Log)]
    assert any(event.message.endswith(f"those of {first.id}.") for event in told) is not deleted
    again = second.base.read() or {}
    assert (again == values) is not deleted, "the seconds of an evaluation of its own differ"
    assert again["metrics"] == values["metrics"]
    history, report = read_history(second), second.report.read() or {}
    assert [row.step for row in history.evaluations] == [0, 4]
    assert [sample.step for sample in history.sampled] == [0, 4]
    assert len(history.curve("loss", FORGETTING).points) == 2
    assert report["base"]["metrics"] == values["metrics"]
    (texts,) = report["views"]
    assert "base model" in texts["items"][0]


def test_a_run_of_an_older_version_resumes_without_a_base(base: Path, pairs: Path) -> None:
    run = train(config(base, pairs, "train.epochs=1", "train.evaluate_base=off"))
    run.config.write(run.config.read().override(["train.evaluate_base=auto"]))
    told = [event for event in resumed(run) if isinstance(event, Evaluated)]
    assert [event.step for event in told if event.split == "validation"] == [4, 8]
    assert (run.report.read() or {})["base"] is None


def test_forgetting_is_measured_on_a_text_of_the_user(
    base: Path, pairs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.txt"
    path.write_text("the sky is blue\n\nmilk is white\n")
    run = train(config(base, pairs, f"task.forgetting_path={path}", "train.epochs=1"))
    report = run.report.read() or {}
    expected = mean_loss(base, ["the sky is blue", "milk is white"], 32)
    assert report["base"]["forgetting"]["loss"] == pytest.approx(expected, rel=1e-4)
    off = train(config(base, pairs, "task.forgetting_path=-", "train.epochs=1"))
    assert (off.report.read() or {})["forgetting"] is None


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "No such file"), (b"\xff\xfe", "UTF-8"), (b"\n", "no text")]
)
def test_a_text_that_cannot_be_read_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "other.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=problem):
        other_texts(str(path))


def test_a_long_text_of_the_user_is_limited_and_told(
    base: Path, pairs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.txt"
    path.write_text("milk is white\n" * 1200)
    task = create_task(config(base, pairs, f"task.forgetting_path={path}"))
    fitted = task.pipeline.fit(task.pipeline.load())
    told: list[Any] = []
    source = task.forgetting(fitted, CPU, told.append)
    assert source is not None
    assert len(source) == 1000
    assert "first 1,000 of 1,200 texts" in told[0].message


def test_the_built_in_sentences_are_a_few_hundred() -> None:
    sentences = sum(text.count(". ") + 1 for text in other_texts(""))
    assert 200 <= sentences <= 400


@pytest.mark.parametrize(("method", "rate"), [("none", 2e-5), ("lora", 2e-4)])
def test_a_run_keeps_the_learning_rate_that_follows_the_method(
    base: Path, pairs: Path, method: str, rate: float
) -> None:
    changes = [f"adapter.method={method}", "train.epochs=1", "train.learning_rate=none"]
    run = train(config(base, pairs, *changes, "train.lr_scheduler_type=constant"))
    assert run.config.read().train.learning_rate == pytest.approx(rate)
    rates = [event.learning_rate for event in events(run) if isinstance(event, Progress)]
    assert rates[-1] == pytest.approx(rate)
    assert f"The learning rate is {rate:g}." in [log.message for log in read_history(run).log]


def test_nothing_is_measured_twice_with_the_same_weights(
    base: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.tasks import causal_lm

    measured: list[int] = []
    usual = causal_lm.measured_sums

    def counted(network: Any, inputs: Any, labels: Any) -> Any:
        measured.append(len(labels))
        return usual(network, inputs, labels)

    monkeypatch.setattr(causal_lm, "measured_sums", counted)
    run = train(config(base, pairs, "train.epochs=1", "train.batch_size=2", "data.test_fraction=0",
                       "task.forgetting_path=-"))  # fmt: skip
    held_out = 6  # rows of 40; two at a time before the first update and after the last
    assert sum(measured) == 2 * held_out + 2, "views come from one batch more"
    report = json.loads(run.report.path.read_text())
    last = [event for event in events(run) if isinstance(event, Evaluated)][-1]
    assert report["metrics"]["validation"] == last.metrics
    assert report["views"]


def test_an_adapter_is_saved_with_the_decoding_of_its_training(base: Path, pairs: Path) -> None:
    run = train(config(base, pairs, "adapter.method=lora", "train.max_steps=1",
                       "task.temperature=0.7", "task.top_p=0.6"))  # fmt: skip
    assert (run.model / "adapter_config.json").exists()
    written = transformers.GenerationConfig.from_pretrained(run.model)
    assert (written.max_new_tokens, written.temperature, written.top_p) == (4, 0.7, 0.6)
    assert written.do_sample
    assert written.eos_token_id == wordpiece_end(base)


def wordpiece_end(base: Path) -> int:
    end: int = transformers.AutoTokenizer.from_pretrained(base).eos_token_id
    return end


@pytest.mark.parametrize("method", ["none", "lora"])
def test_a_tuned_model_stops_at_all_tokens_at_which_its_base_stopped(
    base: Path, pairs: Path, tmp_path: Path, method: str
) -> None:
    """As Llama 3.1 has three, of which the tuning rows show one; no ordinary word is among them."""
    several = shutil.copytree(base, tmp_path / "several")
    tokenizer = transformers.AutoTokenizer.from_pretrained(several)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|eom|>", "<|eot|>"]})
    tokenizer.save_pretrained(several)
    network: Any = transformers.AutoModelForCausalLM.from_pretrained(several)
    network.resize_token_embeddings(len(tokenizer))
    eom, eot, word = tokenizer.convert_tokens_to_ids(["<|eom|>", "<|eot|>", "grass"])
    network.generation_config.eos_token_id = [eom, eot, word]
    network.save_pretrained(several)
    run = train(config(several, pairs, f"adapter.method={method}", "train.max_steps=1"))
    written = transformers.GenerationConfig.from_pretrained(run.model)
    assert written.eos_token_id == [wordpiece_end(base), eom, eot]
