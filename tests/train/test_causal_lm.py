"""Language modelling from data to generated text, by the real engine."""

from __future__ import annotations

import datetime
import json
import math
import statistics
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
import transformers

from engine.artifacts.model_folder import load_exported
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.data import on_disk
from engine.data.labels import IGNORED
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.errors import DataError
from engine.launch.in_process import train
from engine.pipelines import causal_lm as causal_lm_pipeline
from engine.pipelines.create import create_pipeline
from engine.runs.events import Samples, decode
from engine.tasks.create import create_task
from engine.text.tokens import blocks as blocks_module
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.training.checkpoints import checkpoint

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


@pytest.mark.parametrize(("words", "cut"), [(5, False), (200, True)])
def test_a_reference_that_is_shown_in_part_ends_in_an_ellipsis(
    tmp_path: Path, words: int, cut: bool
) -> None:
    answer = " ".join(f"w{i}" for i in range(words))
    path = write_lines(tmp_path / "a.jsonl", [{"prompt": "Count", "completion": answer}] * 20)
    run = train(config(path, "task.max_length=1024", "task.max_new_tokens=40"))
    events = map(decode, run.events.path.read_bytes().splitlines())
    shown = next(e for e in events if isinstance(e, Samples)).items[0]["reference"]
    assert answer.startswith(shown.removesuffix("…").strip())
    assert (shown.endswith("…"), shown.strip() == answer) == (cut, not cut)


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
    chosen = config(path, "train.epochs=80", "train.learning_rate=3e-3", "task.max_length=64")
    task = create_task(chosen)
    assert [skip.reason for skip in task.pipeline.load().skips] == ["there is no answer"]
    run = train(chosen)
    ask = [[{"role": "user", "content": "colour of coal?"}]]
    [record] = written(run.model, pa.table({"messages": ask}))
    assert record["continuation"].strip() == "black"


def test_answers_that_are_cut_off_are_counted(tmp_path: Path) -> None:
    records = [{"prompt": "long " * 40, "completion": "a"}, {"prompt": "b?", "completion": "c"}]
    chosen = config(
        write_lines(tmp_path / "pairs.jsonl", records * 5),
        "data.test_fraction=0",
        "data.validation_fraction=0",
    )
    task = create_task(chosen)
    raw = task.pipeline.load()
    said: list[Any] = []
    task.encode(raw.train, task.pipeline.fit(raw), CPU, said.append)
    assert said[-1].message.startswith("5 of 10 samples have an answer that reaches beyond")


def asked_and_learned(
    path: Path, asked: dict[str, Any], *changes: str
) -> tuple[str, str, list[str]]:
    """Text of the first row, its learned part, and the prompts of a prediction."""
    task = create_task(config(path, "data.test_fraction=0", "task.max_length=300", *changes))
    raw = task.pipeline.load()
    fitted = task.pipeline.fit(raw)
    tokenizer = task.pipeline.tokenizer(fitted.tokenizer)
    source = task.encode(raw.train.slice(0, 1), fitted, CPU, lambda event: None)
    [batch] = source.read(source.plan(1))
    labels = batch.targets["labels"][0]
    first = int((labels != IGNORED).nonzero()[0])
    table = pa.Table.from_pylist([asked])
    news = task.encode_new(table, fitted, CPU, lambda event: None)
    [new] = news.read(news.plan(1))
    ids = new.inputs["input_ids"][0].tolist()
    assert ids == batch.inputs["input_ids"][0, : first + 1].tolist()
    return (
        tokenizer.decode(ids),
        tokenizer.decode(labels[labels != IGNORED]),
        [note.why for note in raw.notes if "column" in note.why],
    )


END = "<|endoftext|>"


def one_sided(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows that are all alike, so that it matters not which of them come first."""
    return [row] * 10


def test_input_history_and_system_are_part_of_the_prompt(tmp_path: Path) -> None:
    row = {"system": "Be short.", "history": [["hello", "hi"], ["well?", "well"]],
           "instruction": "Turn it.", "input": "river", "output": "revir"}  # fmt: skip
    path = write_lines(tmp_path / "alpaca.jsonl", one_sided(row))
    asked = {name: value for name, value in row.items() if name != "output"}
    prompt, learned, _ = asked_and_learned(path, asked)
    assert prompt == "Be short.\nhello\nhi\nwell?\nwell\nTurn it.\nriver\n"
    assert learned == f"revir{END}"


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_input_leaves_no_trace_in_the_prompt(tmp_path: Path, empty: str | None) -> None:
    row = {"instruction": "Say it.", "input": empty, "output": "it"}
    path = write_lines(tmp_path / "alpaca.jsonl", one_sided(row))
    assert asked_and_learned(path, {"instruction": "Say it."})[0] == "Say it.\n"


def test_a_context_is_part_of_the_prompt_unless_it_is_refused(tmp_path: Path) -> None:
    row = {"question": "Who?", "context": "It was he.", "answer": "he"}
    path = write_lines(tmp_path / "dolly.jsonl", one_sided(row))
    asked = {"question": "Who?", "context": "It was he."}
    assert asked_and_learned(path, asked)[0] == "Who?\nIt was he.\n"
    assert asked_and_learned(path, asked, "task.input=-")[0] == "Who?\n"


def test_the_columns_of_the_prompt_are_reported_and_asked_for(tmp_path: Path) -> None:
    row = {"instruction": "Say it.", "input": "a", "output": "a", "topic": "b"}
    path = write_lines(tmp_path / "alpaca.jsonl", one_sided(row))
    pipeline = create_pipeline(config(path))
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    roles = {column.name: column.role for column in pipeline.summarize(raw, fitted).columns}
    assert roles == {
        "instruction": "prompt", "input": "input", "output": "completion", "topic": "ignored",
    }  # fmt: skip
    assert pipeline.inputs(fitted) == ("instruction", "input")


def test_a_split_without_a_column_of_the_prompt_is_reported(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "train.jsonl", one_sided({"instruction": "a", "input": "b", "output": "c"})
    )
    other = write_lines(tmp_path / "other.jsonl", one_sided({"instruction": "a", "output": "c"}))
    _, _, notes = asked_and_learned(
        path, {"instruction": "a", "input": "b"}, f"data.test_path={other}"
    )
    assert notes == ["test has no column input; its prompts are without input"]


@pytest.mark.parametrize(
    ("prompt", "completion", "typed", "shown", "learned"),
    [
        ("Answer:", "yes", "Answer:", "Answer:\n", "yes"),
        ("Answer:", " yes", "Answer:", "Answer:", " yes"),
        ("Answer: ", "yes", "Answer: ", "Answer:", " yes"),
        ("Answer: ", "yes", "Answer:", "Answer:", " yes"),
        ("Answer:\t", "yes", "Answer:", "Answer:", "\tyes"),
        ("Answer:\n", "yes", "Answer:", "Answer:\n", "yes"),
        ("Answer:\n\n", "yes", "Answer:", "Answer:\n\n", "yes"),
        ("Answer:", "\n\nyes", "Answer:", "Answer:", "\n\nyes"),
    ],
)
def test_blanks_between_prompt_and_completion_are_those_of_the_data(
    tmp_path: Path, prompt: str, completion: str, typed: str, shown: str, learned: str
) -> None:
    row = {"prompt": prompt, "completion": completion}
    path = write_lines(tmp_path / "pairs.jsonl", one_sided(row))
    assert asked_and_learned(path, {"prompt": typed})[:2] == (shown, learned + END)


def test_a_prompt_that_ends_in_a_blank_teaches_its_answer(tmp_path: Path) -> None:
    records = [{"prompt": f"colour of {thing}? Answer: ", "completion": colour}
               for thing, colour in COLOURS.items()] * 20  # fmt: skip
    path = write_lines(tmp_path / "pairs.jsonl", records)
    run = train(config(path, "train.epochs=15", "task.max_length=48"))
    for end in ("", " "):
        asked = [f"colour of {thing}? Answer:{end}" for thing in COLOURS]
        found = written(run.model, pa.table({"prompt": asked}))
        assert [record["continuation"] for record in found] == list(COLOURS.values())


@pytest.mark.parametrize("value", [True, False, 0, 7, 0.5])
def test_completions_that_are_no_texts_are_learned_as_written(tmp_path: Path, value: Any) -> None:
    path = write_lines(tmp_path / "p.jsonl", one_sided({"prompt": "a", "completion": value}))
    assert asked_and_learned(path, {"prompt": "a"})[1] == f"{json.dumps(value)}{END}"


ASK, REPLY = {"role": "user", "content": "colour?"}, {"role": "assistant", "content": "green"}
PARTS = [{"type": "text", "text": "See:"}, {"type": "text", "text": "colour?"}]
CALL = {"type": "function", "function": {"name": "look", "arguments": {"at": "grass"}}}
CALLED = '<tool_call>\n{"name": "look", "arguments": {"at": "grass"}}\n</tool_call>'


@pytest.mark.parametrize(
    ("row", "shown", "learned"),
    [
        ({"messages": [ASK, REPLY]}, "colour?", "green"),
        ({"messages": json.dumps([ASK, REPLY])}, "colour?", "green"),
        ({"messages": [{"role": "user", "content": PARTS}, REPLY]}, "See:\ncolour?", "green"),
        ({"prompt": [ASK], "completion": [REPLY]}, "colour?", "green"),
        ({"prompt": [ASK], "completion": "green"}, "colour?", "green"),
        ({"prompt": "colour?", "completion": [REPLY]}, "colour?", "green"),
        (
            {"conversations": [{"from": "human", "value": "colour?"},
                               {"from": "gpt", "value": "green"}]},
            "colour?", "green",
        ),
        ({"messages": [ASK, {"role": "assistant", "content": None, "tool_calls": [CALL]}]},
         "colour?", CALLED),
    ],
)  # fmt: skip
def test_conversations_of_any_shape_are_read(
    tmp_path: Path, row: dict[str, Any], shown: str, learned: str
) -> None:
    path = write_lines(tmp_path / "chat.jsonl", one_sided(row))
    name = next(iter(row))
    for asked in ([{"role": "user", "content": shown}], shown):
        found = asked_and_learned(path, {name: asked})
        assert found[0] == f"<|user|>\n{shown}{END}\n<|assistant|>\n"
        assert found[1].rstrip() == learned + END


def test_only_the_completion_is_learned_of_two_lists_of_messages(tmp_path: Path) -> None:
    given = [ASK, {"role": "assistant", "content": "which?"}, {"role": "user", "content": "grass"}]
    path = write_lines(tmp_path / "c.jsonl", one_sided({"prompt": given, "completion": [REPLY]}))
    assert asked_and_learned(path, {"prompt": given})[1].rstrip() == f"green{END}"


def test_a_system_prompt_beside_the_messages_comes_first(tmp_path: Path) -> None:
    row = {"system": "Be short.", "messages": [ASK, REPLY]}
    path = write_lines(tmp_path / "chat.jsonl", one_sided(row))
    prompt, _, _ = asked_and_learned(path, row)
    assert prompt == f"<|system|>\nBe short.{END}\n<|user|>\ncolour?{END}\n<|assistant|>\n"


def test_turns_of_different_shapes_stand_in_one_file(tmp_path: Path) -> None:
    row = {"messages": [{"role": "system", "content": "Be short."},
                        {"role": "user", "content": PARTS}, REPLY]}  # fmt: skip
    path = write_lines(tmp_path / "chat.jsonl", one_sided(row))
    asked = {"messages": json.dumps(row["messages"])}
    prompt, learned, _ = asked_and_learned(path, asked)
    assert "Be short." in prompt
    assert "See:\ncolour?" in prompt
    assert learned.rstrip() == f"green{END}"


def test_turns_that_cannot_be_learned_are_counted(tmp_path: Path) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "a.png"}}]
    rows = [
        {"messages": [{"role": "user", "content": PARTS}, REPLY]},
        {"messages": [{"role": "user", "content": picture}, REPLY]},
        {"messages": [{"role": "user", "content": None}, REPLY]},
        {"messages": []},
    ]
    path = write_lines(tmp_path / "chat.jsonl", rows)
    raw = create_pipeline(config(path, "data.test_fraction=0", "data.validation_fraction=0")).load()
    assert [(skip.reason, skip.count) for skip in raw.skips] == [
        ("a part of a turn is not text but image_url", 1),
        ("a turn is empty", 1),
        ("the conversation is empty", 1),
    ]


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


def test_the_day_in_a_chat_template_is_that_of_the_preparation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens, cache and resumed runs would differ from day to day otherwise."""
    tokenizer = wordpiece_from(train_wordpiece(["colour of snow white 30 Nov"] * 3, 200, True))
    tokenizer.add_special_tokens({"eos_token": "[END]"})
    tokenizer.chat_template = (
        "{% set form = '%d %b' %}{{ strftime_now(form) }} "
        "{% for m in messages %}{{ m.content }} {% endfor %}"
    )
    tokenizer.save_pretrained(tmp_path / "model")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
             "num_attention_heads": 1, "vocab_size": 200}  # fmt: skip
    network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    network.save_pretrained(tmp_path / "model")
    turns = [
        {"role": "user", "content": "colour of snow"},
        {"role": "assistant", "content": "white"},
    ]
    path = write_lines(tmp_path / "chat.jsonl", [{"messages": turns}] * 10)
    chosen = config(path, f"model.path={tmp_path / 'model'}")

    class Day(datetime.date):
        @classmethod
        def today(cls) -> Day:
            return cls(2001, 11, 30)

    with monkeypatch.context() as then:
        then.setattr(causal_lm_pipeline, "date", Day)
        task = create_task(chosen)
        fitted = task.pipeline.fit(task.pipeline.load())
    assert fitted.date == "2001-11-30"
    later = create_task(chosen)
    rows = later.pipeline.load().train
    [batch] = later.encode(rows.slice(0, 1), fitted, CPU, lambda event: None).read(
        [torch.tensor([0])]
    )
    text = later.pipeline.tokenizer(fitted.tokenizer).decode(batch.inputs["input_ids"][0])
    assert text.startswith("30 nov colour of snow")
    facts = later.pipeline.summarize(later.pipeline.load(), fitted).facts
    assert facts["date"].startswith("2001-11-30 in every conversation")
    later.files(fitted).companions(tmp_path / "exported")
    exported = transformers.AutoTokenizer.from_pretrained(tmp_path / "exported")
    assert exported.apply_chat_template(turns, tokenize=False) == "30 Nov colour of snow white "
