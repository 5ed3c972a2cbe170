"""Properties of one or many series, fitted on the training rows."""

from __future__ import annotations

from pydantic import Field

from engine.data.dates.writing import write_moment
from engine.data.dates.written_moment import WrittenMoment
from engine.data.fitted import Fitted
from engine.data.series.frequency import Frequency
from engine.data.series.roles import Roles
from engine.data.series.scales import SeriesScales
from engine.data.series.static import StaticColumn
from engine.data.tables.schema import NumberFormat


class SeriesFitted(Fitted):
    """Series properties fitted on the training rows."""

    time: str
    targets: list[str]
    inputs: list[str]
    mean: list[float]
    """Of each channel, targets first."""
    std: list[float]
    unit: str
    step: int
    regular: bool
    season: int
    naive_error: list[float]
    """For each target, the mean change over one season: what MASE divides by."""
    naive_squared: list[float] = Field(default_factory=list)
    """For each target, the mean squared change over one season: what RMSSE divides by."""
    bands: list[list[list[float]]] = Field(default_factory=list)
    """Factors of each step, target and quantile, fitted on the validation rows; else empty."""
    own_bands: dict[int, list[list[list[float]]]] = Field(default_factory=dict)
    """Factors for single series of a file, by their order in it; never saved."""
    trained_to: tuple[int, ...] = ()
    """The time of each series' last training row; empty where rows have none."""
    time_parts: tuple[str, ...] = ()
    """Columns that together have the time, such as year and month; else empty."""
    spelling: str = ""
    """The spelling of times in the training data, which later files are read by."""
    writing: str = ""
    """The form in which forecasts write times; empty for the usual one."""
    number_formats: dict[str, NumberFormat] = Field(default_factory=dict)
    """Formats of numbers in columns of texts, which later files are read by."""
    anchor: str = ""
    """The day of the month that times keep to."""
    zone: str = ""
    """The zone that times, which are in UTC, are shown in."""
    series: tuple[str, ...] = ()
    """Columns that tell series apart; empty for one series."""
    known: list[str] = Field(default_factory=list)
    """Columns of numbers that are known for the horizon: channels behind the inputs."""
    categories: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Columns of categories that are known for the horizon: a channel for each category."""
    flags: list[int] = Field(default_factory=list)
    """Places of the channels of 0 and 1, which stay as they are."""
    static: list[StaticColumn] = Field(default_factory=list)
    """Columns with one value for each series."""
    own: SeriesScales | None = None
    """Scales of each of many series; those above are then of all rows together."""


def roles_of(fitted: SeriesFitted) -> Roles:
    """The columns that the network was trained with."""
    return Roles(
        fitted.time,
        tuple(fitted.targets),
        tuple(fitted.inputs),
        fitted.time_parts,
        fitted.series,
        tuple(fitted.known),
        fitted.categories,
        tuple(column.name for column in fitted.static),
    )


def frequency_of(fitted: SeriesFitted) -> Frequency:
    """The step of the training rows."""
    return Frequency.of(fitted.unit, fitted.step, fitted.regular, fitted.anchor, fitted.zone)


def written_time(fitted: SeriesFitted, time: int) -> str | int:
    """A time as the training data writes it, where its form is known; a number stays one."""
    frequency = frequency_of(fitted)
    if fitted.writing:
        written = write_moment(time, fitted.writing)
    else:
        written = frequency.text(time) if frequency.dated else time
    if isinstance(written, str) and frequency.dated:
        return WrittenMoment(written, time, fitted.zone)
    return written
