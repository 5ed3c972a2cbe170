"""The part that tasks on images with masks or boxes share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.batches.source import Source
from engine.config.models.image import Preprocessing
from engine.config.models.pretrained import WeightsConfig
from engine.config.tasks.annotated_images import AnnotatedImagesConfig
from engine.models.build import build_model
from engine.models.shapes import ImageShape
from engine.runs.events import Report
from engine.tasks.network_files import NetworkFiles
from engine.tasks.task import Task
from engine.vision.annotated.encoding import encode_annotated
from engine.vision.annotated.source import PlacedPreparation, Target
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.augmentation.placement import PlacedAugmentation, Placement
from engine.vision.files.processor_file import write_processor
from engine.vision.preparation import Normalisation

A = TypeVar("A", bound=AnnotatedFitted)


class AnnotatedTask(Task[A]):
    """One network over images of one size, whose targets move with their pixels."""

    section: AnnotatedImagesConfig
    move: ClassVar[Callable[[Placement, Tensor], Tensor]]
    """Moves the targets of a batch to a placement of its images."""

    @abstractmethod
    def targets(self, table: pa.Table, fitted: A) -> Callable[[int], Target] | None:
        """Return what gives a row its target; ``None`` for rows that serve predictions."""

    def weigh(self, target: Target) -> float:
        """Return the terms that an image with this target has in the loss."""
        del target
        return 1.0

    @abstractmethod
    def processor(self, fitted: A) -> str:
        """Return transformers' image processor that goes with the network."""

    def encode(self, table: pa.Table, fitted: A, device: torch.device, report: Report) -> Source:
        """Decoded images with their targets, or where they are too many, as they are needed."""
        preparation = PlacedPreparation(
            Normalisation(fitted.mean, fitted.std),
            type(self).move,
            PlacedAugmentation(self.section.augmentation),
        )
        targets = self.targets(table, fitted)
        source, skips = encode_annotated(
            table, fitted, targets, preparation, device, report, self.weigh
        )
        counting: Any = self.pipeline
        counting.undecoded += skips
        return source

    def build_network(self, fitted: A) -> nn.Module:
        """The network of the model section."""
        classes = tuple(fitted.classes)
        shape = ImageShape(fitted.channels, fitted.size, len(classes), classes)
        # As the images are laid out.
        return build_model(self.config.model, shape).to(memory_format=torch.channels_last)

    @override
    def files(self, fitted: A) -> NetworkFiles:
        """With the image preprocessing in the format that transformers reads."""
        usual = super().files(fitted)
        if not isinstance(self.config.model, WeightsConfig):
            return usual
        wanted = Preprocessing(fitted.size, tuple(fitted.mean), tuple(fitted.std))
        return replace(
            usual, companions=partial(write_processor, wanted, processor=self.processor(fitted))
        )
