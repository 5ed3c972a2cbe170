"""The check of a data set: each kind of doubt is found where it was put, and not elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from engine.checks.columns import identifiers
from engine.checks.drift import drift
from engine.checks.examine import examine
from engine.checks.examined import Doubt, Examined
from engine.checks.labels import doubted_labels, outlying
from engine.checks.leaks import leaks
from engine.config.run_config import RunConfig
from engine.data.column_roles import ColumnRoles
from engine.data.tables.schema import Column
from engine.errors import DataError
from engine.pipelines.create import create_pipeline
from engine.reports.findings import DataCheck, Finding, Mend

FLIPPED = range(100, 120)
TWICE = range(200, 260)
RARE = range(5)


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """A table with faults at known places."""
    random, count = np.random.default_rng(0), 2000
    size, weight = random.normal(size=count).round(3), random.normal(size=count).round(3)
    label = np.where(size + weight > 0, "pos", "neg").astype(object)
    label[list(FLIPPED)] = np.where(label[list(FLIPPED)] == "pos", "neg", "pos")
    label[list(RARE)] = "rare"
    flag = np.where(np.arange(count) % 300 == 1, "on", "off")
    columns = {"size": size, "weight": weight, "same": "x", "flag": flag, "label": label}
    table = pd.DataFrame(columns)
    table = pd.concat([table, table.iloc[list(TWICE)]])
    table.insert(0, "id", range(len(table)))
    table.to_csv(path := tmp_path / "dirty.csv", index=False)
    return path


def values(path: Path, task: str = "tabular_classification", **data: Any) -> dict[str, Any]:
    models = {"tabular_classification": "mlp", "image_classification": "cnn"}
    source = {"kind": "file", "path": str(path)} | data
    return {"task": {"kind": task}, "data": source,
            "model": {"kind": models.get(task, "transformer")}}  # fmt: skip


def check(settings: dict[str, Any]) -> DataCheck:
    return examine(create_pipeline(RunConfig.parse(settings)))


def by_kind(found: DataCheck) -> dict[str, Finding]:
    return {finding.kind: finding for finding in found.findings}


def test_changes_contradict_each_other_in_one_value_of_a_field_and_in_one_row() -> None:
    drop, move = Mend("d", "drop", duplicates="drop"), Mend("I", "move", duplicates="train")
    out, right = (
        Mend("d", "out", rows=("train:3:00c0ffee",)),
        Mend("Y", "mark", marked=("train:3:00c0ffee",)),
    )
    other = Mend("Y", "mark", marked=("train:4:0badcafe",))
    assert drop.contradicts(move)
    assert out.contradicts(right)
    assert right.contradicts(out)
    assert not any(one.contradicts(two) for one, two in ((drop, drop), (out, other), (out, move)))


def test_faults_of_a_table_are_found_at_their_places(dirty: Path) -> None:
    found = by_kind(check(values(dirty)))
    assert set(found) == {"leakage", "duplicates", "wrong labels", "small classes", "identifier",
                          "constant", "nearly constant"}  # fmt: skip
    assert found["nearly constant"].column == "flag"
    assert "id (counts the rows)" in found["identifier"].why
    assert "same (always the same)" in found["constant"].why
    named = {int(name.split(":")[1]) - 1 for name in found["small classes"].mends[0].rows}
    assert named <= set(RARE)
    assert len(named) == found["small classes"].count


def test_flipped_labels_are_named_with_the_expected_class(dirty: Path) -> None:
    found = by_kind(check(values(dirty, validation_fraction=0.0, test_fraction=0.1)))
    named = {int(name.split(":")[1]) - 1 for name in found["wrong labels"].mends[0].rows}
    assert len(named & set(FLIPPED)) >= 12
    assert len(named - set(FLIPPED)) <= 3
    assert "expected" in found["wrong labels"].rows[0].remark


def test_the_changes_remove_the_findings(dirty: Path) -> None:
    settings = values(dirty)
    for finding in check(settings).findings:
        for mend in finding.mends[:1]:
            data = settings["data"]
            fields = mend.fields(data.get("columns", {}), data.get("drop_rows", []))
            data |= {name.removeprefix("data."): value for name, value in fields.items()}
    left = by_kind(check(settings))
    assert not {"leakage", "duplicates", "small classes", "nearly constant"} & set(left)


def test_rows_that_are_marked_stay_and_are_not_named_again(dirty: Path) -> None:
    settings = values(dirty)
    finding = by_kind(check(settings))["small classes"]
    mark = next(mend for mend in finding.mends if mend.key == "Y")
    assert len(mark.marked) == finding.count
    settings["data"] |= {"mark_rows": mark.fields({}, [])["data.mark_rows"][1:]}
    found = check(settings)
    again = by_kind(found)["small classes"]
    assert [row.name for row in again.rows] == [mark.marked[0]]
    assert again.count == 1
    assert any("marked as right" in limit for limit in found.limits)
    raw = create_pipeline(RunConfig.parse(settings)).load()
    assert sum(found.rows.values()) == sum(table.num_rows for table in raw.splits.values())
    assert any("marked as right in data.mark_rows stay" in note.why for note in raw.notes)
    settings["data"]["mark_rows"] = list(mark.marked)
    assert "small classes" not in by_kind(check(settings))


def test_a_marked_row_that_is_another_by_now_is_refused(dirty: Path) -> None:
    with pytest.raises(DataError, match=r"row 3 of train is another row by now"):
        check(values(dirty, mark_rows=["train:3:00000000"]))


def test_moving_duplicates_removes_the_leakage(dirty: Path) -> None:
    move = next(m for m in by_kind(check(values(dirty)))["leakage"].mends if m.key == "I")
    fields = {k.removeprefix("data."): v for k, v in move.fields({}, []).items()}
    assert fields["duplicates"] == "train"
    after = by_kind(check(values(dirty, **fields)))
    assert "leakage" not in after
    assert "duplicates" in after


def test_a_check_survives_its_way_through_json(dirty: Path) -> None:
    found = check(values(dirty))
    assert DataCheck.from_record(found.record()) == found


def test_one_column_that_predicts_the_target_is_told() -> None:
    random = np.random.default_rng(1)
    truth = random.normal(size=600)
    table = pa.table({"noise": random.normal(size=600), "leak": truth * 3 + 7, "y": truth})
    columns = tuple(Column(name=name, type="numeric") for name in ("noise", "leak"))
    roles = ColumnRoles(("noise", "leak"), "y", "numbers", columns=columns)
    found = list(leaks(Examined({"train": table}, roles)))
    assert [doubt.column for doubt in found if isinstance(doubt, Doubt)] == ["leak"]


def test_a_rare_class_makes_no_column_a_leak() -> None:
    random = np.random.default_rng(1)
    rare = np.where(np.arange(2000) % 200 == 0, "rare", "usual")
    columns = tuple(Column(name=name, type="numeric") for name in ("a", "b"))
    table = pa.table({"a": random.normal(size=2000), "b": random.normal(size=2000), "y": rare})
    roles = ColumnRoles(("a", "b"), "y", "classes", columns=columns)
    assert not list(leaks(Examined({"train": table}, roles)))


def test_an_identifier_is_found_beside_duplicate_rows() -> None:
    number = pa.array([*range(500, 600), *range(500, 510)])
    table = pa.table({"number": number, "size": np.tile(np.arange(10.0), 11), "y": ["a"] * 110})
    columns = tuple(
        Column(name=name, type="numeric", distinct=count)
        for name, count in (("number", 100), ("size", 10))
    )
    roles = ColumnRoles(("number", "size"), "y", "classes", columns=columns)
    found = list(identifiers(Examined({"train": table}, roles)))
    assert [doubt.column for doubt in found if isinstance(doubt, Doubt)] == ["number"]


def test_drift_is_the_distance_of_the_distributions() -> None:
    train = pa.table({"n": np.arange(1000) / 1000, "c": ["x", "y"] * 500, "same": [1.0, 2.0] * 500})
    test = pa.table({"n": np.arange(500, 1000) / 1000, "c": ["x"] * 500, "same": [1.0, 2.0] * 250})
    kinds = {"n": "numeric", "c": "categorical", "same": "numeric"}
    columns = tuple(Column(name=name, type=kind) for name, kind in kinds.items())  # type: ignore[arg-type]
    found = drift(
        Examined({"train": train, "test": test}, ColumnRoles(tuple(kinds), columns=columns))
    )
    told = {doubt.column: doubt.why for doubt in found if isinstance(doubt, Doubt)}
    assert set(told) == {"n", "c"}
    assert told["n"].endswith("Kolmogorov-Smirnov distance 0.50")
    assert told["c"].endswith("total variation distance 0.50")


def test_a_label_is_doubted_where_another_class_is_sure() -> None:
    chances = np.array([[0.9, 0.1], [0.95, 0.05], [0.2, 0.8], [0.97, 0.03], [0.1, 0.9], [0.3, 0.7]])
    assert doubted_labels(chances, np.array([0, 0, 1, 1, 1, 0])).tolist() == [3]


def test_errors_are_compared_with_those_of_similar_expectations() -> None:
    random = np.random.default_rng(0)
    expected = np.repeat([1.0, 1000.0], 5000)
    truth = expected + random.normal(size=10_000) * expected / 100
    truth[17] += 1.0
    assert outlying(truth, expected).argmax() == 17


def test_nearly_equal_texts_and_contradictions_are_found(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(300)])
    texts = [" ".join(random.choice(words, 20)) for _ in range(300)]
    lines = [{"text": text, "label": str(i % 2)} for i, text in enumerate(texts)]
    lines += [
        {"text": texts[4].upper() + " x!", "label": "0"},
        {"text": texts[7], "label": "0"},
    ]
    path = tmp_path / "texts.jsonl"
    pd.DataFrame(lines).to_json(path, orient="records", lines=True)
    data = {"validation_fraction": 0.0, "test_fraction": 0.0}
    found = by_kind(check(values(path, "text_classification", **data)))
    assert {"near duplicates", "contradictions"} <= set(found)
    assert [row.name.rpartition(":")[0] for row in found["near duplicates"].rows] == [
        "train:301", "train:302",
    ]  # fmt: skip
    assert found["near duplicates"].rows[0].remark.startswith("like train:5 ")
    assert {row.name.rpartition(":")[0] for row in found["contradictions"].rows} == {
        "train:8", "train:302",
    }  # fmt: skip


def test_texts_with_other_words_are_no_duplicates(tmp_path: Path) -> None:
    lines = [{"text": f"a good film number {i} of many", "label": str(i % 2)} for i in range(60)]
    pd.DataFrame(lines).to_json(path := tmp_path / "t.jsonl", orient="records", lines=True)
    assert "near duplicates" not in by_kind(check(values(path, "text_classification")))


def test_a_smaller_copy_of_an_image_is_found(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number in range(40):
        cells = random.integers(0, 255, (4, 4), np.uint8)
        image = Image.fromarray(cells).resize((64, 64), Image.Resampling.BICUBIC)
        (folder := tmp_path / "images" / f"c{number % 2}").mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{number:03}.png")
    copy = Image.open(tmp_path / "images/c0/004.png").resize((48, 48))
    copy.save(tmp_path / "images/c0/copy.png")
    settings = values(tmp_path / "images", "image_classification") | {
        "data": {"kind": "image_folder", "path": str(tmp_path / "images"),
                 "test_fraction": 0.0, "validation_fraction": 0.0}
    }  # fmt: skip
    found = by_kind(check(settings))["near duplicates"]
    assert found.count == 1
    assert "copy.png" in found.rows[0].text
    settings["data"]["drop_rows"] = list(found.mends[0].rows)
    assert "near duplicates" not in by_kind(check(settings))


def test_a_series_is_checked_without_changes_of_rows(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d")
    pd.DataFrame({"day": days, "value": np.arange(400.0)}).to_csv(
        path := tmp_path / "s.csv", index=False
    )
    settings = values(path, "forecasting") | {"model": {"kind": "dlinear"}}
    settings["task"] |= {"window": 20, "horizon": 5}
    found = check(settings)
    assert [finding.kind for finding in found.findings] == ["drift"]
    assert not found.findings[0].mends


def test_rows_that_begin_a_later_split_as_context_are_counted_once(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d")
    sales = np.sin(np.arange(400)).round(3)
    frames = [pd.DataFrame({"shop": shop, "day": days, "sales": sales}) for shop in "ab"]
    for name, frame in {"one": frames[0], "two": pd.concat(frames)}.items():
        frame.to_csv(path := tmp_path / f"{name}.csv", index=False)
        settings = values(path, "forecasting") | {"model": {"kind": "dlinear"}}
        shops = frame["shop"].nunique()
        expected = {"train": 280 * shops, "validation": 60 * shops, "test": 60 * shops}
        assert check(settings).rows == expected


def test_a_wrong_column_is_told_in_the_words_of_the_data(dirty: Path) -> None:
    settings = values(dirty)
    settings["task"]["target"] = "missing"
    with pytest.raises(Exception, match="missing") as refused:
        check(settings)
    assert "№" not in str(refused.value)
