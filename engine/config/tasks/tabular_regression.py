"""The fields of regression on table rows."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
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
    )

    loss: Literal["mse", "mae", "huber"] = option("mse", "Loss function", advanced=True)
