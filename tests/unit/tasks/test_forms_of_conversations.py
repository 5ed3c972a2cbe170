"""Trees of messages, calls as answers, and files of several forms, read as conversations."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.tasks.create import create_task
from tests.unit.tasks.conftest import TRANSFORMER, Prepared

Make = Callable[..., Any]


def written(
    folder: Path, files: dict[str, list[dict[str, Any]]], kind: str = "causal_lm", **task: Any
) -> Prepared:
    """Write rows as JSON Lines, and return a task that is fitted on them."""
    for name, rows in files.items():
        lines = (json.dumps(row) + "\n" for row in rows)
        (folder / name).write_text("".join(lines))
    config = RunConfig.parse({
        "task": {"kind": kind, "max_length": 400} | task, "model": TRANSFORMER,
        "data": {"kind": "file", "path": str(folder), "validation_fraction": 0,
                 "test_fraction": 0},
    })  # fmt: skip
    made = create_task(config)
    raw = made.pipeline.load()
    return Prepared(made, raw, made.pipeline.fit(raw))


def learned(prepared: Prepared) -> list[str]:
    """Return each sample with what is learned of it in brackets, without line ends and marks."""
    pipeline: Any = prepared.task.pipeline
    tokenizer = pipeline.tokenizer(prepared.fitted.tokenizer)
    batch = prepared.encoded()
    texts = []
    for ids, labels in zip(
        batch.inputs["input_ids"].tolist(), batch.targets["labels"].tolist(), strict=True
    ):
        text, run, inside = "", [ids[0]], False
        for token, label in zip([*ids[1:], tokenizer.pad_token_id], labels, strict=True):
            if (label >= 0) is not inside:
                text += tokenizer.decode(run, skip_special_tokens=True) + "[]"[inside]
                run, inside = [], not inside
            run.append(label if inside else token)
        text += tokenizer.decode(run, skip_special_tokens=True) + "]" * inside
        texts.append(text.replace("\n", ""))
    return texts


def notes(prepared: Prepared) -> list[str]:
    return [note.why for note in prepared.raw.notes]


def message(name: str, parent: str | None, text: str, rank: int | None = None) -> dict[str, Any]:
    role = "assistant" if text.startswith("a") else "prompter"
    return {"message_id": name, "parent_id": parent, "role": role, "text": text, "rank": rank,
            "deleted": False, "message_tree_id": "T"}  # fmt: skip


TREE = [
    message("1", None, "q1"), message("2", "1", "a-bad", 1), message("3", "1", "a-good", 0),
    message("4", "3", "q2"), message("5", "4", "a2"), message("6", "3", "q3"),
    message("7", "6", "a3"), message("8", "2", "q4"), message("9", "8", "a4-bad", 2),
    message("10", "8", "a4-good", 0), message("11", "8", "a4-fair", 1),
    message("12", "gone", "a-lost"),
]  # fmt: skip


def nested(name: str) -> dict[str, Any]:
    [own] = [one for one in TREE if one["message_id"] == name]
    replies = [nested(one["message_id"]) for one in TREE if one["parent_id"] == name]
    kept = {key: value for key, value in own.items() if key not in ("parent_id", "message_tree_id")}
    return {**kept, "replies": replies}


FORMS: dict[str, list[dict[str, Any]]] = {
    "flat": TREE,
    "nested": [{"message_tree_id": "T", "tree_state": "ready", "prompt": nested("1")}],
}


@pytest.mark.parametrize("form", FORMS)
def test_trees_are_conversations_along_the_best_answers(form: str, tmp_path: Path) -> None:
    prepared = written(tmp_path, {"oasst.jsonl": FORMS[form]})
    assert learned(prepared) == [
        "<|user|>q1<|assistant|>[a-good]<|user|>q2<|assistant|>[a2]",
        "<|user|>q1<|assistant|>a-good<|user|>q3<|assistant|>[a3]",
    ]
    said = notes(prepared)
    assert "train: 1 tree of messages read as 2 conversations along the best answers" in said
    lost = "; 1 message deleted, or without the one that is answered" * (form == "flat")
    assert f"train: not used: 4 other answers{lost}" in said


@pytest.mark.parametrize("form", FORMS)
def test_ranked_answers_of_trees_are_preferences(form: str, tmp_path: Path) -> None:
    prepared = written(tmp_path, {"oasst.jsonl": FORMS[form]}, "preference")
    table = prepared.raw.train.select(["chosen", "rejected"]).to_pylist()
    assert [(row["chosen"], row["rejected"]) for row in table] == [
        ("a-good", "a-bad"), ("a4-good", "a4-fair"), ("a4-good", "a4-bad"),
    ]  # fmt: skip
    pipeline: Any = prepared.task.pipeline
    tokenizer = pipeline.tokenizer(prepared.fitted.tokenizer)
    asked = tokenizer.decode(prepared.encoded().inputs["input_ids"][1], skip_special_tokens=True)
    assert asked.replace("\n", "").startswith("<|user|>q1<|assistant|>a-bad<|user|>q4<|assistant|>")


def test_conversations_of_one_tree_stay_in_one_split(tmp_path: Path) -> None:
    rows = [
        {**one, "message_id": f"{tree}-{one['message_id']}", "message_tree_id": f"T{tree}",
         "parent_id": one["parent_id"] and f"{tree}-{one['parent_id']}"}
        for tree in range(10) for one in TREE[:7]
    ]  # fmt: skip
    prepared = written(tmp_path, {"oasst.jsonl": rows})
    config = prepared.task.config
    data = config.data.model_copy(update={"validation_fraction": 0.3})
    raw = create_task(config.model_copy(update={"data": data})).pipeline.load()
    trees = {
        split: set(table["message_tree_id"].to_pylist()) for split, table in raw.splits.items()
    }
    assert trees["validation"]
    assert not trees["train"] & trees["validation"]
    assert sum(table.num_rows for table in raw.splits.values()) == 20


def test_trees_without_answers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="hold nothing to learn"):
        written(tmp_path, {"oasst.jsonl": TREE[:1]})


def test_calls_that_answer_a_question_are_calls_of_tools(tmp_path: Path) -> None:
    """xLAM writes calls and tools as JSON."""
    rows = [
        {"id": number, "query": f"q{number}",
         "answers": json.dumps([{"name": "f", "arguments": {"a": number}}] * (number + 1)),
         "tools": json.dumps([{"name": "f", "parameters": {"a": {"type": "int"}}}])}
        for number in range(2)
    ]  # fmt: skip
    prepared = written(tmp_path, {"xlam.jsonl": rows})
    assert prepared.fitted.context == {"tools": "tools"}

    def called(number: int) -> str:
        return f'<tool_call>{{"name": "f", "arguments": {{"a": {number}}}}}</tool_call>'

    assert learned(prepared) == [
        f"<|user|>q0<|assistant|>[{called(0)}]",
        f"<|user|>q1<|assistant|>[{called(1)}{called(1)}]",
    ]


def test_calls_of_glaive_are_turns(tmp_path: Path) -> None:
    chat = (
        'USER: q1\n\n\nASSISTANT: <functioncall> {"name": "f"} <|endoftext|>\n\n\n'
        'FUNCTION RESPONSE: {"x": 1}\n\n\nASSISTANT: It is 1. <|endoftext|>\n\n\n'
    )
    prepared = written(tmp_path, {"glaive.jsonl": [{"system": "SYSTEM: Be.", "chat": chat}] * 2})
    assert learned(prepared)[0] == (
        '<|system|>SYSTEM: Be.<|user|>q1<|assistant|>[<functioncall> {"name": "f"}]<|tool|>{"x": 1}'
        "<|assistant|>[It is 1.]"
    )


LISTS: dict[str, dict[str, Any]] = {
    "LIMA": {"conversations": ["q1", "a1", "q2", "a2"], "source": "x"},
    "UltraChat": {"id": "0", "data": ["q1", "a1", "q2", "a2"]},
    "XTuner": {"conversation": [{"system": "Be.", "input": "q1", "output": "a1"},
                                {"input": "q2", "output": "a2"}]},
    "Firefly": {"conversation": [{"human": "q1", "assistant": "a1"},
                                 {"human": "q2", "assistant": "a2"}]},
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_texts_and_pairs_in_turn_are_those_of_user_and_assistant(name: str, tmp_path: Path) -> None:
    prepared = written(tmp_path, {"rows.jsonl": [LISTS[name]] * 2})
    system = "<|system|>Be." * (name == "XTuner")
    talk = "<|user|>q1<|assistant|>[a1]<|user|>q2<|assistant|>[a2]"
    assert learned(prepared) == [system + talk] * 2
    said = "texts in lists are taken in turn from the user, who begins, and the assistant"
    assert (said in notes(prepared)) is (name in ("LIMA", "UltraChat"))


def test_a_list_of_texts_called_data_beside_a_text_is_no_conversation(tmp_path: Path) -> None:
    rows = [{"text": f"text {row}", "data": ["q", "a"]} for row in range(4)]
    prepared = written(tmp_path, {"rows.jsonl": rows})
    assert (prepared.fitted.form, prepared.fitted.columns) == ("text", ["text"])


SHAREGPT = [{"conversations": [{"from": "human", "value": "q1"}, {"from": "gpt", "value": "a1"}]}]
ALPACA = [{"instruction": "q2", "input": "more", "output": "a2", "system": "Be."}]
OPENAI = [{"messages": [{"role": "user", "content": "q3"}, {"role": "assistant", "content": "a3"}]}]
QUESTIONS = [{"question": "q4", "context": "about", "answer": "a4"}]
PROMPTS = [{"prompt": "q5", "output": "a5"}]


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        (
            [SHAREGPT, ALPACA, OPENAI],
            [
                "<|user|>q1<|assistant|>[a1]",
                "<|system|>Be.<|user|>q2more<|assistant|>[a2]",
                "<|user|>q3<|assistant|>[a3]",
            ],
        ),
        # Of the second file, an instruction was lost: its input alone was the prompt.
        ([PROMPTS, ALPACA, QUESTIONS], ["q5[a5]", "Be.q2more[a2]", "q4about[a4]"]),
    ],
)
def test_files_of_several_forms_are_each_read_by_their_own(
    sources: Sequence[list[dict[str, Any]]], found: list[str], tmp_path: Path
) -> None:
    files = {f"{number}.jsonl": rows * 2 for number, rows in enumerate(sources)}
    prepared = written(tmp_path, files)
    assert learned(prepared)[::2] == found
    assert not prepared.raw.skips
    assert sum(" read by " in why for why in notes(prepared)) == 2


def test_a_column_beside_the_completions_does_not_fill_their_gaps(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"prompt": "q", "response": "a", "answer": "b"},
            {"prompt": "r", "response": None, "answer": "b"}]  # fmt: skip
    prepared = written(tmp_path, {"rows.jsonl": rows})
    assert learned(prepared) == ["q[a]"]
    assert [skip.reason for skip in prepared.raw.skips] == ["response is empty"]


def test_chosen_columns_are_read_as_they_are(tmp_path: Path) -> None:
    prepared = written(tmp_path, {"a.jsonl": SHAREGPT * 2, "b.jsonl": OPENAI}, messages="messages")
    assert learned(prepared) == ["<|user|>q3<|assistant|>[a3]"]
