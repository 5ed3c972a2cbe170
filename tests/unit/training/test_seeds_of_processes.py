"""Seeds of processes that train together."""

from __future__ import annotations

import torch

from engine.batches.source import mixed
from engine.training.distributed.process_group import ProcessGroup


def test_a_process_draws_what_torch_draws_from_its_seed() -> None:
    """``torch.manual_seed`` is not called: up to torch 2.15 it formats stack traces each time."""
    for rank, step in ((0, 0), (1, 0), (1, 7)):
        ProcessGroup(rank, 2).reseed(5, step)
        drawn = torch.rand(4)
        torch.manual_seed(mixed(5, rank, step))
        assert drawn.equal(torch.rand(4))


def test_processes_and_updates_draw_different_numbers() -> None:
    drawn = set()
    for rank, step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        ProcessGroup(rank, 2).reseed(5, step)
        drawn.add(torch.rand(()).item())
    assert len(drawn) == 4
