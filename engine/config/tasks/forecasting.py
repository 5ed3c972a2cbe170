"""The fields of forecasting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import override

from engine.config.fields import option
from engine.config.metric import LOSS, Metric
from engine.config.tasks.base import TaskConfig
from engine.config.tasks.quantiles import Quantiles


def _error(name: str, help: str) -> Metric:
    return Metric(name, higher_is_better=False, help=help)


class ForecastingConfig(TaskConfig):
    """Columns, window and horizon, and how gaps and scales are treated."""

    kind: Literal["forecasting"] = "forecasting"
    title = "Forecasting"
    implementation = "engine.tasks.forecasting:Forecasting"
    pipeline = "engine.pipelines.forecasting:ForecastingPipeline"
    domain = "time series"
    models = ("lstm", "gru", "dlinear", "nhits", "tsmixer", "patchtst", "patchtsmixer",
              "foundation")  # fmt: skip
    answers_untrained = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        _error("mse_scaled", "mean squared error in standard deviations of the training rows"),
        LOSS,
        _error("mse", "mean squared error in the units of the data"),
        _error("rmse", "root of the mean squared error, in the units of the data"),
        _error("mae", "mean absolute error, in the units of the data"),
        _error("mae_scaled", "mean absolute error in standard deviations of the training rows"),
        _error("mase", "mean absolute error over that of repeating the last season in training"),
        Metric("r2", help="share of the variance that the forecast explains"),
        _error("smape", "symmetric mean absolute percentage error, from 0 to 200, as in M4"),
        _error("rmsse", "root of the squared error over that of the last season in training"),
        _error("wql", "weighted quantile loss: twice the pinball loss over the sum of the truth"),
        _error(
            "mse_cutoffs", "mse_scaled, the mean over the origins of task.cutoffs, where it is set"
        ),
        _error(
            "mae_cutoffs", "mae_scaled, the mean over the origins of task.cutoffs, where it is set"
        ),
        Metric("coverage", percent=True, help="share of the truth inside the widest band"),
    )

    time: str = option("", "Column with timestamps; empty finds it", column=True)
    targets: tuple[str, ...] = option(
        (), "Columns to forecast; empty takes one by its name, else the last", column=True
    )
    inputs: tuple[str, ...] = option(
        (), "Input columns beside the targets; empty takes all numeric columns", column=True
    )
    series: tuple[str, ...] = option(
        (),
        "Columns that tell series apart, such as shop and product; empty finds them where times "
        "repeat",
        column=True,
    )
    known_future: tuple[str, ...] = option(
        (),
        "Future covariates: columns of numbers or categories that are known for the horizon, such "
        "as price and promotion; a prediction asks for them",
        column=True,
        found=False,
    )
    static: tuple[str, ...] = option(
        (),
        "Static covariates: columns with one value for each series, such as a shop's region; "
        "empty finds them",
        column=True,
    )
    window: int = option(
        96, "Window: past rows that the network sees", ge=1, le=100_000, unit="rows"
    )
    horizon: int = option(24, "Horizon: rows to forecast", ge=1, le=100_000, unit="rows")
    stride: int = option(
        1, "Stride between the starts of windows", ge=1, unit="rows", advanced=True
    )
    split_rows: tuple[int, ...] = option(
        (),
        "Rows of the training, validation and test split, from the start; empty uses the fractions",
        advanced=True,
    )
    cutoffs: int = option(
        0,
        "Rolling origins, a horizon apart, whose errors the results show with mean and spread; "
        "train.metric_for_best_model=mse_cutoffs selects the best weights by their mean",
        ge=0,
        le=1000,
        advanced=True,
    )
    fill: Literal["linear", "previous", "refuse"] = option(
        "linear",
        "Missing values: interpolate linearly, repeat the previous value, or refuse the data",
    )
    calendar: bool = option(False, "Add calendar features: hour, weekday and day of the year")
    holidays: str = option(
        "",
        "Public holidays of a country as a future covariate, such as DE, or of a part of it, "
        "DE-BY; by the package holidays",
    )
    season: int = option(
        0, "Season length; 0 detects it", ge=0, le=100_000, unit="rows", automatic="0"
    )
    loss: Literal["mse", "mae", "huber", "quantile"] = option(
        "mse",
        "Loss function; quantile trains all quantiles (pinball loss), and forecasts the median",
        advanced=True,
    )
    quantiles: Quantiles = option(
        (0.1, 0.5, 0.9),
        "Quantiles to forecast, in rising order with 0.5; those of other losses are fitted on "
        "the validation rows",
    )

    baseline_seconds: float = option(
        30.0,
        "Time limit of AutoETS and AutoTheta, which need dltui[statsforecast]; they forecast as "
        "many test windows as they can; 0 disables them",
        ge=0,
        le=86_400,
        unit="s",
        advanced=True,
    )

    @property
    @override
    def extras(self) -> Mapping[str, str]:
        """The package of holidays, where they are asked for."""
        return {"holidays": "holidays"} if self.holidays else {}

    @property
    @override
    def metric_names(self) -> tuple[str, ...]:
        """The names of the metrics; those at cut-offs only where there are some."""
        names = super().metric_names
        return names if self.cutoffs else tuple(n for n in names if not n.endswith("_cutoffs"))

    @field_validator("split_rows")
    @classmethod
    def _three(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value and (len(value) != 3 or value[0] < 1 or min(value) < 0):
            raise PydanticCustomError(
                "not_allowed", "must be three numbers of rows, such as [8640, 2880, 2880]"
            )
        return value
