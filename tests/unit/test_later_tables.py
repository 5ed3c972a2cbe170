"""Columns of later files mean what they meant in the training rows: units, durations, zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.data.tables.columns import detect_columns
from engine.data.tables.features import encode_rows, fit_features
from engine.data.tables.number_format import units_of
from engine.data.tables.unfit import unfit_values


def test_moments_in_another_zone_than_in_training_are_the_same_moments() -> None:
    moments = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=7 * i) for i in range(40)]

    def table(zone: str) -> pa.Table:
        return pa.table({"t": pa.array(moments, pa.timestamp("us", tz=zone))})

    for zone, other in (("UTC", "Asia/Tokyo"), ("Europe/Berlin", "UTC")):
        features = fit_features(table(zone), detect_columns(table(zone)), "standard")
        known, later = (encode_rows(features, table(own))[0] for own in (zone, other))
        np.testing.assert_array_equal(later, known)
        assert list(unfit_values(features, table(zone))) == []
        [note] = unfit_values(features, table(other), "test")
        assert note.why == (
            f"40 times of test in the zone {other} are read in that of the training rows, {zone}"
        )


def test_durations_are_the_same_number_in_any_unit() -> None:
    seconds = np.arange(100) ** 2 * 60
    tables = {
        unit: pa.table({"d": pa.array(seconds, pa.duration("s")).cast(pa.duration(unit))})
        for unit in ("s", "ms", "us", "ns")
    }
    for table in tables.values():
        features = fit_features(table, detect_columns(table), "standard")
        assert features.numeric[0].mean == pytest.approx(seconds.mean())
        known = encode_rows(features, table)[0]
        for later in tables.values():
            np.testing.assert_array_equal(encode_rows(features, later)[0], known)


@pytest.mark.parametrize(
    ("train", "later", "why"),
    [
        (["30.5 kg", "7 kg"], ["30500 g", "7000 g"],
         "2 numbers have another unit (g) than in the training rows (kg), which is not converted, "
         "the first '30500 g'"),
        (["30.5 kg", "7 kg"], ["1 kg", "7000 g"],
         "1 number has another unit (g) than in the training rows (kg), which is not converted, "
         "the first '7000 g'"),
        ([30.5, 7.0], ["$1", "2"],
         "1 number has another unit ($) than in the training rows (none), which is not converted, "
         "the first '$1'"),
        (["15.3%", "80 %"], [0.153, 1.0],
         "2 numbers have no % as in the training rows: 0.153 is read as 0.153 %"),
        (["15.3%", "80 %"], ["0.8", "0.153"],
         "2 numbers have no % as in the training rows: 0.8 is read as 0.8 %"),
        (["15.3%", "80 %"], [15.3, 0.5], ""), (["15.3%", "80 %"], [0, 1], ""),
        (["$1,200.5", "$7"], ["1200.5", "$7"], ""), (["$1,200.5", "$7"], [1200.5, None], ""),
        (["30.5 kg", "7 kg"], ["soon", "8kg"], "1 value is not a number such as 1234.5, "
         "the first 'soon'"),
    ],
)  # fmt: skip
def test_units_of_a_later_file_that_training_lacks_are_told(
    train: list[Any], later: list[Any], why: str
) -> None:
    table = pa.table({"c": train * 20})
    features = fit_features(table, detect_columns(table), "standard")
    assert list(unfit_values(features, table, "test")) == []
    notes = list(unfit_values(features, pa.table({"c": later})))
    assert [note.why for note in notes] == [why] * bool(why)


def test_an_exponent_is_no_unit() -> None:
    assert units_of(["1e-07", "2.5E+3", "1.e5", "7"]) == [""]
    assert units_of(["1e-07 kg", "3 kg"]) == ["kg"]
