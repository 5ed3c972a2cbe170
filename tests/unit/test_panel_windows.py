"""Windows of several series: where they begin, and what each holds, counted out one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.series.panel_windows import PanelWindowSource, SeriesFacts
from engine.data.series.window_plan import WindowPlan, plan_windows

CHANNELS, TARGETS = 2, 1


def source_of(plan: WindowPlan, lengths: list[int], **facts: Any) -> PanelWindowSource:
    """A source whose rows are ``[number, number + 0.5, number + 0.75]``, the last one a feature."""
    rows = sum(lengths)
    values = torch.arange(rows)[:, None] + torch.tensor([0.0, 0.5, 0.75])
    count = len(lengths)
    given_facts = {
        "places": torch.arange(count) + 10,
        "shift": torch.arange(count)[:, None] * 1.0,
        "scale": torch.arange(count)[:, None] + 2.0,
    }
    known = facts.pop("known", None)
    return PanelWindowSource(
        values, torch.arange(rows) * 7, known, plan, SeriesFacts(**(given_facts | facts)),
        channels=CHANNELS,
    )  # fmt: skip


def starts_of(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def expected(
    lengths: list[int], context: list[int], window: int, horizon: int, stride: int
) -> list[tuple[int, list[int], list[int]]]:
    """Of each window: its series, the rows of its past, and those of its horizon."""
    found = []
    begin = 0
    for series, (length, before) in enumerate(zip(lengths, context, strict=True)):
        first = before if before else max(1, min(length - horizon, window))
        for at in range(first, length - horizon + 1, stride):
            past = [begin + max(row, 0) for row in range(at - window, at)]
            found.append((series, past, [begin + row for row in range(at, at + horizon)]))
        begin += length
    return found


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 5)), min_size=1, max_size=5),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
)
@settings(max_examples=80, deadline=None)
def test_each_window_has_the_rows_of_its_series_alone(
    series: list[tuple[int, int]], window: int, horizon: int, stride: int
) -> None:
    lengths = [length for length, _ in series]
    context = [min(before, length, window) for length, before in series]
    plan = plan_windows(starts_of(lengths), np.array(context), window, horizon, stride)
    source = source_of(plan, lengths)
    wanted = expected(lengths, context, window, horizon, stride)
    assert len(source) == len(wanted) == int(plan.counts.sum())
    if not wanted:
        return
    [batch] = source.read([torch.arange(len(source))])
    assert batch.inputs["past"][..., 0].long().tolist() == [past for _, past, _ in wanted]
    assert batch.targets[..., 0].long().tolist() == [coming for _, _, coming in wanted]
    assert (batch.inputs["future"][..., 0] - 0.75).long().tolist() == [
        coming for _, _, coming in wanted
    ]
    assert batch.inputs["time"].tolist() == [7 * past[-1] for _, past, _ in wanted]
    assert batch.inputs["series"].tolist() == [10 + number for number, _, _ in wanted]
    assert batch.inputs["shift"].flatten().tolist() == [number for number, _, _ in wanted]
    assert batch.inputs["scale"].flatten().tolist() == [number + 2 for number, _, _ in wanted]
    assert batch.weight == len(wanted)


@pytest.mark.parametrize("lengths", [[9, 9], [9, 3]])
def test_windows_come_in_any_order_that_is_asked_for(lengths: list[int]) -> None:
    plan = plan_windows(starts_of(lengths), np.zeros(2, np.int64), 3, 2)
    source = source_of(plan, lengths)
    [whole] = source.read([torch.arange(len(source))])
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
    parts = list(source.read(order.split(2)))
    assert torch.cat([part.targets for part in parts]).tolist() == whole.targets[order].tolist()
    assert [len(part.targets) for part in source.read(order.split(2), start=1)] == [
        len(part.targets) for part in parts[1:]
    ]


def test_a_series_without_a_row_before_its_horizon_has_no_window() -> None:
    plan = plan_windows(starts_of([2, 3, 1]), np.zeros(3, np.int64), window=4, horizon=2)
    assert plan.counts.tolist() == [0, 1, 0]
    [batch] = source_of(plan, [2, 3, 1]).read([torch.arange(1)])
    assert batch.inputs["past"][0, :, 0].tolist() == [2, 2, 2, 2]  # its first row, repeated
    assert batch.targets[0, :, 0].tolist() == [3, 4]


def test_static_features_stand_behind_the_others_in_each_step() -> None:
    plan = plan_windows(starts_of([5, 5]), np.zeros(2, np.int64), 2, 1)
    static = torch.tensor([[7.0, 8.0], [9.0, 6.0]])
    keys = pa.table({"shop": ["A", "B"]})
    source = source_of(plan, [5, 5], static=static, keys=keys)
    [batch] = source.read([torch.tensor([0, 3])])
    assert batch.inputs["past"].shape == (2, 2, 5)
    assert batch.inputs["past"][:, :, 3:].tolist() == [[[7, 8]] * 2, [[9, 6]] * 2]
    assert batch.inputs["future"][:, :, 1:].tolist() == [[[7, 8]], [[9, 6]]]
    assert batch.rows.to_pydict() == {"shop": ["A", "B"]}


def test_a_batch_weighs_as_much_as_it_has_of_known_truths() -> None:
    plan = plan_windows(starts_of([4, 4]), np.zeros(2, np.int64), 2, 2)
    known = torch.ones(8, 1, dtype=torch.bool)
    known[3] = False  # the last row of the first series
    source = source_of(plan, [4, 4], known=known)
    [batch] = source.read([torch.arange(2)])
    assert batch.inputs["known"][..., 0].tolist() == [[True, False], [True, True]]
    assert batch.weight == pytest.approx(1.5)
    [nothing] = source_of(plan, [4, 4], known=torch.zeros_like(known)).read([torch.arange(2)])
    assert 0 < nothing.weight < 1e-3


@pytest.mark.parametrize(
    ("apart", "most", "wanted"),
    [
        (1, 1, [6, 9]),  # at least the last of each series
        (1, 4, [6, 9, 5, 8]),
        (2, 5, [6, 9, 4, 7, 2]),
        (9, 9, [6, 9]),
        (1, 8, [6, 9, 5, 8, 4, 7, 3, 2]),  # three of the last series are all it has
    ],
)
def test_the_latest_windows_are_taken_from_every_series(
    apart: int, most: int, wanted: list[int]
) -> None:
    # Seven windows of the first series, none of the second, three of the third.
    plan = plan_windows(starts_of([10, 1, 6]), np.zeros(3, np.int64), 3, 1)
    assert plan.counts.tolist() == [7, 0, 3]
    assert source_of(plan, [10, 1, 6]).latest(apart, most).tolist() == wanted


def test_the_latest_windows_are_whole_strides_apart() -> None:
    plan = plan_windows(starts_of([20]), np.zeros(1, np.int64), 3, 1, stride=2)
    source = source_of(plan, [20])
    chosen = source.latest(apart=5, most=3)
    [batch] = source.read([chosen])
    assert np.diff(batch.targets[:, 0, 0].tolist()).tolist() == [-4, -4]
