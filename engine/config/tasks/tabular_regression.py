"""The fields of regression on table rows."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.quantiles import Quantiles
from engine.config.tasks.tabular import TabularConfig


class TabularRegressionConfig(TabularConfig):
    """Columns, target and what is made small."""

    kind: Literal["tabular_regression"] = "tabular_regression"
    title = "Regression on rows"
    implementation = "engine.tasks.tabular_regression:TabularRegression"
    pipeline = "engine.pipelines.tabular_regression:TabularRegressionPipeline"
    splits_by_column = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("r2", help="share of the variance that is explained; 0 is as good as the mean"),
        Metric("rmse", higher_is_better=False, help="root of the mean squared error"),
        Metric("mae", higher_is_better=False, help="mean absolute error"),
        Metric("mse", higher_is_better=False, help="mean squared error"),
        LOSS,
        Metric("coverage", percent=True, help="share of the truth inside the widest band"),
    )

    loss: Literal["mse", "mae", "huber", "quantile"] = option(
        "mse",
        "Loss function; quantile trains all quantiles (pinball loss), and predicts the median",
        advanced=True,
    )
    quantiles: Quantiles = option(
        (0.05, 0.5, 0.95),
        "Quantiles to predict, in rising order with 0.5, calibrated on the validation rows; [0.5] "
        "alone predicts no band",
    )

    @property
    @override
    def metric_names(self) -> tuple[str, ...]:
        """The names of the metrics that a training has: bands are fitted at its end."""
        return tuple(name for name in super().metric_names if name != "coverage")
