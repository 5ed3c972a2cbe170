"""The fields of object detection."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.annotated_images import AnnotatedImagesConfig


class ObjectDetectionConfig(AnnotatedImagesConfig):
    """Column of the boxes, their format, and what is shown of predictions."""

    kind: Literal["object_detection"] = "object_detection"
    title = "Object detection"
    implementation = "engine.tasks.object_detection:ObjectDetection"
    pipeline = "engine.pipelines.object_detection:ObjectDetectionPipeline"
    models = ("centernet", "torchvision_detection", "detection_transformer")
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("map", percent=True, help="COCO's mAP: mean over IoU from 0.50 to 0.95"),
        Metric("map50", percent=True, help="mean average precision at an IoU of 0.50"),
        Metric("map75", percent=True, help="mean average precision at an IoU of 0.75"),
        LOSS,
        Metric("recall", percent=True, help="COCO's average recall of 100 detections an image"),
    )

    objects: str = option(
        "", "Column with lists of objects, each a label and a box; empty finds it", column=True
    )
    box_format: Literal["auto", "xyxy", "xywh"] = option(
        "auto",
        "Numbers of a box in a table: left, top, right, bottom, or left, top, width, height; auto "
        "reads box as xyxy, and bbox as xywh, as COCO does, unless boxes would leave their images",
        advanced=True,
    )
    score_threshold: float = option(
        0.3, "Least score of an object that is shown; metrics go over all", ge=0, le=1
    )
