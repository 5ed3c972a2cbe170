"""A few numbers are copied to a device once, whatever asks for them first."""

from __future__ import annotations

import torch

from engine.batches.device_constant import DeviceConstant
from engine.torch_private import FakeTensorMode


def test_numbers_are_copied_once_for_each_type() -> None:
    constant = DeviceConstant([1.0, 2.0])
    like = torch.zeros(3)
    first = constant.like(like)
    assert first.tolist() == [1.0, 2.0]
    assert constant.like(like) is first
    assert constant.like(like.double()).dtype == torch.float64
    assert constant.like(torch.zeros(1, dtype=torch.int64), torch.float32) is first


def test_a_first_use_in_an_evaluation_leaves_numbers_that_gradients_can_use() -> None:
    constant = DeviceConstant([2.0])
    with torch.inference_mode():
        constant.like(torch.zeros(1))
    weight = torch.ones(1, requires_grad=True)
    (weight * constant.like(weight)).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [2.0]


def test_an_estimate_of_memory_leaves_no_numbers_without_values() -> None:
    constant = DeviceConstant([2.0])
    with FakeTensorMode():
        constant.like(torch.zeros(1))
    found = constant.like(torch.zeros(1))
    assert type(found) is torch.Tensor
    assert found.tolist() == [2.0]
