"""The places of an image on which a network's class rests."""

from __future__ import annotations

from torch import Tensor, nn

from engine.batches.source import Batch
from engine.errors import DataError
from engine.explanations.grad_cam import Heat, grad_cam
from engine.explanations.heat_map import heated, place_of
from engine.explanations.targets import likeliest, number_of
from engine.files.sanitize import plain
from engine.reports.explanation import Explanation
from engine.reports.picture import Picture
from engine.reports.views import Pictures
from engine.tasks.galleries.images import file_of, pixels_of
from engine.vision.fitted import ImageFitted, NumberedFitted, PixelFitted
from engine.vision.pictures import picture

_SIDE = 128


def explain_image(
    network: nn.Module, batch: Batch, fitted: ImageFitted, logits: Tensor, target: str
) -> Explanation:
    """Return the image beside its heat map; see :meth:`engine.tasks.task.Task.explain`.

    ``logits`` are the ``[classes]`` that the task predicts from.
    """
    number = number_of(target, fitted.classes, logits)
    heat = _heat(network, batch, number)
    chances = logits.sigmoid() if fitted.multi_label else logits.softmax(0)
    name = plain(fitted.classes[number], 40)
    pictures = _pictures(batch, fitted, heat, f"{name} {chances[number]:.0%}", name)
    names = likeliest(logits, fitted.classes)
    return Explanation(fitted.classes[number], names, _method(heat), [Pictures(name, pictures)])


def explain_image_number(
    network: nn.Module, batch: Batch, fitted: NumberedFitted, value: float
) -> Explanation:
    """Return the image beside the places that make its number, ``value``, larger."""
    heat, name = _heat(network, batch, 0), plain(fitted.target, 40)
    pictures = _pictures(batch, fitted, heat, f"{name} {value:.5g}", f"a larger {name}")
    return Explanation(fitted.target, [fitted.target], _method(heat), [Pictures(name, pictures)])


def _heat(network: nn.Module, batch: Batch, number: int) -> Heat:
    heat = grad_cam(network, batch.inputs[:1], number)
    if heat is None:
        raise DataError("No layer of this network has places of the image, so none can be shown.")
    return heat


def _pictures(
    batch: Batch, fitted: PixelFitted, heat: Heat, caption: str, what: str
) -> list[Picture]:
    """Return the image, and the heat of its places over it, which speak for ``what``."""
    image = pixels_of(batch.inputs[0], fitted)
    place = place_of(heat.weights)
    file = file_of(str(batch.rows["name"][0].as_py()))
    shown = picture(image, _SIDE, caption=caption, name=file)
    looked = f"for {what}: {place}" if place else f"nothing speaks for {what}"
    return [shown, picture(heated(image, heat.weights), _SIDE, caption=looked)]


def _method(heat: Heat) -> str:
    side = "×".join(map(str, heat.weights.shape))
    return f"Grad-CAM, {side} places of the layer {plain(heat.layer, 60)}"
