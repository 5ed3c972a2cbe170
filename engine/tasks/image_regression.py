"""Image regression: one number an image, in the units of the data."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.config.models.image import Preprocessing
from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.image_regression import ImageRegressionConfig
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluator
from engine.metrics.images.numbers import ImageNumbers
from engine.metrics.outputs_fit import OutputsFit
from engine.metrics.tables.regression import number_loss
from engine.models.build import build_model
from engine.models.images.mirrored import Mirrored, both_sides
from engine.models.images.number import prepare_number
from engine.models.shapes import ImageShape
from engine.pipelines.image_regression import ImageRegressionPipeline
from engine.reports.explanation import Explanation
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.runs.events import Report
from engine.tasks.calibration import Calibration
from engine.tasks.deployment import Deployment
from engine.tasks.explanations.image import explain_image_number
from engine.tasks.galleries.images import errors_gallery, sample_pictures
from engine.tasks.image_baseline import number_baselines
from engine.tasks.network_files import NetworkFiles
from engine.tasks.presentation import Presentation, Records
from engine.tasks.row_bands import bands_of, with_bands
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.task import Task
from engine.text.numbers_of import numbers_of
from engine.vision.augmentation.batch import Augmentation
from engine.vision.encoding import encode_images
from engine.vision.files.column import images_of
from engine.vision.files.processor_file import write_processor
from engine.vision.fitted import NumberedFitted
from engine.vision.pictures import pictures_of
from engine.vision.preparation import Normalisation, Preparation

_SHOWN = 5
"""Images for the monitor."""


class ImageRegression(Task[NumberedFitted]):
    """The network's only output is the number."""

    pipeline: ImageRegressionPipeline
    section: ImageRegressionConfig

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._scale = (0.0, 1.0)
        """Mean and deviation of the numbers, once a network is built."""
        self._loss = partial(number_loss, loss=self.section.loss, levels=())
        self._evaluator: ImageNumbers | None = None

    def encode(
        self, table: pa.Table, fitted: NumberedFitted, device: torch.device, report: Report
    ) -> Source:
        """Decoded images on the device, or where they are too many, as they are needed."""
        fields = self.section.augmentation
        preparation = Preparation(
            Normalisation(fitted.mean, fitted.std),
            Augmentation(fields),
            least_crop=fields.resized_crop,
        )
        source, skips = encode_images(
            table, fitted, _targets(table, fitted), preparation, device, report,
            int(self.config.compute.image_cache * 1e9), self.pipeline.decoded.take(table),
        )  # fmt: skip
        self.pipeline.undecoded += skips
        return source

    def build_network(self, fitted: NumberedFitted) -> nn.Module:
        """The network of the model section, whose new head begins at the mean of the numbers."""
        self._scale = (fitted.target_mean, fitted.target_std)
        shape = ImageShape(fitted.channels, fitted.size, 1, (fitted.target,), regression=True)
        network = build_model(self.config.model, shape)
        prepare_number(network, *self._scale)
        return network.to(memory_format=torch.channels_last)

    @override
    def files(self, fitted: NumberedFitted) -> NetworkFiles:
        """With the image preprocessing in the format that transformers reads."""
        usual = super().files(fitted)
        if not isinstance(self.config.model, ImageTransformerConfig):
            return usual
        wanted = Preprocessing(fitted.size, tuple(fitted.mean), tuple(fitted.std))
        return replace(usual, companions=partial(write_processor, wanted, resize=fitted.resize))

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Of the numbers in standard deviations."""
        return self._loss(_standardised(network(batch.inputs), self._scale), batch.targets)

    def evaluator(self, fitted: NumberedFitted) -> Evaluator:
        """Errors in the units of the numbers, and the images with the largest ones."""
        bands = bands_of(fitted, self.section.quantiles)
        scale = (fitted.target_mean, fitted.target_std)
        self._evaluator = ImageNumbers(scale, self._outputs, self._loss, bands)
        return self._evaluator

    @override
    def calibration(self, fitted: NumberedFitted) -> Calibration[NumberedFitted]:
        """Fit bands on the validation images."""
        fit = partial(with_bands, fitted, self.section.quantiles)
        return Calibration(lambda: OutputsFit(self._outputs, fit))

    @override
    def deployment(self) -> Deployment:
        return Deployment(Mirrored) if self.section.test_time_flip else Deployment()

    @override
    def gallery(self, network: nn.Module, source: Source, fitted: NumberedFitted) -> Gallery | None:
        """The largest errors of the last evaluation with views, which was on ``source``."""
        del network
        return errors_gallery(self._evaluator, source, fitted)

    @override
    def presentation(self, network: nn.Module, fitted: NumberedFitted) -> Presentation:
        return Presentation(pictures=partial(_pictures, fitted))

    @override
    def explain(
        self, network: nn.Module, batch: Batch, fitted: NumberedFitted, target: str
    ) -> Explanation:
        del target  # there is one
        with torch.no_grad():
            [record] = self.predict(network, batch, fitted)
        return explain_image_number(network, batch, fitted, record["value"])

    def predict(
        self, network: nn.Module, batch: Batch, fitted: NumberedFitted
    ) -> list[dict[str, Any]]:
        """The image, its number and the quantiles, named by their levels."""
        bands = bands_of(fitted, self.section.quantiles)
        outputs = self._outputs(network, batch).detach().float().cpu()
        values = {"value": bands.point(outputs)}
        quantiles = bands.quantiles(outputs)
        for place, level in enumerate(bands.levels):
            if quantiles is not None and level != 0.5:
                values[f"value {level:g}"] = quantiles[:, place]
        numbers = [
            (part.double() * fitted.target_std + fitted.target_mean).tolist()
            for part in values.values()
        ]
        return [
            {"image": name} | dict(zip(values, row, strict=True))
            for name, *row in zip(batch.rows["name"].to_pylist(), *numbers, strict=True)
        ]

    @override
    def baselines(self, raw: RawData, fitted: NumberedFitted) -> list[Baseline]:
        """Ridge regression on edges and colours."""
        return number_baselines(raw, fitted)

    @override
    def samples(self, network: nn.Module, source: Source, fitted: NumberedFitted) -> ShownSamples:
        """The first few images, what the network makes of them, and what is true."""
        batch = next(source.read(source.plan(_SHOWN)[:1]), None)
        if batch is None or batch.targets is None:
            return ShownSamples()
        truth = batch.targets.double().cpu() * fitted.target_std + fitted.target_mean
        texts = [
            {name: text if name == "image" else f"{text:.5g}" for name, text in record.items()}
            | {"true": f"{true:.5g}"}
            for record, true in zip(
                self.predict(network, batch, fitted), truth.tolist(), strict=True
            )
        ]
        return ShownSamples(texts, sample_pictures(batch, fitted))

    def _outputs(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return ``[batch, 1]`` in standard deviations, the mean of both sides if that is set."""
        if self.section.test_time_flip:
            own, other = both_sides(network, batch.inputs)
            return _standardised((own + other) / 2, self._scale)
        return _standardised(network(batch.inputs), self._scale)


def _standardised(outputs: Tensor, scale: tuple[float, float]) -> Tensor:
    mean, std = scale
    return (outputs.float() - mean) / std


def _targets(table: pa.Table, fitted: NumberedFitted) -> Tensor | None:
    """Return the numbers, standardised; ``None`` for rows without."""
    if fitted.target not in table.column_names:
        return None
    values = np.array(numbers_of(table, fitted.target), np.float64)
    return torch.from_numpy(((values - fitted.target_mean) / fitted.target_std).astype(np.float32))


def _pictures(fitted: NumberedFitted, table: pa.Table, records: Records) -> list[Picture]:
    images = images_of(table.slice(0, _SHOWN), fitted.image)
    found = zip(records, pictures_of(images, fitted), strict=False)
    return [
        replace(one, caption=f"{record['value']:.5g}") for record, one in found if one is not None
    ]
