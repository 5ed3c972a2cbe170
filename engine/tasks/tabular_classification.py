"""Classification of table rows: one of several classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.config.tasks.tabular_classification import TabularClassificationConfig
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.tasks.tabular import TabularFitted, TabularTask, find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from engine.batches.source import Batch
    from engine.data.raw import RawData
    from engine.metrics.importance import Score

_MAX_CLASSES = 1000
_FEW_CLASSES = 20
"""Number of classes that is never too large for the number of rows."""
_SHOWN = 5


class ClassesFitted(TabularFitted):
    """With the classes and how many training rows each has."""

    classes: list[str]
    counts: list[int]


class TabularClassification(TabularTask[ClassesFitted]):
    """The network gives a logit for each class."""

    fitted_type = ClassesFitted
    _balanced: list[float] | None = None

    @property
    def _section(self) -> TabularClassificationConfig:
        section = self.section
        assert isinstance(section, TabularClassificationConfig)
        return section

    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """Names of classes."""
        import pyarrow as pa

        from engine.text.labels import named_column

        if pa.types.is_nested(table.schema.field(target).type):
            raise DataError(f"The target {plain(target, 60)!r} has lists instead of classes.")
        return named_column(table, target)

    def stratify_by(self, target: str) -> str:
        """Classes keep their shares."""
        return target

    def load(self) -> RawData:
        """As for all tables; rows of classes that the training rows lack are left out."""
        raw = super().load()
        return _without_strangers(raw, find_target(raw.train, self.section.target))

    def fit(self, raw: RawData) -> ClassesFitted:
        """Classes and features of the training rows."""
        from engine.data.raw import class_names
        from engine.text.labels import classes_among

        target, columns, features = self.fit_inputs(raw)
        counted = raw.train[target].value_counts().to_pylist()
        found = {entry["values"]: entry["counts"] for entry in counted}
        classes, counts = classes_among(found, class_names(raw.train, target))
        present = [name for name, count in zip(classes, counts, strict=True) if count]
        if len(present) == 1:
            raise DataError(
                f"All training rows have the same {plain(target, 60)}, {plain(present[0], 60)!r}.",
                "Choose another task.target.",
            )
        if len(present) > min(_MAX_CLASSES, max(_FEW_CLASSES, raw.train.num_rows // 2)):
            raise DataError(
                f"The target {plain(target, 60)!r} has {len(present):,} different values.",
                "Choose another task.target, or the task tabular_regression for numbers.",
            )
        return ClassesFitted(
            target=target, columns=columns, features=features, classes=classes, counts=counts
        )

    def summarize(self, raw: RawData, fitted: ClassesFitted) -> DataSummary:
        """Columns, classes and what was left out."""
        counted = sorted(zip(fitted.classes, fitted.counts, strict=True), key=lambda item: -item[1])
        target = ColumnSummary(
            name=fitted.target,
            type="categorical",
            role="target",
            distinct=sum(count > 0 for count in fitted.counts),
            example=counted[0][0],
        )
        return self.summary(raw, fitted, target, {}, dict(counted))

    def outputs(self, fitted: ClassesFitted) -> int:
        """A logit for each class."""
        return len(fitted.classes)

    def encode_target(self, values: pa.ChunkedArray, fitted: ClassesFitted) -> NDArray[np.int64]:
        """Encode classes as numbers, −1 for an unknown one."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        codes = pc.index_in(values, value_set=pa.array(fitted.classes, pa.string())).fill_null(-1)
        return np.array(codes, dtype=np.int64)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Cross-entropy."""
        from engine.metrics.classification import class_loss

        section = self._section
        weights = self._class_weights(batch.targets.device)
        return class_loss(network(batch.inputs), batch.targets, weights, section.label_smoothing)

    def build_network(self, fitted: ClassesFitted) -> nn.Module:
        """As for all tables; notes what each class weighs in the loss."""
        from engine.metrics.classification import balanced_weights

        balanced = self._section.class_weights == "balanced"
        self._balanced = balanced_weights(fitted.counts) if balanced else None
        return super().build_network(fitted)

    def _class_weights(self, device: torch.device) -> torch.Tensor | None:
        import torch

        return None if self._balanced is None else torch.tensor(self._balanced, device=device)

    def target_evaluator(self, fitted: ClassesFitted) -> Evaluator:
        """Metrics of classes, and the worst mistakes."""
        from engine.metrics.row_classes import RowClasses

        return RowClasses(fitted.classes, lambda batch, row: self.describe(batch, row, fitted))

    def score(self, fitted: ClassesFitted) -> Score:
        """Accuracy and loss."""
        from engine.metrics.importance import class_scores

        del fitted
        return class_scores

    def predict(
        self, network: nn.Module, batch: Batch, fitted: ClassesFitted
    ) -> list[dict[str, Any]]:
        """The class, how sure the network is, and the likeliest five."""
        logits: torch.Tensor = network(batch.inputs)
        return [_record(row, fitted.classes) for row in logits.float().softmax(1).tolist()]

    def baseline(self, raw: RawData, fitted: ClassesFitted) -> tuple[str, Evaluation] | None:
        """Gradient boosting."""
        from engine.baselines.gradient_boosting import NAME, boosted_classes, log_loss
        from engine.metrics.classification import evaluate_classes

        sources = self.held_out(raw, fitted)
        if sources is None:
            return None
        classes = fitted.classes
        probabilities, truth = boosted_classes(*sources, fitted.features, len(classes))
        loss = log_loss(probabilities, truth)
        return NAME, evaluate_classes(probabilities, truth, classes, loss)


def _record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    likeliest = sorted(range(len(row)), key=lambda index: -row[index])[:_SHOWN]
    scores = {classes[index]: row[index] for index in likeliest}
    return {"label": classes[likeliest[0]], "score": row[likeliest[0]], "scores": scores}


def _without_strangers(raw: RawData, target: str) -> RawData:
    """Validation and test rows whose class occurs in the training rows; the rest is reported."""
    import pyarrow.compute as pc

    from engine.data.on_disk import selected
    from engine.data.raw import TRAIN, Skip

    known = raw.train[target].unique()
    splits, skips = dict(raw.splits), []
    for split, table in raw.splits.items():
        strange = pc.invert(pc.is_in(table[target], value_set=known))
        count = pc.sum(strange).as_py() or 0
        if split != TRAIN and count:
            first = table[target].filter(strange)[0].as_py()
            reason = f"{plain(target, 60)} that no training row has"
            skips.append(Skip(reason, count, f"{plain(first, 40)!r} in {split}"))
            splits[split] = selected(table, ~strange.to_numpy())
    return raw.with_splits(splits).with_skips(*skips)
