"""Classes of texts that are no column of their own: folders of documents, columns of flags."""

from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.errors import DataError
from engine.pipelines.create import create_pipeline
from engine.reports.data_summary import DataSummary

MODEL = {"kind": "transformer", "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}


def pipeline(path: Path, **task: Any) -> Any:
    return create_pipeline(RunConfig.parse({
        "task": {"kind": "text_classification"} | task, "model": MODEL,
        "data": {"kind": "file", "path": str(path)},
    }))  # fmt: skip


def summary(path: Path, **task: Any) -> DataSummary:
    data = pipeline(path, **task)
    raw = data.load()
    found: DataSummary = data.summary(raw, data.fit(raw))
    return found


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_folders_of_documents_are_their_classes(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("test", 3)):
        for number in range(count):
            write(tmp_path / split / "pos" / f"{number}_9.txt", f"good\nfilm {number}\n")
            write(tmp_path / split / "neg" / f"{number}_1.txt", f"dull {number}")
    write(tmp_path / "train" / "unsup" / "0_0.txt", "of any class")
    write(tmp_path / "train" / "unsup" / "1_0.txt", "of any class as well")
    raw = pipeline(tmp_path).load()
    assert raw.splits["test"].num_rows == 6
    rows = {row["text"]: row["label"] for row in raw.splits["test"].to_pylist()}
    assert rows["good\nfilm 2"] == "pos"  # a text of two lines is one row
    assert rows["dull 2"] == "neg"
    [skip] = raw.skips
    assert (skip.reason, skip.count) == ("label is empty", 2)
    [note] = [note for note in raw.notes if note.column == "label"]
    assert "its folder names the class" in note.why
    assert note.rows == 20


def test_lines_of_shards_stay_rows_of_their_own(tmp_path: Path) -> None:
    for folder in ("2019", "2020"):
        write(tmp_path / folder / "part.txt", "__label__a good\n__label__b bad\n" * 4)
    assert pipeline(tmp_path).load().train.num_rows > 4


def toxic(*rows: str) -> str:
    return "id,comment,toxic,insult,threat\n" + "".join(
        f"{i},{row}\n" for i, row in enumerate(rows)
    )


def test_columns_of_flags_are_the_labels_of_a_text(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", toxic(*["so nice,0,0,0", "you fool,1,1,0", "or else,1,0,1"] * 8))
    found = summary(tmp_path / "a.csv")
    assert set(found.classes or ()) == {"toxic", "insult", "threat"}
    [note] = [note for note in found.notes if note.column == "labels"]
    assert "toxic, insult, threat" in note.why
    assert note.change == "task.label"
    raw = pipeline(tmp_path / "a.csv").load()
    labels = {row["comment"]: row["labels"] for row in raw.train.to_pylist()}
    assert labels == {
        "so nice": [],
        "you fool": ["toxic", "insult"],
        "or else": ["toxic", "threat"],
    }


def test_a_flag_that_is_chosen_is_the_label_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", toxic(*["so nice,0,0,0", "you fool,1,1,0", "or else,1,0,1"] * 8))
    assert set(summary(tmp_path / "a.csv", label="insult").classes or ()) == {"0", "1"}


def test_rows_whose_flags_are_unknown_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", toxic(*["so nice,0,0,0", "you fool,1,1,0", "no,1,0,1"] * 8))
    write(tmp_path / "test.csv", toxic("you fool,1,0,0", "not judged,-1,-1,-1"))
    raw = pipeline(tmp_path).load()
    assert raw.splits["test"]["labels"].to_pylist() == [["toxic"]]
    [skip] = raw.skips
    assert (skip.reason, skip.count) == ("labels is empty", 1)


def test_empty_and_constant_columns_are_no_classes(tmp_path: Path) -> None:
    rows = "".join(f"{'spam' if i % 2 else 'ham'},text {i},NO_QUERY,,\n" for i in range(20))
    write(tmp_path / "spam.csv", "v1,v2,v3,,\n" + rows)
    assert set(summary(tmp_path / "spam.csv").classes or ()) == {"ham", "spam"}
    write(tmp_path / "one.csv", "text,kind\n" + "".join(f"text {i},a\n" for i in range(20)))
    with pytest.raises(DataError, match="Which column holds the classes"):
        pipeline(tmp_path / "one.csv").load()


def test_tags_in_a_text_are_separated_by_blanks_or_commas(tmp_path: Path) -> None:
    rows = '"Anna sings","B-person,O"\n"Bob is here","B-person, O, O"\n"so it is","O O O"\n' * 8
    write(tmp_path / "a.csv", "sentence,word_labels\n" + rows)
    data = create_pipeline(RunConfig.parse({
        "task": {"kind": "token_classification"}, "model": MODEL,
        "data": {"kind": "file", "path": str(tmp_path / "a.csv")},
    }))  # fmt: skip
    raw = data.load()
    assert not raw.skips
    assert data.fit(raw).names == ["O", "B-person"]
