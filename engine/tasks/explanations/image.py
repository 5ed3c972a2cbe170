"""The places of an image on which a network's class rests."""

from __future__ import annotations

from torch import Tensor, nn

from engine.batches.source import Batch
from engine.errors import DataError
from engine.explanations.grad_cam import grad_cam
from engine.explanations.heat_map import heated, place_of
from engine.explanations.targets import likeliest, number_of
from engine.files.sanitize import plain
from engine.reports.explanation import Explanation
from engine.reports.views import Pictures
from engine.tasks.galleries.images import file_of, pixels_of
from engine.vision.fitted import ImageFitted
from engine.vision.pictures import picture

_SIDE = 128


def explain_image(
    network: nn.Module, batch: Batch, fitted: ImageFitted, logits: Tensor, target: str
) -> Explanation:
    """Return the image beside its heat map; see :meth:`engine.tasks.task.Task.explain`.

    ``logits`` are the ``[classes]`` that the task predicts from.
    """
    number = number_of(target, fitted.classes, logits)
    heat = grad_cam(network, batch.inputs[:1], number)
    if heat is None:
        raise DataError("No layer of this network has places of the image, so none can be shown.")
    chances = logits.sigmoid() if fitted.multi_label else logits.softmax(0)
    name = plain(fitted.classes[number], 40)
    image = pixels_of(batch.inputs[0], fitted)
    place = place_of(heat.weights)
    file = file_of(str(batch.rows["name"][0].as_py()))
    shown = picture(image, _SIDE, caption=f"{name} {chances[number]:.0%}", name=file)
    looked = f"for {name}: {place}" if place else f"nothing speaks for {name}"
    side = "×".join(map(str, heat.weights.shape))
    return Explanation(
        fitted.classes[number],
        likeliest(logits, fitted.classes),
        f"Grad-CAM, {side} places of the layer {plain(heat.layer, 60)}",
        [Pictures(name, [shown, picture(heated(image, heat.weights), _SIDE, caption=looked)])],
    )
