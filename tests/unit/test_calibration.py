"""Temperatures and reliability tables, against values that are known otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from engine.metrics.classes.calibration import fit_temperature, reliability


@pytest.mark.parametrize("heat", [0.4, 1.0, 3.0])
def test_the_temperature_of_overconfident_logits_is_found_again(heat: float) -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(40_000, 4, generator=generator) * 2
    targets = torch.multinomial(true.softmax(1), 1, generator=generator).squeeze(1)
    found = fit_temperature(true * heat, targets)
    assert found == pytest.approx(heat, rel=0.03)
    losses = [float(F.cross_entropy(true * heat / t, targets)) for t in
              (found / 1.05, found, found * 1.05)]  # fmt: skip
    assert min(losses) == losses[1]


def test_few_rows_and_logits_that_are_not_numbers_have_no_temperature() -> None:
    logits = torch.randn(60, 2)
    assert fit_temperature(logits, torch.zeros(60, dtype=torch.int64)) == 1.0
    bad = torch.full((300, 2), float("nan"))
    assert fit_temperature(bad, torch.zeros(300, dtype=torch.int64)) == 1.0


def test_rows_that_are_all_right_make_no_network_more_certain() -> None:
    logits = F.one_hot(torch.arange(300) % 3, 3).float()
    assert fit_temperature(logits, torch.arange(300) % 3) == 1.0


def test_the_expected_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    sure = np.array([0.95] * 60 + [0.75] * 40, np.float32)
    chances = np.stack([sure, 1 - sure], axis=1)
    targets = np.array([0] * 45 + [1] * 15 + [0] * 30 + [1] * 10)
    table = reliability(chances, targets)
    # 0.95 and right in 45 of 60: a gap of 0.2; 0.75 and right in 30 of 40: none.
    assert table.title == "Reliability: expected calibration error 0.1200"
    assert table.rows == [["0.7–0.8", 40, 0.75, 0.75], ["0.9–1.0", 60, 0.95, 0.75]]
