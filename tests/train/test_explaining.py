"""Pictures and explanations of finished runs, through the functions of the helper process."""

from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from engine.errors import DataError
from engine.reports.picture import Picture
from engine.reports.views import Pictures
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.service import explain, predict


@pytest.fixture(autouse=True)
def in_trained_home(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLTUI_HOME", str(trained_home))


@pytest.fixture
def beginner(trained) -> RunDirectory:
    """A run on digits that makes many mistakes."""
    data = {"kind": "builtin", "name": "digits", "max_samples": 300}
    values = {
        "task": {"kind": "image_classification"}, "data": data,
        "model": {"kind": "cnn", "channels": [4]}, "train": {"epochs": 1},
    }  # fmt: skip
    return trained("beginner", values)


@pytest.fixture
def critic(trained, tmp_path_factory) -> RunDirectory:
    """A run on short texts."""
    path = tmp_path_factory.mktemp("texts") / "films.csv"
    good, bad = "a good film", "a bad play"
    path.write_text("text,label\n" + f"{good},yes\n{bad},no\n" * 40)
    values = {
        "task": {"kind": "text_classification"}, "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 100},
        "train": {"epochs": 8, "learning_rate": 0.02},
    }  # fmt: skip
    return trained("critic", values)


def test_mistakes_are_kept_with_their_images(beginner) -> None:
    found = beginner.gallery.read()
    assert found is not None
    report = beginner.report.read()
    assert report is not None
    (table,) = (view for view in report["views"] if view["title"] == "Worst mistakes")
    assert found.rows == table["rows"]
    rows = read_history(beginner).data["rows"]["test"]
    wrong = round((1 - report["metrics"]["test"]["accuracy"]) * rows)
    assert found.total == wrong > 0
    images = load_digits().images
    for row, place in zip(found.rows, found.places, strict=True):
        view = beginner.gallery.view(place)
        assert isinstance(view, Pictures)
        (shown,) = view.pictures
        assert shown.caption.startswith(f"{row[1]}, predicted {row[2]} (")
        number = int(str(row[0]).split()[-1]) - 1
        pixels = np.frombuffer(shown.pixels, np.uint8).reshape(8, 8, 3)
        expected = (images[number] * 255 / 16).round()
        assert (np.abs(pixels - expected[:, :, None]) <= 1).all()


def test_the_images_that_were_asked_about_are_shown_with_their_classes(
    beginner, digit_files, tmp_path
) -> None:
    (first, _), (second, _) = digit_files[:2]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"none")
    answer = predict.answer(beginner.id, rows=[str(first), str(broken), str(second)])
    shown = [Picture(**one) for one in answer["pictures"]]
    assert [one.name for one in shown] == [first.name, second.name]
    labels = [record["label"] for record in answer["records"]]
    assert [one.caption.partition(" ")[0] for one in shown] == labels
    expected = np.asarray(Image.open(first).convert("RGB")).tobytes()
    assert shown[0].pixels == expected
    assert predict.answer(beginner.id)["pictures"] == []


def test_an_image_is_explained_for_the_likeliest_class_and_for_others(
    beginner, digit_files
) -> None:
    file = str(digit_files[0][0])
    (record,) = predict.answer(beginner.id, rows=[file])["records"]
    answer = explain.answer(beginner.id, file)
    assert answer["target"] == answer["targets"][0] == record["label"]
    assert "Grad-CAM, 8×8 places" in answer["method"]
    other = explain.answer(beginner.id, file, target=answer["targets"][3])
    assert other["target"] == answer["targets"][3]
    image, heat = other["views"][0]["pictures"]
    assert (image["width"], heat["width"]) == (8, 8)
    with pytest.raises(DataError, match="no output 'zebra'"):
        explain.answer(beginner.id, file, target="zebra")
    with pytest.raises(DataError, match="no input to explain"):
        explain.answer(beginner.id)


def test_a_stored_copy_stands_for_an_image_whose_file_is_missing(beginner, digit_files) -> None:
    file = str(digit_files[0][0])
    shown = predict.answer(beginner.id, rows=[file])["pictures"][0]
    expected = explain.answer(beginner.id, file)
    copied = explain.answer(beginner.id, picture=shown, file="/nowhere/0.png")
    assert copied["views"][0]["pictures"][1]["rgb"] == expected["views"][0]["pictures"][1]["rgb"]
    assert copied["notes"] == []
    small = Picture(2, 2, base64.b64encode(bytes(12)).decode())
    answer = explain.answer(beginner.id, picture=asdict(small))
    assert "stored copy of 2×2 px; the network sees 8×8" in answer["notes"][0]["why"]


def test_columns_of_a_row_are_weighed_by_the_change_of_the_prediction(flowers) -> None:
    row = {"sepal length (cm)": "5.1", "sepal width (cm)": "3.5", "petal length (cm)": "1.4",
           "petal width (cm)": "0.2"}  # fmt: skip
    answer = explain.answer(flowers.id, row)
    (table,) = answer["views"]
    name, value, usual, change = table["rows"][0]
    assert value == row[name].rstrip("0")
    scores = [
        predict.answer(flowers.id, rows=[row | {name: given}])["records"][0]["scores"]
        for given in (row[name], usual)
    ]
    expected = scores[0][answer["target"]] - scores[1][answer["target"]]
    assert change == pytest.approx(expected, abs=1e-3)


def test_the_words_of_a_text_are_weighed(critic) -> None:
    answer = explain.answer(critic.id, "a good play")
    words = dict(answer["views"][0]["parts"])
    assert list(words) == ["a", "good", "play"]
    opposite = explain.answer(critic.id, "a good play", target=answer["targets"][1])
    assert opposite["target"] != answer["target"]
    assert dict(opposite["views"][0]["parts"])["good"] != words["good"]


def test_the_images_of_samples_are_reported_once(trained) -> None:
    data = {"kind": "builtin", "name": "digits", "max_samples": 100}
    run = trained("samples", {
        "task": {"kind": "image_classification"}, "data": data,
        "model": {"kind": "cnn", "channels": [4]}, "train": {"epochs": 2},
    })  # fmt: skip
    lines = run.events.path.read_text().splitlines()
    assert sum('"event":"sample_pictures"' in line for line in lines) == 1
    history = read_history(run)
    assert len(history.sampled) == 2
    items = [item for event in history.sampled for item in event.items]
    shown, *others = history.sample_pictures
    assert [item["image"] for item in items] == [one.name for one in (shown, *others)] * 2
    grey = np.frombuffer(shown.pixels, np.uint8).reshape(8, 8, 3)[:, :, 0]
    number = int(items[0]["image"].split()[-1]) - 1
    expected = (load_digits().images[number] * 255 / 16).round()
    assert (np.abs(grey - expected) <= 1).all()
