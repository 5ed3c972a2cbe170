"""Images from end to end: loading, training, evaluation, saving and prediction."""

from __future__ import annotations

import io
import json
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from PIL import Image

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.batches.source import Noise, epoch_plan
from engine.config.presets import find_preset, load_preset
from engine.data.class_labels import with_class_names
from engine.data.image_levels import Levels
from engine.data.images import decode
from engine.data.raw import TRAIN
from engine.errors import DataError, TrainingError
from engine.hardware.device import choose
from engine.metrics.images.flipped import FLIP
from engine.service import export
from engine.tasks.create import create_task
from engine.training.material import prepare
from engine.vision import encoding, fitting
from engine.vision.augmentation.crops import Crop

CPU = torch.device("cpu")
SHADES = {"dark": 40, "light": 215}


def picture(shade: int, number: int, mode: str = "RGB", size: int = 12) -> Image.Image:
    noise = np.random.default_rng(number).integers(-30, 30, (size, size, 3))
    return Image.fromarray((shade + noise).clip(0, 255).astype(np.uint8)).convert(mode)


def folder_of_shades(folder: Path, count: int = 20, **options: Any) -> Path:
    for name, shade in SHADES.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture(shade, number, **options).save(folder / name / f"{number:02}.png")
    return folder


def configured(data: dict[str, Any], **task: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "image_classification"} | task,
            "data": data,
            "model": {"kind": "cnn", "channels": [8]},
            "train": {"epochs": 3, "batch_size": 16, "learning_rate": 0.01},
            "compute": {"device": "cpu", "threads": 1},
        }
    )


def in_folder(folder: Path, **task: Any) -> RunConfig:
    return configured({"kind": "image_folder", "path": str(folder)}, **task)


def in_file(table: pa.Table, path: Path, **task: Any) -> RunConfig:
    pa.parquet.write_table(table, path)
    return configured({"kind": "file", "path": str(path)}, **task)


def report_of(config: RunConfig) -> dict[str, Any]:
    run = train(config)
    report: dict[str, Any] = json.loads(run.report.path.read_text())
    return report


def material_of(config: RunConfig, events: list[Any] | None = None) -> Any:
    kept = [] if events is None else events
    return prepare(create_task(config), choose(config.compute), kept.append)


def summary_of(config: RunConfig) -> dict[str, Any]:
    events: list[Any] = []
    material_of(config, events)
    summary: dict[str, Any] = events[-1].summary
    return summary


@pytest.mark.slow
def test_digits_are_learned_with_the_shipped_preset() -> None:
    preset = find_preset("digits-cnn")
    accuracies = []
    for seed in range(3):
        config = load_preset(preset, [f"train.seed={seed}", f"data.split_seed={seed}"])
        accuracies.append(report_of(config)["metrics"]["test"]["accuracy"])
    assert median(accuracies) >= 0.98


def test_a_folder_is_learned_and_its_model_answers_for_files(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades")
    run = train(in_folder(folder))
    task, fitted, network = load_exported(run.model, CPU)
    files = [str(folder / name / "00.png") for name in SHADES]
    source = task.encode(pa.table({"image": files}), fitted, CPU, print)
    records = task.predict(network, next(source.read(source.plan(8))), fitted)
    assert [record["label"] for record in records] == list(SHADES)
    assert sum(records[0]["scores"].values()) == pytest.approx(1.0)


def test_the_report_shows_the_worst_mistakes_by_name(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades")
    picture(SHADES["light"], 99).save(folder / "dark" / "wrong.png")
    config = in_folder(folder).override(["data.test_fraction=0.5", "train.epochs=5"])
    views = {view["title"]: view for view in report_of(config)["views"]}
    assert {"Confusion matrix", "Classes", "Worst mistakes"} <= set(views)
    for name, true, predicted, probability in views["Worst mistakes"]["rows"]:
        assert name.endswith(".png")
        assert true != predicted
        assert 0.5 <= probability <= 1.0  # the likelier of two classes


def test_a_class_of_its_own_for_each_image_is_refused(tmp_path: Path) -> None:
    rows = [f"shades/{name}/{n:02}.png,{name}{n}" for name in SHADES for n in range(20)]
    folder_of_shades(tmp_path / "shades")
    (tmp_path / "list.csv").write_text("\n".join(["file,label", *rows]))
    config = configured({"kind": "file", "path": str(tmp_path / "list.csv")})
    task = create_task(config)
    with pytest.raises(DataError, match=r"label has \d+ different values in \d+ training rows"):
        task.pipeline.fit(task.pipeline.load())


def test_samples_show_images_with_their_classes(tmp_path: Path) -> None:
    run = train(in_folder(folder_of_shades(tmp_path / "shades")))
    events = [json.loads(line) for line in run.events.path.read_text().splitlines()]
    samples = [event["items"] for event in events if event["event"] == "samples"]
    assert len(samples) == 3
    assert set(samples[0][0]) == {"image", "predicted", "label"}


def test_images_of_all_kinds_are_mixed(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "mixed")
    for number, mode in enumerate(("L", "RGBA", "P", "1", "LA")):
        picture(SHADES["dark"], number, mode, size=5 + 9 * number).save(
            folder / "dark" / f"{mode}.png"
        )
    deep = np.full((9, 9), 60_000, np.uint16)
    Image.fromarray(deep).save(folder / "light" / "deep.png")
    Image.new("RGB", (1, 1), "white").save(folder / "light" / "tiny.png")
    Image.new("RGB", (4000, 2500), "white").save(folder / "light" / "huge.jpg")
    material = material_of(in_folder(folder))
    assert (material.fitted.channels, material.fitted.size) == (3, 12)
    assert sum(len(source) for source in material.sources.values()) == 48


def folder_of_deep_shades(folder: Path, count: int = 20) -> Path:
    """Dark and light images of 12 bits, half of them with one pixel that is far brighter."""
    for name, shade in {"dark": 20, "light": 200}.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            values = np.random.default_rng(number).integers(-10, 10, (8, 8)) + shade
            values[0, 0] = 4000 if number % 2 else shade
            Image.fromarray(values.astype(np.uint16)).save(folder / name / f"{number:02}.png")
    return folder


def test_images_of_many_bits_have_one_scale_that_is_recorded(tmp_path: Path) -> None:
    config = in_folder(folder_of_deep_shades(tmp_path / "deep"))
    fitted = material_of(config).fitted
    assert fitted.levels == Levels(integer=(0, 4095), exact=True)
    assert type(fitted).model_validate_json(fitted.model_dump_json()) == fitted
    assert "4,095 is white" in summary_of(config)["facts"]["brightness"]
    without = fitted.model_dump(exclude={"levels"})
    assert type(fitted)(**without).levels is None


@pytest.mark.parametrize("resident", [1 << 30, 0])
def test_images_of_many_bits_reach_the_network_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resident: int
) -> None:
    monkeypatch.setattr(encoding, "RESIDENT_BYTES", resident)
    material = material_of(in_folder(folder_of_deep_shades(tmp_path / "deep")))
    source, fitted = material.sources[TRAIN], material.fitted
    batch = next(source.read(source.plan(64)))
    seen = (batch.inputs * fitted.std[0] + fitted.mean[0]) * 4095
    for image, name in zip(seen, batch.rows["name"].to_pylist(), strict=True):
        with Image.open(name) as true:
            assert torch.allclose(
                image[0], torch.from_numpy(np.asarray(true, np.float32)), atol=0.5
            )


def test_dark_and_light_images_of_many_bits_are_distinguished(tmp_path: Path) -> None:
    config = in_folder(folder_of_deep_shades(tmp_path / "deep")).override(["train.epochs=20"])
    assert report_of(config)["metrics"]["test"]["accuracy"] == 1.0


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    fitted = material_of(in_folder(folder_of_shades(tmp_path / "grey", mode="L"))).fitted
    assert (fitted.channels, len(fitted.mean)) == (1, 1)


def test_images_that_cannot_be_read_are_counted_with_an_example(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades")
    (folder / "dark" / "text.png").write_text("no image at all")
    whole = (folder / "dark" / "00.png").read_bytes()
    (folder / "dark" / "half.png").write_bytes(whole[: len(whole) // 2])
    skips = {skip["reason"]: skip for skip in summary_of(in_folder(folder))["skips"]}
    assert skips["the image cannot be read"]["count"] == 1
    damaged = skips["the image is damaged or cut off"]
    assert damaged["count"] == 1
    assert damaged["example"].endswith("half.png")


def test_a_class_that_occurs_once_is_learned_too(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades")
    (folder / "rare").mkdir()
    picture(128, 0).save(folder / "rare" / "only.png")
    assert report_of(in_folder(folder))["metrics"]["test"]["accuracy"] > 0.5


def test_a_class_that_only_the_test_has_is_left_out(tmp_path: Path) -> None:
    folder_of_shades(tmp_path / "shades" / "train")
    folder_of_shades(tmp_path / "shades" / "test")
    (tmp_path / "shades" / "test" / "other").mkdir()
    picture(128, 0).save(tmp_path / "shades" / "test" / "other" / "1.png")
    summary = summary_of(in_folder(tmp_path / "shades"))
    assert summary["rows"]["test"] == 40
    assert [(skip["reason"], skip["count"]) for skip in summary["skips"]] == [
        ("its class is not in the training rows", 1)
    ]


def test_a_single_class_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "shades"
    (folder / "dark").mkdir(parents=True)
    for number in range(10):
        picture(40, number).save(folder / "dark" / f"{number}.png")
    with pytest.raises(DataError, match="the same class, 'dark'"):
        train(in_folder(folder))


def test_only_broken_images_say_so(tmp_path: Path) -> None:
    for name in SHADES:
        (tmp_path / "shades" / name).mkdir(parents=True)
        (tmp_path / "shades" / name / "1.png").write_text("broken")
    with pytest.raises(DataError, match="No training row can be used: the image cannot be read"):
        train(in_folder(tmp_path / "shades"))


def table_of_shades(labels: pa.Array | None = None, count: int = 40) -> pa.Table:
    images = []
    for number in range(count):
        file = io.BytesIO()
        picture(list(SHADES.values())[number % 2], number).save(file, "PNG")
        images.append({"bytes": file.getvalue(), "path": None})
    numbers = pa.array([number % 2 for number in range(count)])
    return pa.table({"image": images, "label": numbers if labels is None else labels})


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([number % 2 for number in range(40)]), ["0", "1"]),
        (pa.array([float(number % 2) for number in range(40)]), ["0", "1"]),
        (pa.array([bool(number % 2) for number in range(40)]), ["false", "true"]),
        (pa.array([list(SHADES)[number % 2] for number in range(40)]), ["dark", "light"]),
    ],
)
def test_classes_are_numbers_or_names(tmp_path: Path, labels: pa.Array, classes: list[str]) -> None:
    config = in_file(table_of_shades(labels), tmp_path / "shades.parquet")
    assert material_of(config).fitted.classes == classes


def test_names_of_classes_that_the_file_notes_are_used(tmp_path: Path) -> None:
    table = with_class_names(table_of_shades(), "label", ["black", "white"])
    config = in_file(table, tmp_path / "shades.parquet")
    summary = summary_of(config)
    assert set(summary["classes"]) == {"black", "white"}
    assert summary["columns"][0]["type"] == "image"


def test_rows_without_a_class_are_counted(tmp_path: Path) -> None:
    labels = pa.array([None if number < 3 else number % 2 for number in range(40)])
    config = in_file(table_of_shades(labels), tmp_path / "shades.parquet")
    assert [(skip["reason"], skip["count"]) for skip in summary_of(config)["skips"]] == [
        ("label is empty", 3)
    ]


def test_a_table_of_file_names_begins_beside_itself(tmp_path: Path) -> None:
    folder_of_shades(tmp_path / "shades")
    rows = [f"shades/{name}/{n:02}.png,{name}" for name in SHADES for n in range(20)]
    (tmp_path / "list.csv").write_text("\n".join(["file,label", *rows, "shades/no.png,dark"]))
    summary = summary_of(configured({"kind": "file", "path": str(tmp_path / "list.csv")}))
    assert sum(summary["rows"].values()) == 40
    assert summary["skips"][0]["reason"] == "the image file does not exist"


def test_several_labels_at_once_are_learned(tmp_path: Path) -> None:
    labels = pa.array([["shade", list(SHADES)[number % 2]] for number in range(40)])
    config = in_file(table_of_shades(labels), tmp_path / "shades.parquet")
    config = config.override(["train.epochs=15"])
    report = report_of(config)
    assert report["metrics"]["test"]["f1_micro"] > 0.8
    assert "Worst mistakes" in {view["title"] for view in report["views"]}


AUGMENTED = {"flip": "both", "crop": 2, "rotation": 10.0, "color_jitter": 0.2, "erasing": 0.3}


def test_augmentation_depends_on_seed_epoch_and_position_alone(tmp_path: Path) -> None:
    config = in_folder(folder_of_shades(tmp_path / "shades"), augmentation=AUGMENTED)
    source = material_of(config).sources[TRAIN]
    plan = epoch_plan(source, 8, seed=1, epoch=2)
    noise = Noise(1, 2, CPU)
    whole = [batch.inputs for batch in source.read(plan, 0, noise)]
    torch.rand(1000)
    later = [batch.inputs for batch in source.read(plan, 2, noise)]
    assert len(later) == len(whole) - 2
    for first, second in zip(whole[2:], later, strict=True):
        assert torch.equal(first, second)
    for other in (Noise(2, 2, CPU), Noise(1, 3, CPU)):
        assert not torch.equal(whole[0], next(source.read(plan, 0, other)).inputs)
    assert not torch.equal(whole[0], next(source.read(plan)).inputs)


def test_data_that_is_too_large_gives_the_same_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = in_folder(folder_of_shades(tmp_path / "shades"), augmentation=AUGMENTED)
    resident = material_of(config).sources[TRAIN]
    monkeypatch.setattr(encoding, "RESIDENT_BYTES", 0)
    stored = material_of(config).sources[TRAIN]
    assert type(stored) is not type(resident)
    plan = epoch_plan(resident, 8, seed=0, epoch=0)
    for noise in (None, Noise(0, 0, CPU)):
        both = zip(resident.read(plan, 1, noise), stored.read(plan, 1, noise), strict=True)
        for first, second in both:
            assert torch.equal(first.inputs, second.inputs)
            assert torch.equal(first.targets, second.targets)


def test_large_data_leaves_out_what_cannot_be_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of_shades(tmp_path / "shades")
    whole = (folder / "dark" / "00.png").read_bytes()
    (folder / "dark" / "half.png").write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr(encoding, "RESIDENT_BYTES", 0)
    config = in_folder(folder).override(["data.test_fraction=0", "data.validation_fraction=0"])
    events: list[Any] = []
    source = material_of(config, events).sources[TRAIN]
    for _ in range(2):
        assert sum(len(batch.targets) for batch in source.read(source.plan(16))) == 40
    warnings = [event.message for event in events if event.kind == "log"]
    assert len(warnings) == 1
    assert "half.png" in warnings[0]


def test_images_are_decoded_once_for_all_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(fitting, "_MEASURED", 7)
    decoded: list[Any] = []

    def counted(record: Any, *form: Any) -> Any:
        decoded.append(record)
        return decode(record, *form)

    monkeypatch.setattr(encoding, "decode", counted)
    folder = folder_of_shades(tmp_path / "shades")
    # Of 28 images, 7 were decoded to be measured.
    for cache, decodings in ((1.0, 28 - 7), (0.0, 3 * 28)):
        config = in_folder(folder, augmentation=AUGMENTED)
        config = config.override([f"compute.image_cache={cache}"])
        source = material_of(config).sources[TRAIN]
        decoded.clear()
        epochs = [
            torch.cat(
                [batch.inputs for batch in source.read(epoch_plan(source, 8, 0, 0), 0, noise)]
            )
            for noise in [Noise(0, 0, CPU)] * 3
        ]
        assert len(source) == 28
        assert len(decoded) == decodings
        assert all(torch.equal(epochs[0], later) for later in epochs[1:])


def test_random_crops_are_cut_from_the_files_in_training_alone(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades", size=40)
    config = in_folder(folder, image_size=10, augmentation={"resized_crop": 0.1})
    source = material_of(config).sources[TRAIN]
    plain = material_of(in_folder(folder, image_size=10)).sources[TRAIN]
    plan = source.plan(8)
    still, other = next(source.read(plan)), next(plain.read(plan))
    assert torch.equal(still.inputs, other.inputs)
    for epoch in (0, 1):
        batch = next(source.read(plan, 0, Noise(0, epoch, CPU)))
        fitted = material_of(config).fitted
        for name, row, image in zip(
            still.rows["name"].to_pylist(), plan[0].tolist(), batch.inputs, strict=True
        ):
            with Image.open(name) as full:
                box = Crop(0.1, 0, epoch, row)(*full.size)
                part = full.resize((10, 10), Image.Resampling.BILINEAR, box=box)
            expected = (np.asarray(part) / 255 - fitted.mean) / fitted.std
            assert np.allclose(image.permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_training_images_grow_to_their_full_size(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades", size=24)
    config = in_folder(folder, augmentation={"start_size": 12}).override(["train.epochs=10"])
    source = material_of(config).sources[TRAIN]
    sizes = [
        next(source.read(source.plan(8), 0, Noise(0, epoch, CPU))).inputs.shape[-1]
        for epoch in range(10)
    ]
    assert sizes == [12, 12, 16, 16, 20, 20, 24, 24, 24, 24]
    assert next(source.read(source.plan(8))).inputs.shape[-1] == 24


def test_a_network_that_takes_no_smaller_images_says_so(tmp_path: Path) -> None:
    folder = folder_of_shades(tmp_path / "shades", size=16)
    config = in_folder(folder, augmentation={"start_size": 8}).override(
        ["model.kind=image_transformer", "model.hidden_size=16", "model.num_hidden_layers=1"]
    )
    with pytest.raises(TrainingError, match="this network cannot take images of 8 px"):
        train(config)
    config = in_folder(folder, augmentation={"start_size": 32})
    with pytest.raises(TrainingError, match="32 px is larger than the images, 16 px"):
        train(config)


def test_evaluations_and_predictions_average_an_image_and_its_mirror_image(tmp_path: Path) -> None:
    config = in_folder(folder_of_shades(tmp_path / "shades"), test_time_flip=True)
    task = create_task(config)
    material = prepare(task, choose(config.compute), print)
    network = task.build_network(material.fitted).eval()
    source = material.sources[TRAIN]
    batch = next(source.read(source.plan(64)))
    evaluator = task.evaluator(material.fitted)
    with torch.inference_mode():
        evaluator.update(network, batch)
        records = task.predict(network, batch, material.fitted)
        logits = (network(batch.inputs) + network(batch.inputs.flip(-1))) / 2
    loss = torch.nn.functional.cross_entropy(logits, batch.targets)
    assert evaluator.compute().metrics["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert records[0]["score"] == pytest.approx(float(logits.softmax(1)[0].max()), rel=1e-5)


def test_results_tell_what_test_time_flip_changes_and_programs_have_it(tmp_path: Path) -> None:
    config = in_folder(folder_of_shades(tmp_path / "shades"), test_time_flip=True)
    run = train(config.override(["train.epochs=1"]))
    report = run.report.read() or {}
    table = next(view for view in report["views"] if view["title"] == FLIP)
    assert [row[0] for row in table["rows"]] == ["image and mirror image", "image as it is"]
    [(split, _)] = report["intervals"].items()
    assert table["rows"][0][1] == pytest.approx(report["metrics"][split]["accuracy"], abs=1e-4)

    answer = export.answer(run.id, str(tmp_path / "model.pt2"), "program")
    assert "is part of the file" in answer["notes"][0]
    _, fitted, network = load_exported(run.model, torch.device("cpu"))
    images = torch.randn(3, fitted.channels, fitted.size, fitted.size)
    program = torch.export.load(tmp_path / "model.pt2").module()
    with torch.inference_mode():
        wanted = (network(images) + network(images.flip(-1))) / 2
        [found] = program(images)
        assert torch.allclose(found, wanted, atol=1e-5)
        assert not torch.allclose(wanted, network(images), atol=1e-5)

    answer = export.answer(run.id, str(tmp_path / "folder"), "folder")
    assert "not part of these weights" in answer["notes"][0]
    assert f"{table['rows'][1][1]} so, and {table['rows'][0][1]} with" in answer["notes"][0]


def test_a_recipe_of_all_parts_learns(tmp_path: Path) -> None:
    fields = {"resized_crop": 0.5, "policy": "rand", "mixup": 0.2, "cutmix": 1.0, "start_size": 8}
    config = in_folder(folder_of_shades(tmp_path / "shades"), augmentation=fields)
    config = config.override(["train.epochs=15", "train.ema_decay=0.9", "task.test_time_flip=true"])
    assert report_of(config)["metrics"]["test"]["accuracy"] == 1.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.data
def test_cifar10_is_learned_from_5000_images(real_data: Path) -> None:
    preset = find_preset("cifar10-cnn")
    data = ["data.kind=file", f"data.path={real_data / 'cifar10'}", "data.max_samples=5000",
            "data.validation_fraction=0.02"]  # fmt: skip
    accuracies = []
    for seed in range(3):
        config = load_preset(preset, [*data, f"train.seed={seed}"])
        accuracies.append(report_of(config)["metrics"]["test"]["accuracy"])
    assert median(accuracies) >= 0.77
