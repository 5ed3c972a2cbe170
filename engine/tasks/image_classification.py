"""Image classification: one of several classes, or several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.tasks.image_classification import ImageClassificationConfig
from engine.data.load import load_data
from engine.metrics.evaluator import Evaluator
from engine.models.build import build_model, preprocessing_of
from engine.runs.events import Report
from engine.tasks.task import Task
from engine.vision.fitted import ImageFitted

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import torch
    from torch import nn

    from engine.batches.source import Batch, Source
    from engine.config.run_config import RunConfig
    from engine.data.raw import RawData
    from engine.reports.data_summary import DataSummary

_SHOWN = 5
"""Images for the monitor."""


class ImageClassification(Task[ImageFitted]):
    """One network over images of one size."""

    fitted_type = ImageFitted

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._skips: list[Any] = []
        self._class_weights: list[float] | None = None

    @property
    def section(self) -> ImageClassificationConfig:
        """The task's own fields."""
        section = self.config.task
        assert isinstance(section, ImageClassificationConfig)
        return section

    def load(self) -> RawData:
        """Rows with an image and a class, in three splits."""
        from engine.vision.rows import usable_rows

        raw = load_data(self.config.data)
        image, label = self._columns(raw.train)
        return usable_rows(raw, self.config.data, image, label, self._folder())

    def fit(self, raw: RawData) -> ImageFitted:
        """Find the classes, and size, colour and mean of the images."""
        from engine.vision.fitting import classes_in, measure

        image, label = self._columns(raw.train)
        classes, counts, multi_label = classes_in(raw.train, label)
        wanted = preprocessing_of(self.config.model)
        measured = measure(raw.train, image, self.section, wanted)
        return ImageFitted(
            image=image, label=label, classes=classes, counts=counts, multi_label=multi_label,
            resize=self.section.resize, **measured,
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: ImageFitted) -> DataSummary:
        """Columns, class balance, sizes."""
        from engine.vision.summary import image_summary

        return image_summary(self.config, raw.with_skips(*self._skips), fitted)

    def encode(
        self, table: pa.Table, fitted: ImageFitted, device: torch.device, report: Report
    ) -> Source:
        """Decoded images on the device, or where they are too many, as they are needed."""
        from engine.vision.encoding import encode_images

        source, skips = encode_images(table, fitted, self._preparation(fitted), device, report)
        self._skips += skips
        return source

    def inputs(self, fitted: ImageFitted) -> tuple[str, ...]:
        """The image: a file's path."""
        return (fitted.image,)

    def from_file(self, table: pa.Table, fitted: ImageFitted, folder: Path) -> pa.Table:
        """As for training, paths begin beside the file."""
        import pyarrow as pa

        from engine.vision.column import RECORD, images_of

        images = pa.chunked_array(images_of(table, fitted.image, folder=folder).chunks, RECORD)
        return table.set_column(table.column_names.index(fitted.image), fitted.image, images)

    def build_network(self, fitted: ImageFitted) -> nn.Module:
        """The network of the model section; notes what each class weighs in the loss."""
        import torch

        from engine.metrics.classification import balanced_weights
        from engine.models.shapes import ImageShape

        balanced = self.section.class_weights == "balanced" and not fitted.multi_label
        self._class_weights = balanced_weights(fitted.counts) if balanced else None
        network = build_model(
            self.config.model,
            ImageShape(fitted.channels, fitted.size, len(fitted.classes), tuple(fitted.classes)),
        )
        # As the images are laid out, which of grey ones cannot be seen.
        return network.to(memory_format=torch.channels_last)

    def save_network(self, network: nn.Module, fitted: ImageFitted, folder: Path) -> None:
        """As transformers does for its networks, so that they can be loaded by it again."""
        if not isinstance(self.config.model, ImageTransformerConfig):
            return super().save_network(network, fitted, folder)
        saved: Any = network
        saved.save_pretrained(folder)
        return None

    @override
    def save_companions(self, fitted: ImageFitted, folder: Path) -> None:
        """Write the image preprocessing in the format that transformers reads."""
        if isinstance(self.config.model, ImageTransformerConfig):
            from engine.config.models.image import Preprocessing
            from engine.vision.processor_file import save_companions

            save_companions(
                Preprocessing(fitted.size, tuple(fitted.mean), tuple(fitted.std)), folder
            )

    def load_network(self, fitted: ImageFitted, folder: Path) -> nn.Module:
        """The network with the weights that :meth:`save_network` wrote."""
        if isinstance(self.config.model, ImageTransformerConfig):
            return self.build_network(fitted)  # model.path names the folder by now
        return super().load_network(fitted, folder)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy; over each class by itself where an image can have several."""
        from torch.nn import functional

        from engine.metrics.classification import class_loss

        logits = network(batch.inputs)
        if batch.targets.ndim == 2:
            return functional.binary_cross_entropy_with_logits(logits, batch.targets.to(logits))
        weights = self._class_weights
        return class_loss(
            logits,
            batch.targets,
            None if weights is None else logits.new_tensor(weights),
            self.section.label_smoothing,
        )

    def evaluator(self, fitted: ImageFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes with the names of their images."""
        from engine.metrics.images import ImageEvaluator

        return ImageEvaluator(fitted.classes, fitted.multi_label)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: ImageFitted
    ) -> list[dict[str, Any]]:
        """The image, its class, how sure the network is, and the likeliest five."""
        from engine.vision.prediction import class_record, labels_record

        logits = network(batch.inputs).float()
        record, chances = (
            (labels_record, logits.sigmoid())
            if fitted.multi_label
            else (class_record, logits.softmax(1))
        )
        return [
            {"image": name} | record(row, fitted.classes)
            for name, row in zip(batch.rows["name"].to_pylist(), chances.tolist(), strict=True)
        ]

    def samples(
        self, network: nn.Module, source: Source, fitted: ImageFitted
    ) -> list[dict[str, str]]:
        """The first few images, what the network makes of them, and what is true."""
        from engine.vision.prediction import shown

        batch = next(source.read(source.plan(_SHOWN)[:1]), None)
        if batch is None or batch.targets is None:
            return []
        return shown(batch, self.predict(network, batch, fitted), fitted.classes)[:_SHOWN]

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]] | None:
        """A slower rate for layers that were trained before."""
        groups = getattr(network, "parameter_groups", None)
        return groups() if groups is not None else None

    def _columns(self, table: pa.Table) -> tuple[str, str]:
        from engine.text.columns import chosen, find_label
        from engine.vision.column import find_image

        image = chosen(table, self.section.image or find_image(table), "task.image")
        label = self.section.label or find_label(table, [image])
        return image, chosen(table, label, "task.label")

    def _folder(self) -> Path | None:
        """Return the folder that relative paths in a local table start from: the table's own."""
        from engine.files.paths import expanded, is_folder

        path = expanded(getattr(self.config.data, "path", ""))
        return path if is_folder(path) else path.parent

    def _preparation(self, fitted: ImageFitted) -> Any:
        from engine.vision.augmentation import Augmentation
        from engine.vision.source import Preparation

        return Preparation(fitted.mean, fitted.std, Augmentation(self.section.augmentation))
