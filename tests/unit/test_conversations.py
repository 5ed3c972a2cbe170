"""Instructions and conversations give the same text in every format and under every usual name."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import Skip
from engine.errors import DataError
from engine.pipelines.causal_lm import CausalLmPipeline
from engine.reports.note import Note
from engine.text.chat.roles import by_role

MODEL = {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1}
END = "<|endoftext|>"
FORMATS = ["csv", "json", "jsonl", "parquet"]
ASK = {"role": "user", "content": "Q"}
REPLY = {"role": "assistant", "content": "A"}


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict | bool) else value


def _file(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, rows[0].keys())
            table.writeheader()
            table.writerows([{name: _cell(value) for name, value in row.items()} for row in rows])
    elif path.suffix == ".parquet":
        if "tool_calls" in json.dumps(rows) or "parts" in path.stem:
            # Parquet would give all calls the same arguments, and holds no mixed contents.
            rows = [{name: _cell(value) for name, value in row.items()} for row in rows]
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def _pipeline(path: Path, **further: Any) -> CausalLmPipeline:
    data = {"kind": "file", "path": str(path), "validation_fraction": 0.0, "test_fraction": 0.0,
            **further}  # fmt: skip
    config = {"task": {"kind": "causal_lm"}, "data": data, "model": MODEL}
    return CausalLmPipeline(RunConfig.parse(config))


def _notes(path: Path) -> tuple[Note, ...]:
    return _pipeline(path).load().notes


def _marked(path: Path) -> tuple[list[tuple[str, list[str]]], tuple[Skip, ...]]:
    """The text of each row with what is learned of it, and what was left out."""
    pipeline = _pipeline(path)
    raw = pipeline.load()
    fitted = pipeline.fit(raw)
    rows = by_role(raw.train, fitted.roles.by_name).to_pylist()
    texts = [one for row in rows for one in pipeline.prompts(fitted).marked(row)]
    return [(one.text, [one.text[a:b] for a, b in one.spans]) for one in texts], raw.skips


def _said(*turns: tuple[str, str]) -> str:
    return "".join(f"<|{role}|>\n{content}{END}\n" for role, content in turns)


def _call(**arguments: Any) -> dict[str, Any]:
    call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _called(arguments: str) -> str:
    return f'<tool_call>\n{{"name": "f", "arguments": {arguments}}}\n</tool_call>'


CALL, OTHER_CALL = _called('{"a": 1}'), _called('{"a": 2}')
CASES: dict[str, tuple[list[dict[str, Any]], list[tuple[str, list[str]]]]] = {
    "alpaca": (
        [
            {"instruction": "Add", "input": "1 2", "output": "3", "history": [["a", "b"]]},
            {"instruction": "Say", "input": "", "output": "0.50", "history": []},
        ],
        [(f"a\nb\nAdd\n1 2\n3{END}", ["3"]), (f"Say\n0.50{END}", ["0.50"])],
    ),
    "truth values": (
        [{"prompt": "Q", "completion": True}, {"prompt": "R", "completion": False}],
        [(f"Q\ntrue{END}", ["true"]), (f"R\nfalse{END}", ["false"])],
    ),
    "chosen and rejected": (
        [{"prompt": "Q", "chosen": "A", "rejected": "B"}],
        [(f"Q\nA{END}", ["A"])],
    ),
    "ShareGPT": (
        [
            {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "093"}]},
            {"conversations": [{"from": "User", "value": "Q"}, {"from": "chatgpt", "value": "A"}]},
        ],
        [
            (_said(("user", "Q"), ("assistant", "093")), [f"093{END}\n"]),
            (_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"]),
        ],
    ),
    "another name": (
        [{"id": i, "dialog": [ASK, REPLY]} for i in range(2)],
        [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2,
    ),
    "parts": (
        [
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}]}, REPLY]},
            {"messages": [ASK, REPLY]},
        ],
        [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2,
    ),
    "calls": (
        [
            {"messages": [ASK, _call(b=1, a=2), {"role": "tool", "content": "3"}, REPLY]},
            {"messages": [ASK, _call(a="x", c=[1]), {"role": "tool", "content": "4"}, REPLY]},
        ],
        [
            (
                _said(("user", "Q"), ("assistant", _called(arguments)), ("tool", result),
                      ("assistant", "A")),
                [f"{_called(arguments)}{END}\n", f"A{END}\n"],
            )
            for arguments, result in (('{"b": 1, "a": 2}', "3"), ('{"a": "x", "c": [1]}', "4"))
        ],
    ),
    "calls with other arguments": (
        [{"messages": [ASK, _call(b=1, a=2)]}, {"messages": [ASK, _call(a=3, c=4, b=5)]}],
        [
            (
                _said(("user", "Q"), ("assistant", _called(arguments))),
                [f"{_called(arguments)}{END}\n"],
            )
            for arguments in ('{"b": 1, "a": 2}', '{"a": 3, "c": 4, "b": 5}')
        ],
    ),
    "calls as ShareGPT has them": (
        [
            {
                "conversations": [
                    {"from": "human", "value": "Q"}, {"from": "function_call", "value": call},
                    {"from": "observation", "value": "3"}, {"from": "gpt", "value": "A"},
                ]
            }
            for call in ('{"name": "f", "arguments": {"a": 1}}', "f(1)")
        ],
        [
            (
                _said(("user", "Q"), ("assistant", call), ("tool", "3"), ("assistant", "A")),
                [f"{call}{END}\n", f"A{END}\n"],
            )
            for call in (CALL, "f(1)")
        ],
    ),
    "parts of Anthropic": (
        [
            {
                "system": [{"type": "text", "text": "S"}],
                "messages": [
                    ASK,
                    {"role": "assistant", "content": [
                        {"type": "text", "text": "B"},
                        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
                    ]},
                    {"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "1",
                         "content": [{"type": "text", "text": "3"}]},
                        {"type": "text", "text": "C"},
                    ]},
                    {"role": "assistant", "content": [{"type": "text", "text": "A"}]},
                ],
            }
        ] * 2,
        [
            (
                _said(("system", "S"), ("user", "Q"), ("assistant", f"B\n{CALL}"),
                      ("tool", "3"), ("user", "C"), ("assistant", "A")),
                [f"B\n{CALL}{END}\n", f"A{END}\n"],
            )
        ] * 2,
    ),
    "parts of Gemini": (
        [
            {
                "systemInstruction": {"role": "system", "parts": [{"text": "S"}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "Q"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
                    {"role": "user", "parts": [
                        {"functionResponse": {"name": "f", "response": {"r": [3]}}}
                    ]},
                    {"role": "model", "parts": [{"text": "A"}]},
                ],
            }
        ] * 2,
        [
            (
                _said(("system", "S"), ("user", "Q"), ("assistant", CALL),
                      ("tool", '{"r": [3]}'), ("assistant", "A")),
                [f"{CALL}{END}\n", f"A{END}\n"],
            )
        ] * 2,
    ),
    "records of OpenAI": (
        [
            {
                "messages": [
                    ASK,
                    {"role": "assistant",
                     "function_call": {"name": "f", "arguments": '{"a": 1}'}, "weight": 0},
                    {"role": "function", "name": "f", "content": "3"},
                    REPLY,
                ],
                "functions": [{"name": "f", "parameters": {"type": "object"}}],
                "parallel_tool_calls": False,
            }
        ] * 2,
        [
            (
                _said(("user", "Q"), ("assistant", CALL), ("tool", "3"),
                      ("assistant", "A")),
                [f"A{END}\n"],
            )
        ] * 2,
    ),
    "transcripts": (
        [{"text": "\n\nHuman: Q\n\nAssistant: B: 1\n\nHuman: Q\n\nAssistant: A"}] * 2,
        [
            (
                _said(("user", "Q"), ("assistant", "B: 1"), ("user", "Q"), ("assistant", "A")),
                [f"B: 1{END}\n", f"A{END}\n"],
            )
        ] * 2,
    ),
    "transcripts of OpenAssistant": (
        [{"text": "### Human: Q### Assistant: A"}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2,
    ),
    "transcripts of which one is preferred": (
        [{"rejected": "Human: Q\n\nAssistant: B", "chosen": "Human: Q\n\nAssistant: A"}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2,
    ),
    "transcripts to answer": (
        [{"prompt": "\n\nHuman: Q\n\nAssistant:", "completion": " A"}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2,
    ),
    "weights": (
        [{"messages": [ASK, REPLY | {"weight": 0}, ASK, REPLY | {"weight": 1}]}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")) * 2, [f"A{END}\n"])] * 2,
    ),
    "flags as texts": (
        [{"messages": [ASK, REPLY | {"train": "false"}, ASK, REPLY | {"train": "True"}]}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")) * 2, [f"A{END}\n"])] * 2,
    ),
    "flags of ms-swift": (
        [{"messages": [ASK, REPLY | {"loss": False}, ASK, REPLY | {"loss": True}]}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")) * 2, [f"A{END}\n"])] * 2,
    ),
    "calls of ms-swift": (
        [
            {
                "messages": [
                    ASK, {"role": "assistant", "content": "B"},
                    {"role": "tool_call", "content": '{"name": "f", "arguments": {"a": 1}}'},
                    {"role": "tool_call", "content": '{"name": "f", "arguments": {"a": 2}}'},
                    {"role": "tool_response", "content": '{"r": 3}'}, REPLY,
                ]
            }
        ] * 2,
        [
            (
                _said(("user", "Q"), ("assistant", f"B\n{CALL}\n{OTHER_CALL}"),
                      ("tool", '{"r": 3}'), ("assistant", "A")),
                [f"B\n{CALL}\n{OTHER_CALL}{END}\n", f"A{END}\n"],
            )
        ] * 2,
    ),
    "a question and its answer in an object": (
        [
            {"conversation": [{"human": "Q", "assistant": "A"}, {"human": "R", "assistant": "B"}],
             "system": "S"}
        ] * 2,
        [
            (
                _said(("system", "S"), ("user", "Q"), ("assistant", "A"), ("user", "R"),
                      ("assistant", "B")),
                [f"A{END}\n", f"B{END}\n"],
            )
        ] * 2,
    ),
    "a key that all turns lack": (
        [{"messages": [ASK | {"name": None}, REPLY | {"name": None}]}] * 2,
        [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2,
    ),
    "objects in parts that tools return": (
        [
            {
                "messages": [
                    ASK,
                    {"role": "tool", "content": {"r": 3, "none": None}},
                    {"role": "tool", "content": [{"r": 4}, {"r": 5}]},
                    REPLY,
                ]
            }
        ] * 2,
        [
            (
                _said(("user", "Q"), ("tool", '{"r": 3}'), ("tool", '[{"r": 4}, {"r": 5}]'),
                      ("assistant", "A")),
                [f"A{END}\n"],
            )
        ] * 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_every_format_gives_the_same_text(tmp_path: Path, case: str, suffix: str) -> None:
    rows, expected = CASES[case]
    marked, skips = _marked(_file(tmp_path / f"{case}.{suffix}", rows))
    assert marked == expected
    assert not skips


@pytest.mark.parametrize("suffix", FORMATS)
def test_conversations_without_an_answer_are_left_out_and_counted(
    tmp_path: Path, suffix: str
) -> None:
    rows = [
        {"messages": [ASK, REPLY | {"content": ""}]},
        {"messages": [ASK, REPLY]},
        {"messages": [ASK]},
        {"messages": None},
        {"messages": [ASK, REPLY | {"weight": 0}]},
    ]
    marked, skips = _marked(_file(tmp_path / f"a.{suffix}", rows))
    assert marked == [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])]
    assert {(skip.reason, skip.count) for skip in skips} == {
        ("an answer is empty", 1), ("there is no answer", 2), ("the conversation is empty", 1)
    }  # fmt: skip


def test_roles_may_have_blanks_and_truth_values_are_said_as_in_json(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": " User", "content": "Q"}, REPLY | {"content": True}]}]
    marked, _ = _marked(_file(tmp_path / "a.jsonl", rows))
    assert marked == [(_said(("user", "Q"), ("assistant", "true")), [f"true{END}\n"])]


def test_lists_of_texts_are_no_conversations(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "completion": ["A"]}, {"prompt": "Q", "completion": ["A", "B"]}]
    with pytest.raises(DataError, match="a list of texts in place of one text"):
        _marked(_file(tmp_path / "a.jsonl", rows))


def test_a_text_among_lists_of_turns_is_a_turn(tmp_path: Path) -> None:
    rows = [{"prompt": [ASK], "completion": "A"}, {"prompt": "Q", "completion": [REPLY]}]
    marked, _ = _marked(_file(tmp_path / "a.jsonl", rows))
    assert marked == [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2


def test_weights_between_0_and_1_are_told(tmp_path: Path) -> None:
    weighed = [{"messages": [ASK, REPLY | {"weight": weight}]} for weight in (1.0, 0.5, 0.25)]
    assert [(note.rows, note.kind) for note in _notes(_file(tmp_path / "a.jsonl", weighed))] == [
        (2, "doubt")
    ]


def test_bytes_are_not_learned_as_their_notation(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["p"] * 3, "completion": [b"\xff", b"\xfe", b"A"]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="completion is bytes"):
        _marked(tmp_path / "a.parquet")


def test_conversations_in_the_notation_of_python_are_read(tmp_path: Path) -> None:
    turns = [ASK | {"content": "it's"}, REPLY]
    marked, _ = _marked(_file(tmp_path / "a.csv", [{"messages": str(turns)}] * 2))
    assert marked == [(_said(("user", "it's"), ("assistant", "A")), [f"A{END}\n"])] * 2


def test_a_first_row_without_turns_makes_no_texts_of_the_others(tmp_path: Path) -> None:
    rows = [{"id": 1, "messages": []}, {"id": 2, "messages": [ASK, REPLY]}]
    marked, skips = _marked(_file(tmp_path / "a.csv", rows))
    assert marked == [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])]
    assert len(skips) == 1


def test_a_question_that_is_in_the_answer_too_stands_once(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "chosen": [ASK, REPLY]}] * 2
    marked, _ = _marked(_file(tmp_path / "a.jsonl", rows))
    assert marked == [(_said(("user", "Q"), ("assistant", "A")), [f"A{END}\n"])] * 2


def test_instructions_before_a_question_that_is_in_the_answer_too_stand_first(
    tmp_path: Path,
) -> None:
    system = {"role": "system", "content": "S"}
    rows = [{"prompt": "Q ", "chosen": [system, ASK, REPLY]}] * 2
    marked, _ = _marked(_file(tmp_path / "a.jsonl", rows))
    said = _said(("system", "S"), ("user", "Q"), ("assistant", "A"))
    assert marked == [(said, [f"A{END}\n"])] * 2


def test_a_part_that_is_no_text_leaves_its_row_out(tmp_path: Path) -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "x"}}
    text = {"type": "text", "text": "Q"}
    rows = [
        {"messages": [{"role": "user", "content": [text]}, REPLY]},
        {"messages": [{"role": "user", "content": [image, text]}, REPLY]},
        {"messages": [
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": [image]}]},
            REPLY,
        ]},
    ]  # fmt: skip
    marked, skips = _marked(_file(tmp_path / "a.jsonl", rows))
    assert len(marked) == 1
    assert [(skip.reason, skip.count) for skip in skips] == [
        ("a part of a turn is not text but image", 2)
    ]


def test_transcripts_are_told_and_may_stay_texts(tmp_path: Path) -> None:
    rows = [{"text": "\n\nHuman: Q\n\nAssistant: A"}] * 40
    path = _file(tmp_path / "a.jsonl", rows)
    [note] = _summary(path).notes
    assert (note.column, note.read_as, note.change) == (
        "text", "conversations", "task.chat_template"
    )  # fmt: skip
    kept = _summary(path, chat_template="none", max_length=8)
    assert kept.facts["rows"] == "documents"
    assert not kept.notes


def test_a_transcript_among_other_texts_is_a_text(tmp_path: Path) -> None:
    texts = ["\n\nHuman: Q\n\nAssistant: A", *(f"{count} words of no dialogue" for count in "123")]
    summary = _summary(
        _file(tmp_path / "a.jsonl", [{"text": text} for text in texts]), max_length=8
    )
    assert summary.facts["rows"] == "documents"


def _summary(path: Path, **task: Any) -> Any:
    data = {"kind": "file", "path": str(path), "validation_fraction": 0.0, "test_fraction": 0.0}
    config = {"task": {"kind": "causal_lm", **task}, "data": data, "model": MODEL}
    pipeline = CausalLmPipeline(RunConfig.parse(config))
    raw = pipeline.load()
    return pipeline.summarize(raw, pipeline.fit(raw))


def test_the_preview_shows_what_is_learned_of_the_first_rows(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "completion": "A"}]
    path = _file(tmp_path / "pairs.jsonl", rows)
    assert _summary(path).samples == ((("Q\n", False), (f"A{END}", True)),)
    chat = _summary(path, chat_template="chatml")
    asked = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"
    assert chat.samples == (((asked, False), ("A<|im_end|>\n", True)),)
    assert chat.facts["chat template"] == "chatml"
    whole = _summary(path, completions_only=False).samples
    assert whole == (((f"Q\nA{END}", True),),)


def test_the_preview_shows_what_packing_makes_of_the_rows(tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "completion": "A" * (number + 1)} for number in range(20)]
    path = _file(tmp_path / "pairs.jsonl", rows)
    facts = _summary(path, max_length=8, packing="on").facts
    tokens = _summary(path, max_length=8).facts["tokens"]  # of a new tokenizer, cut at 8
    assert facts["tokens"] == tokens
    assert re.fullmatch(
        r"the tokens of 20 samples fill \d+ rows of 8; a batch is one row of about \d+ tokens",
        facts["packing"],
    )
    assert "packing" not in _summary(path, packing="off").facts


def test_conversations_that_end_with_a_question_are_told(tmp_path: Path) -> None:
    rows = [{"messages": [ASK, REPLY]}, {"messages": [ASK, REPLY, ASK]}]
    summary = _summary(_file(tmp_path / "chat.jsonl", rows))
    assert [note.why for note in summary.notes] == [
        "train: 1 conversation (the first is row 2) without an answer at the end: the turns behind "
        "the last answer are not used"
    ]
    assert len(set(summary.samples)) == 1


def test_turns_of_unknown_roles_leave_a_row_out(tmp_path: Path) -> None:
    rows = [{"messages": [ASK, REPLY]}, {"messages": [{"role": "narrator", "content": "x"}, REPLY]}]
    [skip] = _summary(_file(tmp_path / "chat.jsonl", rows)).skips
    assert (skip["reason"], skip["count"]) == ("a turn has the unknown role 'narrator'", 1)


def test_an_answer_that_is_not_learned_is_not_joined_with_its_calls(tmp_path: Path) -> None:
    turns = [ASK, REPLY | {"loss": False}, _call(a=1)]
    marked, _ = _marked(_file(tmp_path / "a.jsonl", [{"messages": turns}]))
    said = _said(("user", "Q"), ("assistant", "A"), ("assistant", CALL))
    assert marked == [(said, [f"{CALL}{END}\n"])]


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([ASK, REPLY | {"train_detail": [{"begin_offset": 0, "end_offset": 0, "train": False}]}],
         "with an answer of which only parts are to be learned (train_detail): it is learned "
         "whole"),
        ([ASK | {"train": True}, REPLY | {"train": True}],
         "with a flag to learn a turn of another role: only answers are learned"),
    ],
)  # fmt: skip
def test_what_axolotl_learns_besides_answers_is_told(
    turns: list[dict[str, Any]], why: str, tmp_path: Path
) -> None:
    [note] = _notes(_file(tmp_path / "a.jsonl", [{"messages": [ASK, REPLY]}, {"messages": turns}]))
    assert note.why == f"train: 1 conversation (the first is row 2) {why}"


@pytest.mark.parametrize("pairs", [False, True])
def test_rows_with_images_are_left_out_and_counted(pairs: bool, tmp_path: Path) -> None:
    row = {"instruction": "Q", "output": "A"} if pairs else {"messages": [ASK, REPLY]}
    images = [["a.jpg"], [], None]
    path = _file(tmp_path / "a.jsonl", [row | {"images": given} for given in images])
    [skip] = _summary(path).skips
    assert (skip["reason"], skip["count"]) == (
        "it has images, which the model is not given; data.columns.images=ignored learns the texts "
        "alone",
        1,
    )
    kept = _pipeline(path, columns={"images": "ignored"}).load()
    assert (kept.train.num_rows, kept.skips) == (3, ())


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ({"conv": [{"speaker": "user", "utterance": "Q"}]}, "objects with speaker and utterance"),
        ({"segments": [{"label": "PER", "text": "Q"}]}, "objects with label and text"),
        ({"id": "a", "parts": ["Q", "A"]}, "texts"),
    ],
)
def test_lists_that_are_no_turns_are_not_passed_over_for_an_identifier(
    rows: dict[str, Any], what: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"has lists of {what}, not turns of a conversation"):
        _pipeline(_file(tmp_path / "a.jsonl", [rows])).load()


def test_keys_of_turns_that_are_not_known_are_named(tmp_path: Path) -> None:
    rows = [{"messages": [{"speaker": "user", "utterance": "Q"}]}]
    with pytest.raises(DataError, match="no role or content, but speaker and utterance"):
        _pipeline(_file(tmp_path / "a.jsonl", rows)).load()
