"""Regression on table rows: one number a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.config.tasks.tabular_regression import TabularRegressionConfig
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.tasks.tabular import LEARNED_ROWS, TabularFitted, TabularTask

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from engine.batches.source import Batch
    from engine.data.raw import RawData
    from engine.metrics.importance import Score


class NumbersFitted(TabularFitted):
    """With the target's mean and deviation over the training rows."""

    mean: float
    std: float
    lowest: float
    highest: float


class TabularRegression(TabularTask[NumbersFitted]):
    """The network gives one number, in standard deviations from the mean."""

    fitted_type = NumbersFitted

    @property
    def _section(self) -> TabularRegressionConfig:
        section = self.section
        assert isinstance(section, TabularRegressionConfig)
        return section

    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """Finite numbers. Raises ``DataError`` for a column of something else."""
        import numpy as np
        import pyarrow as pa

        from engine.data.tables.columns import numbers, tidy

        values = numbers(table[target])
        given = tidy(table[target]).is_valid().to_numpy()
        wrong = given & np.isnan(values)
        if wrong.sum() > given.sum() / 2:
            example = table[target][int(wrong.argmax())].as_py()
            raise DataError(
                f"The target {plain(target, 60)!r} is not numeric: "
                f"{plain(example, 40)!r} in row {wrong.argmax() + 1:,}.",
                "Choose another task.target, or the task tabular_classification.",
            )
        return pa.chunked_array([pa.array(values, from_pandas=True)])

    def fit(self, raw: RawData) -> NumbersFitted:
        """Features of the training rows and the scale of the target."""
        import numpy as np
        import pyarrow.compute as pc

        from engine.data.on_disk import evenly

        target, columns, features = self.fit_inputs(raw)
        values = evenly(raw.train.select([target]), LEARNED_ROWS)[target].to_numpy()
        scale = float(np.abs(values).max()) or 1.0
        std = float((values / scale).std() * scale)
        if std == 0.0:
            raise DataError(
                f"The target {plain(target, 60)!r} is {values[0]:g} in all training rows.",
                "Choose another task.target.",
            )
        lowest, highest = (float(bound) for bound in pc.min_max(raw.train[target]).as_py().values())
        return NumbersFitted(
            target=target, columns=columns, features=features,
            mean=float((values / scale).mean() * scale), std=std,
            lowest=lowest, highest=highest,
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: NumbersFitted) -> DataSummary:
        """Columns, range of the target and what was left out."""
        from engine.data.on_disk import evenly

        values = evenly(raw.train.select([fitted.target]), LEARNED_ROWS)[fitted.target]
        target = ColumnSummary(
            name=fitted.target,
            type="numeric",
            role="target",
            distinct=len(values.unique()),
            example=f"{values[0].as_py():g}",
        )
        facts = {
            "target": f"{fitted.lowest:.4g} to {fitted.highest:.4g}, "
            f"mean {fitted.mean:.4g}, deviation {fitted.std:.4g}"
        }
        return self.summary(raw, fitted, target, facts)

    def outputs(self, fitted: NumbersFitted) -> int:
        """One number."""
        del fitted
        return 1

    def encode_target(self, values: pa.ChunkedArray, fitted: NumbersFitted) -> NDArray[np.float32]:
        """Standardised numbers."""
        import numpy as np

        scaled = (np.asarray(values.fill_null(np.nan)) - fitted.mean) / fitted.std
        return scaled.astype(np.float32)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Of the standardised numbers."""
        return self._loss(_numbers(network, batch), batch.targets)

    def _loss(self, predicted: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from engine.metrics.regression import LOSSES

        return LOSSES[self._section.loss](predicted, targets)

    def target_evaluator(self, fitted: NumbersFitted) -> Evaluator:
        """Errors in the target's units."""
        from engine.metrics.regression import RegressionEvaluator

        return RegressionEvaluator(
            fitted.mean, fitted.std, _numbers, self._loss,
            lambda batch, row: self.describe(batch, row, fitted),
        )  # fmt: skip

    def score(self, fitted: NumbersFitted) -> Score:
        """Root of the mean squared error and R²."""
        from engine.metrics.importance import number_scores

        return number_scores(fitted.std)

    def predict(
        self, network: nn.Module, batch: Batch, fitted: NumbersFitted
    ) -> list[dict[str, Any]]:
        """The number."""
        values = _numbers(network, batch).double() * fitted.std + fitted.mean
        return [{"value": value} for value in values.tolist()]

    def baseline(self, raw: RawData, fitted: NumbersFitted) -> tuple[str, Evaluation] | None:
        """Gradient boosting."""
        import torch

        from engine.baselines.gradient_boosting import NAME, boosted_numbers
        from engine.metrics.regression import evaluate_numbers

        sources = self.held_out(raw, fitted)
        if sources is None:
            return None
        predicted, truth = boosted_numbers(*sources, fitted.features)
        loss = float(self._loss(torch.from_numpy(predicted), torch.from_numpy(truth).double()))
        guess, true = (part * fitted.std + fitted.mean for part in (predicted, truth))
        return NAME, evaluate_numbers(guess, true, loss)


def _numbers(network: nn.Module, batch: Batch) -> torch.Tensor:
    """The network's output ``[batch, 1]`` as ``[batch]``."""
    values: torch.Tensor = network(batch.inputs)
    return values.squeeze(1)
