"""Gradients of several processes are summed while the backward pass runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.training.checkpoints.peers import PeerLost
from engine.training.distributed import gradient_buckets
from engine.training.distributed.gradient_buckets import GradientBuckets
from engine.training.distributed.sums import SharedSums, fastest_sums


class Branches(nn.Module):
    """Layers of which each pass uses the given ones."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(8, 8, bias=False) for _ in range(5))

    def forward(self, rows: Tensor, used: list[int]) -> Tensor:
        for number in used:
            rows = torch.tanh(self.layers[number](rows))
        return (rows**2).sum()


def gradients(network: nn.Module) -> list[Any]:
    return [None if p.grad is None else p.grad.flatten().tolist() for p in network.parameters()]


def expected(weights: list[float], *passes: list[int], of: int = 2) -> list[Any]:
    """The gradients that one process computes from the losses of all."""
    network = Branches()
    for used in passes:
        for rank in range(of):
            loss = network(rows_of(rank), used) * (weights[rank] / sum(weights))
            loss.backward()
    return gradients(network)


def rows_of(rank: int) -> Tensor:
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(rank))


@pytest.fixture(autouse=True, params=["by torch", "through shared memory"])
def sums(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way of summing: through shared memory if all processes are of one node."""
    shared = request.param == "through shared memory"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2" if shared else "1")
    return str(request.param)


def buckets_of(network: nn.Module, rank: int, room: int = 1 << 16) -> GradientBuckets:
    buckets = GradientBuckets(network.parameters())
    buckets.sums = fastest_sums(rank, 2, torch.device("cpu"), room)
    return buckets


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer a bucket."""
    monkeypatch.setattr(gradient_buckets, "_SMALLEST", 300)


def same(found: list[Any], wanted: list[Any]) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs))


ALL = [0, 1, 2, 3, 4]


def begin(buckets: GradientBuckets, weight: float) -> None:
    """Begin an update, and wait for the weights of the others, as slow layers do."""
    buckets.begin(weight)
    assert buckets._total is not None
    while not buckets._total[1].is_completed():
        pass


def test_buckets_are_sent_before_the_backward_pass_ends_with_weights_and_accumulation(
    in_processes: Callable[..., list[Any]],
) -> None:
    def work(rank: int) -> Any:
        network = Branches()
        buckets = buckets_of(network, rank)
        begin(buckets, [3.0, 1.0][rank])
        sent: list[int] = []
        network.layers[0].weight.register_hook(lambda _: sent.append(len(buckets._sums)))
        buckets.backward(network(rows_of(rank), ALL), last=False)
        buckets.backward(network(rows_of(rank), [0, 2, 4]), last=True)
        total = buckets.finish(failed=False)
        return sent, total, gradients(network)

    for sent, total, found in in_processes(work):
        # Nothing in the first pass. In the second, layers 1 and 3 are never reached, so that only
        # the bucket of layer 4 could be sent before.
        assert sent == [0, 1]
        assert total == 4.0
        same(found, expected([3.0, 1.0], ALL, [0, 2, 4]))


def test_layers_that_no_process_used_have_no_gradient_and_are_not_waited_for_again(
    in_processes: Callable[..., list[Any]],
) -> None:
    def work(rank: int) -> Any:
        network = Branches()
        buckets = buckets_of(network, rank)
        sent: list[int] = []
        network.layers[0].weight.register_hook(lambda _: sent.append(len(buckets._sums)))
        results = []
        for used in ([0, 1, 3], [0, 1, 3], ALL):
            for parameter in network.parameters():
                parameter.grad = None
            begin(buckets, 1.0)
            buckets.backward(network(rows_of(rank), used), last=True)
            buckets.finish(failed=False)
            results.append(gradients(network))
        return sent, results

    for sent, results in in_processes(work):
        assert sent == [0, 4, 4]
        for found, used in zip(results, ([0, 1, 3], [0, 1, 3], ALL), strict=True):
            # In the last update, the gradients of layers 2 and 4 come after their buckets.
            same(found, expected([1.0, 1.0], used))


def test_a_layer_that_one_process_used_and_a_process_without_rows_count(
    in_processes: Callable[..., list[Any]],
) -> None:
    def work(rank: int) -> Any:
        network = Branches()
        buckets = buckets_of(network, rank)
        buckets.begin(2.0 * (rank == 0))
        if rank == 0:
            buckets.backward(network(rows_of(0), [0, 3]), last=True)
        buckets.finish(failed=False)
        return gradients(network)

    for found in in_processes(work):
        same(found, expected([2.0], [0, 3], of=1))


def test_a_process_that_ran_out_of_memory_takes_no_gradients_and_holds_up_no_other(
    in_processes: Callable[..., list[Any]],
) -> None:
    def work(rank: int) -> Any:
        network = Branches()
        buckets = buckets_of(network, rank)

        def fail(_: Tensor) -> None:
            raise RuntimeError("out of memory")

        outcomes = []
        for fails in ("backward", "before", ""):
            hook = network.layers[2].weight.register_hook(fail)
            if rank == 0 or fails != "backward":
                hook.remove()
            failed = rank == 1 and bool(fails)
            if not (failed and fails == "before"):
                buckets.begin(1.0)
                if failed:
                    with pytest.raises(RuntimeError, match="out of memory"):
                        buckets.backward(network(rows_of(rank), ALL), last=True)
                else:
                    buckets.backward(network(rows_of(rank), ALL), last=True)
            hook.remove()
            outcomes.append((buckets.finish(failed), gradients(network)))
        return outcomes

    for first, second, (total, found) in in_processes(work):
        assert first == second == (None, [None] * 5)
        assert total == 2.0
        same(found, expected([1.0, 1.0], ALL))


def test_a_gradient_has_the_memory_layout_of_its_parameter(
    in_processes: Callable[..., list[Any]],
) -> None:
    def work(rank: int) -> Any:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5, 2).bfloat16())
        network[0].to(memory_format=torch.channels_last)
        buckets = buckets_of(network, rank)
        buckets.begin(1.0)
        rows = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(rank))
        hidden = network[1](network[0](rows))
        buckets.backward(network[2](hidden.bfloat16()).sum(), last=True)
        buckets.finish(failed=False)
        return [(p.grad.stride() == p.stride(), p.grad.dtype == p.dtype, p.grad.flatten().tolist())
                for p in network.parameters()]  # fmt: skip

    one, other = in_processes(work)
    assert one == other
    assert all(stride and dtype for stride, dtype, _ in one)


def test_the_processes_of_one_node_share_memory(
    sums: str, in_processes: Callable[..., list[Any]]
) -> None:
    def work(rank: int) -> bool:
        return isinstance(buckets_of(Branches(), rank).sums, SharedSums)

    assert in_processes(work) == [sums == "through shared memory"] * 2


def test_sums_larger_than_the_shared_memory_are_those_of_torch(
    in_processes: Callable[..., list[Any]],
) -> None:
    def work(rank: int) -> Any:
        # Room for two of five layers, beside the smaller sums; then for none.
        results = []
        for room in (700, 128):
            network = Branches()
            buckets = buckets_of(network, rank, room)
            for _ in range(3):
                buckets.begin(1.0)
                buckets.backward(network(rows_of(rank), ALL), last=True)
                buckets.finish(failed=False)
                results.append(gradients(network))
                network.zero_grad()
        return results

    for found in in_processes(work):
        for result in found:
            same(result, expected([1.0, 1.0], ALL))


def test_a_sum_with_a_process_that_is_gone_raises(in_processes: Callable[..., list[Any]]) -> None:
    def work(rank: int) -> bool:
        sums = buckets_of(Branches(), rank).sums
        if rank == 1:
            return True

        def sum_on() -> None:
            while True:
                sums.start(torch.ones(3)).wait()

        with pytest.raises(PeerLost):
            sum_on()
        return True

    assert in_processes(work) == [True, True]
