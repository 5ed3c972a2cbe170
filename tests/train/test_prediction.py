"""Predictions of finished runs for new inputs, and the export formats of their models."""

from __future__ import annotations

import base64
import errno
import json
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from engine.errors import DataError, RunError, TrainingError, UserError
from engine.reports.note import Note
from engine.runs.directory import RunDirectory
from engine.runs.events import Log
from engine.service import (
    column_predictions,
    export,
    predict,
    prediction_file,
    saved_predictions,
)


@pytest.fixture(autouse=True)
def home(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder shared by the module: its runs are trained once."""
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))
    return trained_home


ROW = {
    "sepal length (cm)": 5.0,
    "sepal width (cm)": 3.4,
    "petal length (cm)": 1.4,
    "petal width (cm)": 0.2,
}


def test_a_row_given_by_hand_is_predicted(flowers: RunDirectory) -> None:
    answer = predict.answer(flowers.id, rows=[ROW])
    assert answer["inputs"] == list(ROW)
    assert [record["label"] for record in answer["records"]] == ["setosa"]


def test_columns_that_are_not_typed_are_told(flowers: RunDirectory) -> None:
    part = {"petal length (cm)": 1.4}
    answer = predict.answer(flowers.id, rows=[ROW, part, {**part, "petal width (cm)": 0.2}])
    [note] = answer["notes"]
    assert note["rows"] == 2
    assert note["why"] == (
        "not given, predicted as missing values: sepal length (cm), sepal width (cm), "
        "petal width (cm)"
    )
    assert predict.answer(flowers.id, rows=[ROW])["notes"] == []


def test_a_file_of_many_gives_a_record_a_row_in_order(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    wide = ROW | {"petal length (cm)": 6.0, "petal width (cm)": 2.3}
    path = tmp_path / "new.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (ROW, wide) * 70))
    records = predict.answer(flowers.id, file=str(path))["records"]
    assert [record["label"] for record in records] == ["setosa", "virginica"] * 70


def test_a_screen_gets_the_first_predictions_of_a_file_and_their_number(
    flowers: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "_SHOWN", 3)
    path = tmp_path / "new.jsonl"
    path.write_text("".join(json.dumps(ROW | {"id": i}) + "\n" for i in range(5)))
    found = predict.answer(flowers.id, file=str(path), drawn=True)
    assert (len(found["records"]), found["count"]) == (3, 5)
    assert found["beside"] == [{"id": "0"}, {"id": "1"}, {"id": "2"}]
    assert found["gallery"] is None


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_predictions_are_written_to_a_file_by_its_suffix(
    flowers: RunDirectory, tmp_path: Path, suffix: str
) -> None:
    past, output = tmp_path / "new.jsonl", tmp_path / f"out{suffix}"
    past.write_text((json.dumps(ROW) + "\n") * 3)
    records = predict.answer(flowers.id, file=str(past))["records"]
    assert saved_predictions.answer(flowers.id, str(output), file=str(past))["rows"] == 3
    readers = {
        ".csv": pd.read_csv, ".parquet": pd.read_parquet,
        ".jsonl": partial(pd.read_json, lines=True),
    }  # fmt: skip
    read = readers[suffix](output)
    scores = {f"score {name}": score for name, score in records[0]["scores"].items()}
    assert list(read.columns) == [*ROW, "label", "score", *sorted(scores)]
    assert read["label"].tolist() == [record["label"] for record in records]
    assert read.loc[0, list(scores)].to_dict() == pytest.approx(scores)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_bytes_beside_predictions_are_written_in_base64(tmp_path: Path, suffix: str) -> None:
    table = pa.table({"photo": pa.array([b"\xff\x00", None]), "label": ["a", "b"]})
    output = tmp_path / f"out{suffix}"
    prediction_file.write_table(table, output)
    read = pd.read_csv(output) if suffix == ".csv" else pd.read_json(output, lines=True)
    assert base64.b64decode(read["photo"][0]) == b"\xff\x00"
    assert pd.isna(read["photo"][1])


def test_pieces_of_a_long_table_are_written_in_order_with_the_numbers_of_its_records(
    flowers: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_predictions, "ENCODED", 16)
    past, output = tmp_path / "new.parquet", tmp_path / "out.parquet"
    lengths = [1 + 6 * i / 99 for i in range(100)]
    rows = [ROW | {"petal length (cm)": long, "score": i} for i, long in enumerate(lengths)]
    pd.DataFrame(rows).to_parquet(past)
    threads = torch.get_num_threads()
    records = predict.answer(flowers.id, file=str(past))["records"]
    saved_predictions.answer(flowers.id, str(output), file=str(past))
    read = pd.read_parquet(output)
    assert read["score"].tolist() == list(range(100))
    assert read["label"].tolist() == [record["label"] for record in records]
    # The last bit may be another in a batch of another size.
    scores = [record["score"] for record in records]
    assert read["predicted score"].tolist() == pytest.approx(scores, rel=1e-6)
    of_class = [record["scores"]["setosa"] for record in records]
    assert read["score setosa"].tolist() == pytest.approx(of_class, rel=1e-6)
    assert torch.get_num_threads() == threads


def test_the_agreement_of_bfloat16_with_float32_is_noted(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    past, output = tmp_path / "new.parquet", tmp_path / "out.parquet"
    lengths = [1 + 6 * i / 99 for i in range(100)]
    pd.DataFrame([ROW | {"petal length (cm)": long} for long in lengths]).to_parquet(past)
    exact = predict.answer(flowers.id, file=str(past))["records"]
    told = saved_predictions.answer(flowers.id, str(output), file=str(past), precision="bfloat16")
    read = pd.read_parquet(output)
    other = sum(read["label"] != [record["label"] for record in exact])
    most = (read["score"] - [record["score"] for record in exact]).abs().max()
    assert most > 0
    [note] = told["notes"]
    assert f"of the first 100 rows, float32 gives another label in {other}," in note["why"]
    assert f"and {most:.2g} (most)" in note["why"]
    with pytest.raises(UserError, match=r"Only a file of a table's rows .* bfloat16"):
        saved_predictions.answer(
            flowers.id, str(output), rows=[ROW], replace=True, precision="bfloat16"
        )


def test_a_table_that_cannot_be_predicted_to_its_end_leaves_no_file(
    flowers: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past, output = tmp_path / "new.jsonl", tmp_path / "out.csv"
    past.write_text((json.dumps(ROW) + "\n") * 40)
    monkeypatch.setattr(column_predictions, "ENCODED", 16)
    pieces = column_predictions.predicted_pieces

    def broken(*given: Any) -> Iterator[pa.Table]:
        yield next(pieces(*given))
        raise DataError("The rest is gone.")

    monkeypatch.setattr(saved_predictions, "predicted_pieces", broken)
    with pytest.raises(DataError, match="The rest is gone"):
        saved_predictions.answer(flowers.id, str(output), file=str(past))
    assert list(tmp_path.iterdir()) == [past]


def test_a_file_for_predictions_needs_a_known_suffix_and_is_not_the_input(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    past = tmp_path / "new.jsonl"
    past.write_text(json.dumps(ROW) + "\n")
    with pytest.raises(UserError, match=r"out.docx has the suffix of no format.*\.csv, .parquet"):
        saved_predictions.answer(flowers.id, str(tmp_path / "out.docx"), file=str(past))
    with pytest.raises(UserError, match="is the input itself"):
        saved_predictions.answer(flowers.id, str(past), file=str(past))
    with pytest.raises(UserError, match="cannot be written: No such file"):
        saved_predictions.answer(flowers.id, str(tmp_path / "none" / "a.csv"), file=str(past))


@pytest.mark.parametrize(
    ("name", "words"),
    [("nwe.csv", "No such file.*Did you mean new.csv"), (".", "is a folder. Give a file")],
)
def test_a_file_to_predict_from_that_is_none_is_named(
    flowers: RunDirectory, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=words):
        predict.answer(flowers.id, file=str(tmp_path / name))


def test_only_doubts_of_a_task_are_noted_beside_predictions() -> None:
    notes: list[Note] = []
    report = predict.doubts_to(notes)
    report(Log(level="info", message="Tokenising 400 rows."))
    report(Log(level="warning", message="3 rows are empty."))
    assert notes == [Note("3 rows are empty.")]


def test_an_export_to_a_full_disk_says_so(
    flowers: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(UserError, match=r"Cannot write .*/out: No space left on device\.$"):
        export.answer(flowers.id, str(tmp_path / "out"), "folder")
    assert list(tmp_path.iterdir()) == []


def test_a_type_of_other_files_is_refused(flowers: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights of the type q8_0\. Choose one of float32"):
        export.answer(flowers.id, str(tmp_path / "out"), "folder", "q8_0")


def test_a_model_that_knows_nothing_ahead_takes_no_file_of_the_future(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    past = tmp_path / "new.jsonl"
    past.write_text(json.dumps(ROW) + "\n")
    with pytest.raises(DataError, match="without columns that are known ahead"):
        predict.answer(flowers.id, file=str(past), future=str(past))


def test_an_unknown_input_is_refused_with_the_nearest_name(flowers: RunDirectory) -> None:
    with pytest.raises(DataError, match=r"'petal lenght \(cm\)'.*petal length"):
        predict.answer(flowers.id, rows=[{"petal lenght (cm)": 1}])


def test_several_inputs_cannot_come_as_one_text(flowers: RunDirectory) -> None:
    with pytest.raises(DataError, match="takes 4 inputs"):
        predict.answer(flowers.id, rows=["5.1"])


def test_a_file_that_lacks_a_column_is_refused(flowers: RunDirectory, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("sepal length (cm),sepal width (cm)\n5,3\n")
    with pytest.raises(DataError, match="has no column petal length"):
        predict.answer(flowers.id, file=str(path))


def test_paths_in_a_file_begin_beside_that_file(
    digits: RunDirectory, digit_files: list[tuple[Path, str]]
) -> None:
    paths = [path for path, _ in digit_files]
    table = paths[0].parent / "some.csv"
    table.write_text("\n".join(["image", *(path.name for path in paths)]))
    records = predict.answer(digits.id, file=str(table))["records"]
    assert [record["image"] for record in records] == list(map(str, paths))


def test_an_image_file_is_predicted(
    digits: RunDirectory, digit_files: list[tuple[Path, str]]
) -> None:
    paths = [str(path) for path, _ in digit_files]
    records = predict.answer(digits.id, rows=paths)["records"]
    assert [record["image"] for record in records] == paths
    right = sum(r["label"] == digit for r, (_, digit) in zip(records, digit_files, strict=True))
    assert right >= 30


def test_an_image_that_is_left_out_is_named(
    digits: RunDirectory, digit_files: list[tuple[Path, str]]
) -> None:
    path = str(digit_files[0][0])
    answer = predict.answer(digits.id, rows=["none.png", path])
    assert [record["image"] for record in answer["records"]] == [path]
    [note] = answer["notes"]
    assert note["why"] == "Left out: none.png: the image file does not exist."
    with pytest.raises(DataError, match=r"^none\.png: the image file does not exist\.$"):
        predict.answer(digits.id, rows=["none.png"])


def test_rows_keep_their_ids_where_images_of_other_rows_are_left_out(
    digits: RunDirectory, digit_files: list[tuple[Path, str]], tmp_path: Path
) -> None:
    first, second = (str(path) for path, _ in digit_files[:2])
    paths = ["none.png", first, "none.png", second, first]
    table = tmp_path / "some.csv"
    table.write_text("".join(f"{path},{place}\n" for path, place in zip(["image", *paths],
                                                                        ["id", *range(5)],
                                                                        strict=True)))  # fmt: skip
    answer = predict.answer(digits.id, file=str(table))
    assert [row["id"] for row in answer["beside"]] == [1, 3, 4]
    saved_predictions.answer(digits.id, str(tmp_path / "out.jsonl"), str(table))
    rows = list(map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines()))
    assert [(row["image"], row["id"]) for row in rows] == [(first, 1), (second, 3), (first, 4)]


def test_a_folder_of_images_is_predicted_as_a_list_of_them(
    digits: RunDirectory, digit_files: list[tuple[Path, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    (folder / "notes.txt").write_text("no image")
    for place in ("b.png", "more/a.png"):
        shutil.copy(digit_files[0][0], folder / place)
    records = predict.answer(digits.id, file=str(folder))["records"]
    expected = [str(folder / "b.png"), str(folder / "more" / "a.png")]
    assert [record["image"] for record in records] == expected
    saved_predictions.answer(digits.id, str(tmp_path / "out.csv"), str(folder))
    assert pd.read_csv(tmp_path / "out.csv")["image"].tolist() == expected
    [alone] = predict.answer(digits.id, file=str(folder / "b.png"))["records"]
    assert (alone["image"], alone["label"]) == (expected[0], records[0]["label"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no images\. Give a folder of them"):
        predict.answer(digits.id, file=str(tmp_path / "empty"))


def test_rows_without_a_path_have_no_image(
    digits: RunDirectory, digit_files: list[tuple[Path, str]], tmp_path: Path
) -> None:
    (tmp_path / "some.csv").write_text(f"image,id\n,1\n{digit_files[0][0]},2\n")
    answer = predict.answer(digits.id, file=str(tmp_path / "some.csv"))
    assert [row["id"] for row in answer["beside"]] == [2]
    assert answer["notes"][0]["why"] == "Left out: row 1: there is no image."


def test_rows_are_told_apart_where_their_images_have_one_name(
    digits: RunDirectory, digit_files: list[tuple[Path, str]], tmp_path: Path
) -> None:
    (first, _), (second, _) = next(
        (one, two) for one in digit_files for two in digit_files if one[1] != two[1]
    )
    images = [{"bytes": data, "path": "image.png"}
              for data in (b"broken", first.read_bytes(), second.read_bytes())]  # fmt: skip
    pq.write_table(pa.table({"image": images, "id": ["a", "b", "c"]}), tmp_path / "in.parquet")
    alone = predict.answer(digits.id, rows=[str(first), str(second)])
    answer = predict.answer(digits.id, file=str(tmp_path / "in.parquet"))
    assert [row["id"] for row in answer["beside"]] == ["b", "c"]
    for together in (answer["records"], answer["pictures"]):
        assert len(together) == 2
    assert [one["label"] for one in answer["records"]] == [one["label"] for one in alone["records"]]
    assert [one["caption"] for one in answer["pictures"]] == [
        one["caption"] for one in alone["pictures"]
    ]


def test_a_run_without_a_model_says_so(flowers: RunDirectory, home: Path) -> None:
    unfinished = RunDirectory.create(home / "runs", flowers.config.read())
    with pytest.raises(RunError, match="no finished model"):
        predict.answer(unfinished.id, rows=[ROW])


@pytest.mark.parametrize("form", ["folder", "program"])
def test_what_is_exported_says_the_same(
    flowers: RunDirectory, digits: RunDirectory, tmp_path: Path, form: str
) -> None:
    for run in (flowers, digits):
        answer = export.answer(run.id, str(tmp_path / f"{run.id}-{form}"), form)
        assert answer["difference"] <= 1e-4
        assert answer["bytes"] > 0


def test_a_program_keeps_what_was_learned_of_the_data(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "flowers.pt2"
    export.answer(flowers.id, str(path), "program")
    kept = {export.SCHEMA: ""}
    torch.export.load(path, extra_files=kept)
    assert json.loads(kept[export.SCHEMA]) == json.loads(flowers.fitted.read_text())


def test_a_run_of_a_table_exports_the_gradient_boosting_of_its_results(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    known = (flowers.report.read() or {})["baseline"]
    answer = export.answer(flowers.id, str(tmp_path / "boosting"), known["export"])
    [note] = answer["notes"]
    assert f"are those of the results (accuracy {known['metrics']['accuracy']:.4g})" in note


def test_an_exported_program_takes_batches_of_another_size(
    digits: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "digits.pt2"
    export.answer(digits.id, str(path), "program")
    program = torch.export.load(path).module()
    assert program(torch.zeros(3, 1, 8, 8))[0].shape == (3, 10)


def test_an_export_never_replaces_what_is_there(digits: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="exists already"):
        export.answer(digits.id, str(tmp_path), "folder")


def test_an_export_that_says_something_else_is_thrown_away(
    digits: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = export.FORMS["folder"]

    def disturbed(finished: export.Finished, target: Path) -> float:
        with torch.no_grad():
            next(finished.network.parameters()).add_(1.0)
        return copy(finished, target)

    monkeypatch.setitem(export.FORMS, "folder", disturbed)
    with pytest.raises(TrainingError, match="thrown away"):
        export.answer(digits.id, str(tmp_path / "out"), "folder")
    assert list(tmp_path.iterdir()) == []


def test_only_an_adapter_can_be_merged(digits: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no adapter"):
        export.answer(digits.id, str(tmp_path / "out"), "merged")


def test_predictions_of_a_file_stand_beside_what_tells_its_rows_apart(
    flowers: RunDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "new.jsonl"
    rows = [{"id": f"F-{number}", **ROW, "day": "2024-05-01"} for number in (7, 3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    beside = predict.answer(flowers.id, file=str(path))["beside"]
    assert [row["id"] for row in beside] == ["F-7", "F-3"]
    assert [set(row) for row in beside] == [{"id", "day"}] * 2
