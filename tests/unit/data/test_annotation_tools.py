"""Files as annotation tools write them: what is marked becomes classes or spans."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.data.readers.base import read_file
from engine.data.readers.reading import Reading, ReadOptions
from engine.pipelines.create import create_pipeline

MODEL = {"kind": "transformer", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}


def read(folder: Path, content: Any) -> Reading:
    path = folder / "tasks.json"
    path.write_text(json.dumps(content))
    return read_file(path, ReadOptions())


def load(path: Path, kind: str) -> RawData:
    values = {"task": {"kind": kind}, "model": MODEL, "data": {"kind": "file", "path": str(path)}}
    raw: RawData = create_pipeline(RunConfig.parse(values)).load()
    return raw


def span(text: str, words: str, label: str, shift: int = 0) -> dict[str, Any]:
    start = text.index(words) + shift
    value = {"start": start, "end": start + len(words), "text": words, "labels": [label]}
    return {"from_name": "entities", "to_name": "text", "type": "labels", "value": value}


def task(text: str, *results: list[dict[str, Any]], **marks: Any) -> dict[str, Any]:
    return {"data": {"text": text}, "annotations": [{"result": one} | marks for one in results]}


def test_spans_of_label_studio_are_read_from_its_tasks(tmp_path: Path) -> None:
    text = "Anna lives in New York"
    marked = [span(text, "New York", "place"), span(text, "Anna", "person")]
    reading = read(tmp_path, [task(text, marked), task("Nobody", []), task("Not yet")])
    rows = reading.table["label"].to_pylist()
    assert [(one["start"], one["end"], one["label"]) for one in rows[0]] == [
        (14, 22, "place"), (0, 4, "person"),
    ]  # fmt: skip
    assert rows[1:] == [[], None]
    [note] = reading.notes
    assert note.why.endswith("has the tasks of Label Studio; 1 have no annotation")


def test_the_approved_annotation_is_taken_and_a_cancelled_one_is_not(tmp_path: Path) -> None:
    def choice(name: str, **marks: Any) -> dict[str, Any]:
        return {"result": [{"from_name": "tone", "value": {"choices": [name]}}]} | marks

    tasks = [
        {"data": {"text": "a"}, "annotations": [choice("good"), choice("bad", ground_truth=True)]},
        {"data": {"text": "b"}, "annotations": [choice("bad", was_cancelled=True)]},
        {"data": {"text": "c"}, "annotations": [choice("good")]},
    ]
    reading = read(tmp_path, tasks)
    assert reading.table["label"].to_pylist() == ["bad", None, "good"]
    assert "(1), the one that is marked as ground truth is taken" in reading.notes[0].why


def test_several_choices_of_a_task_are_lists_of_labels(tmp_path: Path) -> None:
    def chosen(*names: str) -> dict[str, Any]:
        return task("text", [{"from_name": "tone", "value": {"choices": list(names)}}])

    assert read(tmp_path, [chosen("a", "b"), chosen("b")]).table["label"].to_pylist() == [
        ["a", "b"], ["b"],
    ]  # fmt: skip


def test_pairs_of_spacy_are_texts_with_spans(tmp_path: Path) -> None:
    pairs = [["Anna sings", {"entities": [[0, 4, "person"]]}], ["rain", {"entities": []}]]
    for content in (pairs, {"classes": ["person"], "annotations": [*pairs, None]}):
        rows = read(tmp_path, content).table.to_pylist()
        assert rows[0]["text"] == "Anna sings"
        assert rows[0]["entities"] == [{"start": 0, "end": 4, "label": "person"}]
        assert len(rows) == 2


@pytest.mark.parametrize("emoji", ["", "\N{GRINNING FACE} "])
def test_places_in_units_of_utf_16_are_made_characters(tmp_path: Path, emoji: str) -> None:
    text = f"{emoji}Anna lives in Rome"
    shift = len(emoji.encode("utf-16-le")) // 2 - len(emoji)  # as a browser counts
    marked = [span(text, "Rome", "place", shift), span(text, "Anna", "person", shift)]
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([task(text, marked)] * 20))
    raw = load(path, "token_classification")
    [row] = {tuple(zip(r["text"], r["label"], strict=True)) for r in raw.train.to_pylist()}
    tagged = dict(row)
    assert (tagged["Anna"], tagged["Rome"], tagged["in"]) == ("B-person", "B-place", "O")
    assert any("count units of UTF-16" in note.why for note in raw.notes) == bool(emoji)


def test_spans_that_end_with_their_last_character_end_behind_it(tmp_path: Path) -> None:
    def entity(start: int, end: int, text: str, label: str) -> dict[str, Any]:
        return {"start": start, "end": end, "text": text, "label": label}

    marked = [entity(0, 3, "Anna", "person"), entity(14, 17, "Rome", "place")]
    row = {"text": "Anna lives in Rome", "entities": marked}
    wrong = {"text": "Anna lives in Rome", "entities": [entity(5, 9, "leaves", "place")]}
    path = tmp_path / "spans.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [*[row] * 19, wrong]))
    raw = load(path, "token_classification")
    tagged = dict(zip(*raw.train.select(["text", "entities"]).to_pylist()[0].values(), strict=True))
    assert tagged == {"Anna": "B-person", "lives": "O", "in": "O", "Rome": "B-place"}
    whys = [note.why for note in raw.notes]
    assert any("end with their last character" in why for why in whys)
    assert "train: 1 span whose text is not at its place" in whys


def test_spans_that_are_not_at_their_place_are_counted(tmp_path: Path) -> None:
    text = "Anna lives in Rome"
    tasks = [task(text, [span(text, "Rome", "place")])] * 19
    wrong = span(text, "lives", "place") | {"type": "labels"}
    wrong["value"] = wrong["value"] | {"text": "Paris"}
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([*tasks, task(text, [wrong])]))
    [note] = [n for n in load(path, "token_classification").notes if "not at its place" in n.why]
    assert (note.why, note.rows) == ("train: 1 span whose text is not at its place", 1)


def prodigy(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row | {"_input_hash": 1}) + "\n" for row in rows))


def test_rejected_rows_of_prodigy_are_left_out_and_counted(tmp_path: Path) -> None:
    spans = [{"start": 0, "end": 4, "label": "person"}]
    rows = [{"text": "Anna sings", "spans": spans, "answer": "accept"}] * 20
    rows += [{"text": "rain", "spans": spans, "answer": "reject"}] * 2
    prodigy(tmp_path / "a.jsonl", rows)
    raw = load(tmp_path / "a.jsonl", "token_classification")
    assert sum(table.num_rows for table in raw.splits.values()) == 20
    [skip] = raw.skips
    assert (skip.reason, skip.count) == ("its annotator answered reject", 2)


def test_choices_of_prodigy_are_the_classes(tmp_path: Path) -> None:
    options = [{"id": name, "text": name} for name in ("good", "bad")]
    rows = [
        {"text": f"text {i}", "options": options, "answer": "accept",
         "accept": ["good" if i % 2 else "bad"]}
        for i in range(20)
    ]  # fmt: skip
    prodigy(tmp_path / "a.jsonl", rows)
    raw = load(tmp_path / "a.jsonl", "text_classification")
    assert set(raw.train["label"].to_pylist()) == {"good", "bad"}


def test_a_column_called_answer_of_other_data_is_kept(tmp_path: Path) -> None:
    rows = [{"text": f"a {i}", "answer": ("accept", "reject")[i % 2]} for i in range(20)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = load(tmp_path / "a.jsonl", "text_classification")
    assert sum(table.num_rows for table in raw.splits.values()) == 20
