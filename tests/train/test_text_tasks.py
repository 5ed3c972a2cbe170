"""The tasks on text end to end: train, export, predict, fine-tune a finished run."""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from seqeval.metrics import f1_score
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.data.raw import TEST
from engine.errors import DataError
from engine.metrics.text.squad import exact_match
from engine.pipelines.create import create_pipeline
from engine.runs.directory import RunDirectory
from engine.runs.events import Data, Event, Samples, decode
from engine.service import predict
from engine.tasks.create import create_task

CPU = torch.device("cpu")
TINY = {"kind": "transformer", "hidden_size": 32, "vocab_size": 300, "num_hidden_layers": 1}
GOOD, BAD, OTHER = ("good", "fine", "superb"), ("bad", "poor", "awful"), ("film", "plot", "cast")


def run_of(**sections: Any) -> RunDirectory:
    sections["train"] = {"batch_size": 32, "learning_rate": 3e-3} | sections.get("train", {})
    sections["compute"] = {"threads": 1}
    return train(RunConfig.parse({"model": TINY} | sections))


def events_of(run: RunDirectory, kind: type[Event]) -> list[Any]:
    decoded = map(decode, run.events.path.read_bytes().splitlines())
    return [event for event in decoded if isinstance(event, kind)]


def predictions(run: RunDirectory, table: pa.Table) -> list[dict[str, Any]]:
    task, fitted, network = load_exported(run.model, CPU)
    source = task.encode(table, fitted, CPU, lambda event: None)
    with torch.inference_mode():
        batches = source.read(source.plan(7))
        return [record for batch in batches for record in task.predict(network, batch, fitted)]


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """300 reviews whose label depends on one word, and some unusable rows."""
    made = random.Random(0)
    path = tmp_path / "reviews.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "verdict"])
        for _ in range(300):
            label, words = made.choice([("positive", GOOD), ("negative", BAD)])
            text = [*made.choices(OTHER, k=made.randint(1, 20)), made.choice(words)]
            made.shuffle(text)
            rows.writerow([" ".join(text), label])
        rows.writerows([["", "positive"], ["a film", ""]])
    return path


def review_run(path: Path, **model: Any) -> RunDirectory:
    return run_of(
        task={"kind": "text_classification", "label": "verdict"},
        data={"kind": "file", "path": str(path)},
        model=TINY | model,
        train={"epochs": 8},
    )


def test_a_classifier_learns_and_is_a_folder_that_transformers_loads(reviews: Path) -> None:
    run = review_run(reviews)
    report = run.report.read() or {}
    assert report["metrics"]["test"]["accuracy"] > 0.9
    assert {view["title"] for view in report["views"]} >= {"Worst mistakes", "Confusion matrix"}
    assert report["baseline"]["metrics"]["accuracy"] > 0.9
    assert report["verdict"]["metric"] == "accuracy"  # though texts are read by their length

    texts = ["plot cast superb film film", "awful cast film", "film plot cast poor plot"]
    records = predictions(run, pa.table({"review": texts}))
    assert [record["label"] for record in records] == ["positive", "negative", "negative"]

    network = AutoModelForSequenceClassification.from_pretrained(run.model)
    tokenizer = AutoTokenizer.from_pretrained(run.model)
    assert network.config.id2label == {0: "negative", 1: "positive"}
    with torch.inference_mode():
        inputs = tokenizer(texts, padding=True, return_tensors="pt")
        theirs = network(**inputs).logits.softmax(1).max(1).values
    assert [record["score"] for record in records] == pytest.approx(theirs.tolist(), abs=1e-5)


def test_what_is_known_of_texts_is_reported_with_the_rows_left_out(reviews: Path) -> None:
    run = review_run(reviews)
    summary = events_of(run, Data)[0].summary
    roles = {column["name"]: column["role"] for column in summary["columns"]}
    assert roles == {"review": "text", "verdict": "label"}
    assert sum(summary["classes"].values()) == summary["rows"]["train"]
    assert {"tokens", "length histogram"} <= set(summary["facts"])
    reasons = {skip["reason"]: skip["count"] for skip in summary["skips"]}
    assert reasons == {"review is empty": 1, "verdict is empty": 1}
    shown = events_of(run, Samples)[0].items[0]
    assert set(shown) == {"text", "predicted", "label"}
    assert re.fullmatch(r"(positive|negative) \(\d+%\)", shown["predicted"])


def test_a_finished_run_is_a_model_to_begin_with(reviews: Path) -> None:
    first = review_run(reviews)
    config = {
        "task": {"kind": "text_classification", "label": "verdict"},
        "data": {"kind": "file", "path": str(reviews)},
        "train": {"max_steps": 1, "learning_rate": 1e-9},
    }
    by_name = run_of(**config, model={"kind": "transformer", "path": first.id})
    by_folder = run_of(**config, model={"kind": "transformer", "path": str(first.path)})
    for run in (by_name, by_folder):
        report = run.report.read() or {}
        assert report["metrics"]["test"]["accuracy"] > 0.9


def test_a_text_can_have_several_labels(tmp_path: Path) -> None:
    made = random.Random(0)
    topics = {"money": "bank", "sport": "match", "weather": "rain"}
    path = tmp_path / "topics.jsonl"
    with path.open("w") as file:
        for _ in range(400):
            labels = [topic for topic in topics if made.random() < 0.4]
            words = [*(topics[topic] for topic in labels), *made.choices(OTHER, k=4)]
            made.shuffle(words)
            file.write(json.dumps({"text": " ".join(words), "topics": labels}) + "\n")
    run = run_of(
        task={"kind": "text_classification", "label": "topics"},
        data={"kind": "file", "path": str(path)},
        train={"epochs": 20},
    )
    report = run.report.read() or {}
    metrics = report["metrics"]["test"]
    assert report["baseline"]["metrics"]["f1_micro"] > 0.9
    assert report["verdict"]["metric"] == "samples whose labels are all right"
    low, high = report["intervals"]["test"]["f1_micro"]
    assert low <= metrics["f1_micro"] <= high
    assert metrics["f1_micro"] > 0.9
    assert metrics["f1"] > 0.9
    records = predictions(run, pa.table({"text": ["film rain match plot cast", "plot film cast"]}))
    assert [sorted(record["labels"]) for record in records] == [["sport", "weather"], []]


def test_entities_are_found_and_counted_as_seqeval_does() -> None:
    run = run_of(
        task={"kind": "token_classification"},
        data={"kind": "builtin", "name": "entities"},
        model=TINY | {"vocab_size": 1000},
        train={"epochs": 4},
    )
    task, _, _ = load_exported(run.model, CPU)
    rows = task.pipeline.load().splits[TEST]
    records = predictions(run, rows)
    theirs = f1_score(rows["tags"].to_pylist(), [record["tags"] for record in records])
    report = run.report.read() or {}
    assert report["metrics"]["test"]["f1"] == pytest.approx(theirs)
    assert theirs > 0.5
    network = AutoModelForTokenClassification.from_pretrained(run.model)
    assert set(network.config.label2id) >= {"O", "B-place", "I-person"}

    typed = predictions(
        run, pa.table({"tokens": ["Nobody in Quinton had heard of Marena Pelgate before."]})
    )[0]
    assert typed["tokens"][-2:] == ["before", "."]
    assert "Quinton" in [entity["text"] for entity in typed["entities"]]


def test_questions_are_answered_from_their_texts() -> None:
    config = {
        "task": {"kind": "question_answering", "max_length": 96, "doc_stride": 16},
        "data": {"kind": "builtin", "name": "questions"},
        "model": TINY | {"vocab_size": 1000},
    }
    untrained = run_of(**config, train={"max_steps": 1, "learning_rate": 1e-9})
    run = run_of(**config, train={"epochs": 15})
    before = (untrained.report.read() or {})["metrics"]["test"]
    after = (run.report.read() or {})["metrics"]["test"]
    assert after["f1"] > before["f1"] + 0.1

    task, _, _ = load_exported(run.model, CPU)
    rows = task.pipeline.load().splits[TEST]
    records = predictions(run, rows)
    for record, context in zip(records, rows["context"].to_pylist(), strict=True):
        assert context[record["start"] : record["end"]] == record["answer"]
    references = [answers["text"] for answers in rows["answers"].to_pylist()]
    matches = [
        exact_match(record["answer"], texts)
        for record, texts in zip(records, references, strict=True)
    ]
    assert after["exact_match"] == pytest.approx(sum(matches) / len(matches))
    assert AutoModelForQuestionAnswering.from_pretrained(run.model).config.vocab_size <= 1000


def test_a_text_stays_in_one_split(real_data: Path) -> None:
    config = RunConfig.parse({
        "task": {"kind": "question_answering"},
        "data": {"kind": "file", "path": str(real_data / "xquad.en.json")},
        "model": TINY,
    })  # fmt: skip
    splits = create_pipeline(config).load().splits
    contexts = [set(table["context"].to_pylist()) for table in splits.values()]
    assert sum(map(len, contexts)) == len(set.union(*contexts)) == 240


@pytest.mark.parametrize(("labels", "refused"), [(300, True), (30, True), (12, False), (80, False)])
def test_a_label_of_its_own_for_each_text_is_refused(
    labels: int, refused: bool, tmp_path: Path
) -> None:
    """More than 20 classes need two training rows each on average."""
    count = 300 if labels == 80 else labels
    path = tmp_path / "own.csv"
    path.write_text("text,label\n" + "".join(f"text {i},id-{i % labels}\n" for i in range(count)))
    config = RunConfig.parse({
        "task": {"kind": "text_classification", "label": "label"},
        "data": {"kind": "file", "path": str(path)}, "model": TINY,
    })  # fmt: skip
    task = create_task(config)
    if not refused:
        assert len(task.pipeline.fit(task.pipeline.load()).classes) <= labels
        return
    with pytest.raises(DataError, match=r"'label' has \d+ different values in \d+ training rows"):
        task.pipeline.fit(task.pipeline.load())


def test_data_without_classes_is_refused_with_the_field(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"some text {i},same\n" for i in range(20)))
    config = RunConfig.parse({
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(path)},
        "model": TINY,
    })  # fmt: skip
    task = create_task(config)
    with pytest.raises(DataError, match=r"only one class\. Set task\.label"):
        task.pipeline.fit(task.pipeline.load())


@pytest.mark.parametrize("numbers", [("1", "1", "2", "2", "2"), ("s1", "", "s2", "", "")])
def test_a_file_with_one_word_a_row_is_predicted_by_sentences(
    tmp_path: Path, numbers: tuple[str, ...]
) -> None:
    rows = "".join(f"{i // 2},Ann,B-PER\n{i // 2},left,O\n" for i in range(40))
    (tmp_path / "train.csv").write_text(f"sentence_id,word,tag\n{rows}")
    run = run_of(
        task={"kind": "token_classification"},
        data={"kind": "file", "path": str(tmp_path / "train.csv")},
        train={"epochs": 1},
    )
    words = ["Ann", "left", "Bo", "saw", "NA"]
    later = "".join(f"{number},{word}\n" for number, word in zip(numbers, words, strict=True))
    (tmp_path / "new.csv").write_text(f"sentence_id,word\n{later}")
    records = predict.answer(run.id, file=str(tmp_path / "new.csv"))["records"]
    assert [record["tokens"] for record in records] == [["Ann", "left"], ["Bo", "saw", "NA"]]
