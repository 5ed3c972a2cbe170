"""Images with numbers: columns, faults, losses, the first outputs, bands, baseline and sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score

from engine.baselines.edges_and_colours import SIDE, features_of
from engine.config.run_config import RunConfig
from engine.data.class_labels import with_class_names
from engine.errors import DataError, TrainingError
from engine.explanations.grad_cam import grad_cam
from engine.pipelines.create import create_pipeline
from engine.reports.views import Pictures, Table
from tests.unit.tasks.test_images import cut_off, stored, table_of

Make = Callable[..., Any]
KIND = "image_regression"
CPU = torch.device("cpu")


def pixels(number: int) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(number).integers(0, 60, (8, 8, 3))
    return (noise + 15 * (number % 12)).clip(0, 255)


def images(count: int = 10) -> list[dict[str, Any]]:
    return [stored(pixels(number), f"{number}.png") for number in range(count)]


def numbers(count: int = 10) -> list[float]:
    return [1000.0 + 3 * number + number % 3 for number in range(count)]


def evaluated(prepared: Any, network: Any, table: pa.Table) -> tuple[Any, Any, Any]:
    """Return evaluator, evaluation with views, and source."""
    evaluator = prepared.task.evaluator(prepared.fitted)
    source = prepared.task.encode(table, prepared.fitted, CPU, print)
    with torch.no_grad():
        for batch in source.read(source.evaluation_plan(4)):
            evaluator.update(network, batch)
    return evaluator, evaluator.compute(views=True), source


def test_the_column_of_numbers_is_found_and_its_scale_fitted(prepare: Make) -> None:
    fitted = prepare(KIND, table_of(images(), who=["a"] * 10, weight=numbers())).fitted
    assert (fitted.image, fitted.target) == ("image", "weight")
    assert fitted.target_mean == pytest.approx(np.mean(numbers()))
    assert fitted.target_std == pytest.approx(np.std(numbers()))
    assert (fitted.lowest, fitted.highest) == (1000, 1027)


def test_several_columns_of_numbers_are_asked_about_and_none_is_named(prepare: Make) -> None:
    with pytest.raises(DataError, match=r"It could be a, b\. Set task\.target"):
        prepare(KIND, table_of(images(), a=numbers(), b=numbers()))
    with pytest.raises(DataError, match=r"No column holds numbers \(there is who\)"):
        prepare(KIND, table_of(images(), who=list("abcdefghij")))


def test_rows_without_a_number_or_an_image_are_counted(prepare: Make) -> None:
    records = [*images(8), None, images(1)[0]]
    texts = [*(f"{number:,.1f}" for number in numbers(8)), "5", "many"]
    prepared = prepare(KIND, table_of(records, weight=texts))
    assert prepared.raw.train["weight"].to_pylist() == numbers(8)
    assert {skip.reason: skip.count for skip in prepared.raw.skips} == {
        "there is no image": 1, "weight is not a number": 1,
    }  # fmt: skip


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_losses_are_in_standard_deviations(prepare: Make, loss: str) -> None:
    prepared = prepare(KIND, table_of(images(), weight=numbers()), loss=loss)
    network, batch = prepared.network(), prepared.encoded()
    with torch.no_grad():
        outputs = network(batch.inputs)[:, 0].double().numpy()
    errors = (outputs - np.array(numbers())) / np.std(numbers())
    expected = {
        "mse": errors**2,
        "mae": abs(errors),
        "huber": np.where(abs(errors) < 1, errors**2 / 2, abs(errors) - 0.5),
    }[loss]
    assert prepared.loss(network, batch) == pytest.approx(expected.mean(), rel=1e-4)
    records = prepared.predictions(network, table_of(images()))
    assert [record["value"] for record in records] == pytest.approx(outputs.tolist(), rel=1e-6)
    assert [record["image"] for record in records][:2] == ["0.png", "1.png"]


def test_a_new_head_begins_at_the_mean(prepare: Make) -> None:
    prepared = prepare(KIND, table_of(images(), weight=numbers()))
    records = prepared.predictions(prepared.network(), table_of(images()))
    assert all(abs(record["value"] - np.mean(numbers())) < 50 for record in records)


def test_a_network_that_does_not_end_with_a_linear_layer_is_refused(prepare: Make) -> None:
    model = {"kind": "torchvision", "name": "squeezenet1_1", "pretrained": False}
    big = [stored(np.full((64, 64, 3), 10 * number), f"{number}.png") for number in range(4)]
    prepared = prepare(KIND, table_of(big, weight=numbers(4)), model=model)
    with pytest.raises(TrainingError, match="does not end with a linear layer"):
        prepared.network()


def test_metrics_are_those_of_sklearn_and_the_worst_image_is_first(prepare: Make) -> None:
    prepared = prepare(KIND, table_of(images(), weight=numbers()))
    network = prepared.network()
    said = np.array([r["value"] for r in prepared.predictions(network, table_of(images()))])
    evaluator, found, source = evaluated(prepared, network, prepared.raw.train)
    truth = np.array(numbers())
    assert found.metrics["r2"] == pytest.approx(r2_score(truth, said), rel=1e-4)
    assert found.metrics["mae"] == pytest.approx(mean_absolute_error(truth, said), rel=1e-4)
    assert "coverage" not in found.metrics, "no bands were fitted"
    [table] = [view for view in found.views if isinstance(view, Table)]
    worst = int(np.abs(truth - said).argmax())
    assert table.rows[0][0] == f"{worst}.png"
    assert table.rows[0][1] == truth[worst]
    gallery = prepared.task.gallery(network, source, prepared.fitted)
    assert gallery.total == evaluator.total == 10
    assert isinstance(gallery.views[0], Pictures)
    assert gallery.views[0].pictures[0].caption.startswith(f"{truth[worst]:.5g}, predicted ")


def test_bands_hold_the_share_of_images_that_they_say(prepare: Make) -> None:
    """Split-conformal: of 99 validation images, 90 of 100 lie within the quantiles 5 to 95 %."""
    count = 99
    prepared = prepare(KIND, table_of(images(count), weight=numbers(count)))
    network = prepared.network()
    fit = prepared.task.calibration(prepared.fitted).evaluator()
    source = prepared.task.encode(prepared.raw.train, prepared.fitted, CPU, print)
    with torch.no_grad():
        for batch in source.read(source.evaluation_plan(33)):
            fit.update(network, batch)
        fitted = fit.compute().fitted
        records = prepared.task.predict(network, next(source.read([torch.arange(count)])), fitted)
    inside = [
        record["value 0.05"] <= true <= record["value 0.95"]
        for record, true in zip(records, numbers(count), strict=True)
    ]
    assert 0.88 <= np.mean(inside) <= 0.94
    assert all(r["value 0.05"] <= r["value"] <= r["value 0.95"] for r in records)


def test_the_baseline_is_a_ridge_regression_on_edges_and_colours(prepare: Make) -> None:
    train, test = table_of(images(30), weight=numbers(30)), table_of(images(12), weight=numbers(12))
    prepared = prepare(KIND, train, test=test)
    [baseline] = prepared.task.baselines(prepared.raw, prepared.fitted)

    def features(count: int) -> Any:
        whole = [Image.fromarray(pixels(n).astype(np.uint8)).resize((SIDE, SIDE), 2)
                 for n in range(count)]  # fmt: skip
        return features_of(np.stack([np.asarray(image) for image in whole])).astype(np.float64)

    model = RidgeCV(alphas=(0.1, 1.0, 10.0, 100.0)).fit(features(30), numbers(30))
    expected = mean_absolute_error(numbers(12), model.predict(features(12)))
    assert baseline.evaluation.metrics["mae"] == pytest.approx(expected, rel=0.05)
    assert "loss" not in baseline.evaluation.metrics


def test_test_time_flip_averages_the_numbers_of_both_sides(prepare: Make) -> None:
    prepared = prepare(KIND, table_of(images(), weight=numbers()), test_time_flip=True)
    network, batch = prepared.network(), prepared.encoded()
    with torch.no_grad():
        both = (network(batch.inputs) + network(batch.inputs.flip(3))) / 2
    records = prepared.predictions(network, table_of(images()))
    assert [record["value"] for record in records] == pytest.approx(both[:, 0].tolist())


def test_an_explanation_shows_the_places_that_make_the_number_larger(prepare: Make) -> None:
    prepared = prepare(KIND, table_of(images(), weight=numbers()))
    network, batch = prepared.network(), prepared.encoded_new(table_of(images(1)))
    found = prepared.task.explain(network, batch, prepared.fitted, "")
    assert found.target == "weight"
    heat = grad_cam(network, batch.inputs, 0)
    assert heat is not None
    assert found.method.startswith("Grad-CAM, 8×8 places")
    assert found.views[0].pictures[0].caption.startswith("weight 1")


def test_the_contact_sheet_has_a_group_for_each_fifth_of_the_numbers(prepare: Make) -> None:
    prepared = prepare(KIND, table_of(images(), weight=numbers()))
    groups = prepared.task.pipeline.sheet(prepared.raw, prepared.fitted, 8, 0).groups()
    assert [group.title.partition(":")[2] for group in groups] == [" 2 images"] * 5
    assert groups[0].title.startswith("1. weight 1000 to ")
    assert [shown.name for shown in groups[0].pictures] == ["0.png", "1.png"]


def test_names_of_classes_that_are_numbers_are_the_numbers(prepare: Make) -> None:
    """A data set that was made of folders called 20, 30 and 40 has the codes 0, 1 and 2."""
    table = table_of(images(6), label=pa.array([0, 1, 2, 2, 1, 0]))
    prepared = prepare(KIND, with_class_names(table, "label", ["20", "30", "40"]))
    assert prepared.raw.train["label"].to_pylist() == [20, 30, 40, 40, 30, 20]


def test_folders_that_are_called_as_numbers_are_read(tmp_path: Path) -> None:
    for number, name in enumerate(["1.5", "2.5", "4"] * 2):
        path = tmp_path / "photos" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(number).astype(np.uint8)).save(path)
    config = RunConfig.parse({
        "task": {"kind": KIND}, "model": {"kind": "cnn"},
        "data": {"kind": "image_folder", "path": str(tmp_path / "photos"),
                 "validation_fraction": 0, "test_fraction": 0},
    })  # fmt: skip
    raw = create_pipeline(config).load()
    assert sorted(raw.train["label"].to_pylist()) == [1.5, 1.5, 2.5, 2.5, 4, 4]


def test_images_that_cannot_be_decoded_keep_the_numbers_of_the_others(prepare: Make) -> None:
    records = images(5)
    records[2] = cut_off(pixels(2))
    prepared = prepare(KIND, table_of(records, weight=numbers(5)))
    batch, fitted = prepared.encoded(), prepared.fitted
    kept = (batch.targets.double() * fitted.target_std + fitted.target_mean).tolist()
    assert kept == pytest.approx([n for place, n in enumerate(numbers(5)) if place != 2], rel=1e-5)
