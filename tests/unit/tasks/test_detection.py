"""Images with boxes, from files to targets, and from a network's outputs to records."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from engine.config.models.centernet import CenterNetConfig
from engine.config.run_config import RunConfig
from engine.data.raw import Skip
from engine.errors import DataError
from engine.metrics.images.detection import Found, JudgedImage, evaluate_objects, outcome, sure_of
from engine.models.build import build_model
from engine.models.images.centernet import CenterNet, build, generalized_iou
from engine.models.images.detector import likeliest, objects_of
from engine.models.shapes import ImageShape
from engine.vision.augmentation.placement import NO_OBJECT

Make = Callable[..., Any]
KIND = "object_detection"
STORED = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
WIDTH, HEIGHT = 64, 32


def stored(name: str = "a.png") -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": name}


def table(*cells: Any, images: list[Any] | None = None, **columns: Any) -> pa.Table:
    images = images or [stored(f"{row}.png") for row in range(len(cells))]
    return pa.table({"image": pa.array(images, STORED), "objects": list(cells)} | columns)


def one(label: str, *box: float) -> dict[str, Any]:
    return {"label": label, "box": list(map(float, box))}


CAT, DOG = one("cat", 0, 0, 32, 16), one("dog", 16, 8, 64, 32)


def test_targets_are_shares_of_the_sides_with_class_numbers(prepare: Make) -> None:
    prepared = prepare(KIND, table([DOG, CAT], [CAT], []))
    fitted = prepared.fitted
    assert (fitted.classes, fitted.counts, fitted.size) == (["cat", "dog"], [2, 1], 32)
    targets = prepared.encoded().targets
    assert targets[0].tolist() == [[0.25, 0.25, 1, 1, 1], [0, 0, 0.5, 0.5, 0]]
    assert targets[1].tolist() == [[0, 0, 0.5, 0.5, 0], [0, 0, 0, 0, NO_OBJECT]]
    assert [len(classes) for _, classes in objects_of(targets)] == [2, 1, 0]


@pytest.mark.parametrize(
    ("cell", "format"),
    [
        ([{"category": "dog", "bbox": [16, 8, 48, 24]}], "auto"),
        ({"bbox": [[16, 8, 48, 24]], "category": ["dog"]}, "auto"),
        ({"bbox": [[16, 8, 64, 32]], "label": ["dog"]}, "xyxy"),
        ([{"label": "dog", "box": [16, 8, 48, 24]}], "xywh"),
    ],
)
def test_objects_of_tables_are_read_in_the_usual_forms(
    prepare: Make, cell: Any, format: str
) -> None:
    prepared = prepare(KIND, table(cell, cell), box_format=format)
    assert prepared.encoded().targets[0].tolist() == [[0.25, 0.25, 1, 1, 0]]


def test_rows_and_objects_that_cannot_be_used_are_counted(pipeline: Make) -> None:
    images = [stored("0.png"), {"bytes": b"no image", "path": "1.png"}, stored("2.png")]
    train = table([CAT, one("cat", 5, 5, 5, 9), one("cat", 70, 0, 80, 5)], [CAT],
                  [one("dog", -4, 0, 10, 10)], images=images)  # fmt: skip
    raw = pipeline(KIND, train, test=table([one("cow", 0, 0, 9, 9), CAT])).load()
    assert raw.skips == (Skip("the image cannot be read", 1, "1.png"),)
    assert {note.why: note.rows for note in raw.notes if note.column == "objects"} == {
        "a box has no area (the first: 0.png)": 1,
        "a box lies outside of its image (the first: 0.png)": 1,
        "a box reaches beyond its image, and is cut at the edge (the first: 2.png)": 1,
        "an object's class is not in the training images (the first: 0.png)": 1,
    }
    assert [len(cell) for cell in raw.train["objects"].to_pylist()] == [1, 1]
    assert raw.train["objects"][1].as_py()[0]["box"] == [0, 0, 10, 10]
    assert [len(cell) for cell in raw.splits["test"]["objects"].to_pylist()] == [1]


def test_images_without_any_object_are_refused(pipeline: Make) -> None:
    empty = table([CAT], []).slice(1)
    with pytest.raises(DataError, match="No training image has an object"):
        pipeline(KIND, empty).load()


def test_the_summary_counts_objects_and_backgrounds(prepare: Make) -> None:
    prepared = prepare(KIND, table([DOG, CAT], [CAT], []))
    summary = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted)
    assert summary.classes == {"cat": 2, "dog": 1}
    assert summary.facts["objects"] == "3, 1.00 an image on average, 2 at most"
    assert summary.facts["background"] == "1 image without objects"


def found(*objects: tuple[tuple[float, ...], int, float]) -> Found:
    return Found(
        np.array([box for box, _, _ in objects], np.float64).reshape(-1, 4),
        np.array([number for _, number, _ in objects], np.int64),
        np.array([score for _, _, score in objects], np.float64),
    )


BOX, AWAY = (0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0)


def test_map_is_that_of_coco() -> None:
    # Two objects; the surest detection is right by an IoU of 0.62, the second is wrong, the third
    # is right and exact.
    truth = found((BOX, 0, 1), (AWAY, 0, 1))
    seen = found(((0.0, 0.0, 10.0, 6.2), 0, 0.9), ((40.0, 40.0, 50.0, 50.0), 0, 0.8),
                 (AWAY, 0, 0.7))  # fmt: skip
    metrics = evaluate_objects([JudgedImage("a", seen, truth)], ["x"]).metrics
    # At 101 recalls, precision is 1 up to a half (51 of them), and 2/3 above (50).
    high = (51 * 1 + 50 * 2 / 3) / 101
    # From an IoU of 0.65 on only the third is right: precision 1/3 up to a recall of a half.
    low = 51 / 3 / 101
    assert metrics["map50"] == pytest.approx(high)
    assert metrics["map75"] == pytest.approx(low)
    # Three of the ten thresholds, 0.50 to 0.60, are met by both.
    assert metrics["map"] == pytest.approx((3 * high + 7 * low) / 10)
    assert metrics["recall"] == pytest.approx((3 * 1 + 7 * 0.5) / 10)


def test_map_is_the_mean_over_classes_that_are_there() -> None:
    truth = found((BOX, 0, 1), (AWAY, 1, 1))
    seen = found((BOX, 0, 0.9))
    result = evaluate_objects([JudgedImage("a", seen, truth)], ["x", "y", "z"], views=True)
    assert result.metrics["map50"] == pytest.approx(0.5)
    [view] = result.views
    assert [row[:2] for row in view.rows] == [["x", 1.0], ["y", 0.0], ["z", None]]  # type: ignore[attr-defined]


def test_without_detections_map_is_0() -> None:
    image = JudgedImage("a", found(), found((BOX, 0, 1)))
    assert evaluate_objects([image], ["x"]).metrics["map"] == 0


def test_an_image_is_judged_by_what_is_found_missed_and_wrong() -> None:
    truth = found((BOX, 0, 1), (AWAY, 1, 1))
    seen = found((BOX, 0, 0.9), (BOX, 1, 0.8), (AWAY, 0, 0.7), (BOX, 0, 0.1))
    # The second lies where the first does; the third has the wrong class.
    assert len(sure_of(seen, 0.3).scores) == 2
    assert outcome(JudgedImage("a", seen, truth), 0.3) == (1, 1, 1)


def test_the_likeliest_pairs_of_box_and_class_come_first() -> None:
    boxes = torch.tensor([[0, 0, 0.5, 0.5], [0.2, 0.2, 1.4, 1.0]])
    scores = torch.tensor([[0.1, 0.7], [0.6, 0.2]])
    best = likeliest(boxes, scores)
    assert best.classes.tolist() == [1, 0, 1, 0]
    assert best.scores.tolist() == pytest.approx([0.7, 0.6, 0.2, 0.1])
    assert best.boxes[1].tolist() == pytest.approx([0.2, 0.2, 1.0, 1.0])


def test_generalized_iou_is_that_of_its_definition() -> None:
    one_, other = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]])
    # Shared 2 of 6, and all of the box around both is covered.
    assert generalized_iou(one_, other).tolist() == pytest.approx([1 / 3])
    apart = torch.tensor([[2.0, 0, 4, 2]])
    away = torch.tensor([[6.0, 0, 8, 2]])
    # Nothing shared; 4 of the 12 around both are covered by neither.
    assert generalized_iou(apart, away).tolist() == pytest.approx([-4 / 12])


def network(classes: int = 2) -> CenterNet:
    torch.manual_seed(0)
    config = CenterNetConfig(channels=(4, 8, 8))
    return build(config, ImageShape(3, 32, classes, ("a",) * classes))


def test_peaks_of_the_heat_are_objects() -> None:
    heat = torch.full((1, 2, 8, 8), -9.0)
    heat[0, 1, 2, 5], heat[0, 1, 2, 6], heat[0, 0, 7, 0] = 3.0, 2.0, 1.0
    boxes = torch.rand(1, 4, 8, 8)
    boxes[0, :, 2, 5] = torch.tensor([0.1, 0.2, 0.7, 1.5])
    [detections] = network().detections({"logits": heat, "boxes": boxes})
    # The neighbour of the first peak is lower, and none itself.
    assert detections.classes[:2].tolist() == [1, 0]
    # The sigmoid of 3, of 1, and of −9.
    assert detections.scores[:3].tolist() == pytest.approx([0.9526, 0.7311, 0.0001], abs=1e-4)
    assert detections.boxes[0].tolist() == pytest.approx([0.1, 0.2, 0.7, 1.0])


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "centernet", "channels": [4, 4]},
        {"kind": "torchvision_detection", "name": "fasterrcnn_mobilenet_v3_large_320_fpn",
         "pretrained": False},
        {"kind": "detection_transformer", "hidden_size": 16, "num_attention_heads": 2,
         "num_hidden_layers": 1},
    ],
    ids=lambda model: model["kind"],
)  # fmt: skip
def test_the_loss_of_an_evaluation_is_the_same_each_time_and_changes_nothing(model: Any) -> None:
    config = RunConfig.parse(
        {"task": {"kind": KIND}, "data": {"kind": "builtin", "name": "shapes"}, "model": model}
    )
    network = build_model(config.model, ImageShape(3, 64, 2, ("a", "b"))).eval()
    images = torch.rand(2, 3, 64, 64)
    targets = torch.tensor([[[0.1, 0.1, 0.5, 0.5, 1]], [[0, 0, 0, 0, -1.0]]])
    before, parts = torch.get_rng_state(), [part.training for part in network.modules()]
    with torch.inference_mode():
        (loss, outputs), (again, _) = (network(images, targets) for _ in range(2))
        alone = network(images)
    assert torch.isfinite(loss)
    assert loss == again
    assert torch.equal(before, torch.get_rng_state())
    assert [part.training for part in network.modules()] == parts
    detect: Any = network.detections
    for own, other in zip(detect(outputs), detect(alone), strict=True):
        assert torch.equal(own.boxes, other.boxes)


def test_a_detector_learns_a_box_and_ignores_the_rows_that_fill_up() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    images = torch.zeros(2, 3, 32, 32)
    images[0, :, 8:24, 4:20] = 1
    filler = [0.0, 0.0, 0.0, 0.0, NO_OBJECT]
    truth = [4 / 32, 8 / 32, 20 / 32, 24 / 32, 1.0]
    targets = torch.tensor([[truth, filler], [filler, filler]])
    for _ in range(60):
        optimizer.zero_grad()
        model(images, targets).backward()
        optimizer.step()
    model.eval()
    seen, background = model.detections(model(images))
    assert seen.classes[0] == 1
    assert seen.scores[0] > 0.5 > background.scores[0]
    assert seen.boxes[0].tolist() == pytest.approx(truth[:4], abs=0.08)


def test_samples_and_their_pictures_are_of_one_pass_of_the_network(prepare: Make) -> None:
    prepared = prepare(KIND, table([CAT], [DOG]))
    source = prepared.task.encode(prepared.raw.train, prepared.fitted, torch.device("cpu"), print)
    network, passes = prepared.network(), []
    network.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        shown = prepared.task.samples(network, source, prepared.fitted)
    assert len(passes) == 1
    assert [text["label"].split()[0] for text in shown.texts] == ["cat", "dog"]
    names = [text["image"] for text in shown.texts]
    assert [one.name for one in shown.inputs] == [one.name for one in shown.outputs] == names


def test_predictions_are_in_pixels_of_the_image(prepare: Make) -> None:
    prepared = prepare(KIND, table([CAT], [DOG]), score_threshold=0.5)
    model = prepared.network()

    class Fixed(torch.nn.Module):
        detections = model.detections

        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            heat = torch.full((len(images), 2, 8, 8), -9.0)
            heat[:, 1, 4, 4] = 2.0
            boxes = torch.tensor([0.25, 0.5, 0.75, 1.0])[None, :, None, None]
            return {"logits": heat, "boxes": boxes.expand(len(images), 4, 8, 8)}

    [record] = prepared.predictions(Fixed(), pa.table({"image": pa.array([stored()], STORED)}))
    assert (record["width"], record["height"]) == (WIDTH, HEIGHT)
    [seen] = record["objects"]
    assert seen == {"label": "dog", "score": pytest.approx(0.8808, abs=1e-4),
                    "box": [16, 16, 48, 32]}  # fmt: skip
    [shown] = prepared.task.presentation(None, prepared.fitted).records([record])
    assert shown["1 dog"] == "88.1%  x 16–48, y 16–32"
    [empty] = prepared.task.presentation(None, prepared.fitted).records([record | {"objects": []}])
    threshold = prepared.task.section.score_threshold
    assert empty["objects"] == f"none with a score of {threshold:.0%} or more"
