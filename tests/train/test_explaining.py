"""Pictures and explanations of finished runs, through the functions of the helper process."""

from __future__ import annotations

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from engine.artifacts.model_folder import load_exported
from engine.errors import DataError
from engine.reports.picture import Picture
from engine.reports.views import Pictures
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.service import explain, predict
from tui.screens.results.screen import explanation_arguments


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


@pytest.fixture
def numbers(trained) -> RunDirectory:
    """A run on rows whose target is a number."""
    return trained("numbers", {
        "task": {"kind": "tabular_regression"}, "data": {"kind": "builtin", "name": "diabetes"},
        "model": {"kind": "mlp", "hidden": [8]}, "train": {"epochs": 2},
    })  # fmt: skip


def probabilities(run: RunDirectory, image: NDArray[np.float64]) -> NDArray[np.float32]:
    """What the exported network says of a digit of scikit-learn's, by torch alone."""
    _, fitted, network = load_exported(run.model, torch.device("cpu"))
    pixels = np.rint(image * 255 / 16) / 255
    scaled = (pixels - fitted.mean[0]) / fitted.std[0]
    with torch.inference_mode():
        logits = network.eval()(torch.tensor(scaled, dtype=torch.float32)[None, None])
    return logits.softmax(1)[0].numpy()


def explained(run: RunDirectory, place: int) -> dict[str, Any]:
    """Explain a case of a run's gallery as the results screen asks for it."""
    case = run.gallery.case(place)
    assert case is not None
    return explain.answer(run.id, **explanation_arguments(case))


def test_an_image_has_the_same_probability_as_a_mistake_and_explained(beginner) -> None:
    found = beginner.gallery.read()
    assert len(found.rows) > 5
    for row, place in list(zip(found.rows, found.places, strict=True))[:5]:
        answer = explained(beginner, place)
        assert answer["target"] == row[2]
        caption = answer["views"][0]["pictures"][0]["caption"]
        assert caption == f"{row[2]} {row[3]:.0%}"


def test_wrong_rows_are_kept_whole_and_explained(trained, tmp_path) -> None:
    said = ["yes" if i * 37 % 11 < 5 else "no" for i in range(300)]
    lines = [f"{i * i},{i % 7},{'ab'[i % 2]},{text}" for i, text in enumerate(said)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["square,size,kind,bought", *lines]))
    run = trained("rows", {
        "task": {"kind": "tabular_classification", "target": "bought"},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "mlp", "hidden": [8]}, "train": {"epochs": 2},
    })  # fmt: skip
    found = run.gallery.read()
    assert found.columns == ["true", "predicted", "inputs", "probability"]
    rows, metrics = read_history(run).data["rows"]["test"], run.report.read()["metrics"]["test"]
    assert found.total == round((1 - metrics["accuracy"]) * rows) >= len(found.rows) > 3
    for row, place in list(zip(found.rows, found.places, strict=True))[:3]:
        case = run.gallery.case(place)
        values = dict(case.view.rows)
        assert ",".join(values.values()) in lines
        assert values["bought"] == row[0] != row[1]
        assert f"kind {values['kind']}" in row[2]
        assert set(case.explained.row) == {"square", "size", "kind"}
        answer = explained(run, place)
        assert answer["target"] == row[1]
        assert answer["views"][0]["title"] == f"p({row[1]}) is {row[3]:.4g}"


def test_wrong_numbers_are_kept_with_their_rows(numbers) -> None:
    found = numbers.gallery.read()
    assert found.title == "Errors"
    differences = [abs(row[found.columns.index("difference")]) for row in found.rows]
    assert differences == sorted(differences, reverse=True)
    answer = explained(numbers, found.places[0])
    predicted = found.rows[0][found.columns.index("predicted")]
    assert float(answer["views"][0]["title"].rpartition(" ")[2]) == pytest.approx(predicted, 1e-3)


def test_wrong_texts_are_kept_whole_and_explained(trained, tmp_path) -> None:
    path = tmp_path / "texts.csv"
    words = " ".join(f"word{i}" for i in range(60))
    path.write_text("text,label\n" + "".join(
        f"{i} {words},{'yes' if i * 37 % 11 < 5 else 'no'}\n" for i in range(120)
    ))  # fmt: skip
    run = trained("long-texts", {
        "task": {"kind": "text_classification"}, "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 100},
        "train": {"epochs": 1},
    })  # fmt: skip
    found = run.gallery.read()
    assert found.columns == ["text", "label", "predicted", "probability"]
    row, case = found.rows[0], run.gallery.case(found.places[0])
    (item,) = case.view.items
    assert item["text"].endswith(words)
    assert (item["label"], item["predicted"]) == tuple(row[1:3])
    (record,) = predict.answer(run.id, rows=[item["text"]])["records"]
    assert record["label"] == row[2]
    assert record["score"] == pytest.approx(row[3], abs=1e-3)
    answer = explained(run, found.places[0])
    assert answer["target"] == row[2]
    assert f"probability {row[3]:.0%}" in answer["method"]


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
        number = int(str(row[0]).split()[-1]) - 1
        chances = probabilities(beginner, images[number])
        assert str(chances.argmax()) == row[2] != row[1]
        assert row[3] == pytest.approx(chances.max(), abs=2e-3)
        assert shown.caption == f"{row[1]}, predicted {row[2]} ({row[3]:.0%})"
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
    (record,) = predict.answer(critic.id, rows=["a good play"])["records"]
    assert f"probability {record['score']:.0%}; gradient" in answer["method"]
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
