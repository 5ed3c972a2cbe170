"""Settings of ``compute``; an option that this machine lacks is refused in a sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine import RunConfig, train
from engine.artifacts.build import build_network
from engine.batches.prefetch import ahead
from engine.batches.source import moved
from engine.config.compute import ComputeConfig, Kernel
from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.hardware import driver
from engine.hardware.determinism import determinism_errors
from engine.hardware.device import Compute, choose
from engine.models.language.attention import choose_attention
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Log
from engine.service.estimate import estimate
from engine.tasks.create import create_task
from engine.training import assembly
from engine.training.material import prepare
from engine.training.memory import estimate as memory_estimate
from engine.training.optimization.compiling import compiler_errors
from engine.training.optimization.optimizer import build_optimizer, trainable_groups

Words = Callable[..., RunConfig]
CPU = torch.device("cpu")
COMPUTE = Compute(CPU, torch.float32, threads=1)


@pytest.fixture
def words(tmp_path: Path) -> Words:
    path = tmp_path / "films.csv"
    kinds = ("good", "dull", "fine", "odd")
    rows = [f"a {kinds[i % 4]} film number {i} {'very ' * (i % 7)},{i % 2}" for i in range(60)]
    path.write_text("\n".join(["text,label", *rows]))
    return lambda *changes: _words(path, changes)


def _words(path: Path, changes: Sequence[str]) -> RunConfig:
    return RunConfig.parse({
        "name": "words",
        "task": {"kind": "text_classification", "max_length": 16},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 16, "num_attention_heads": 2,
                  "num_hidden_layers": 1, "vocab_size": 300},
        "train": {"max_steps": 4, "batch_size": 8},
        "compute": {"device": "cpu", "threads": 1},
    }).override(changes)  # fmt: skip


def flowers(*changes: str) -> RunConfig:
    return RunConfig.parse({
        "name": "flowers",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp", "hidden": [8]},
        "train": {"epochs": 2},
        "compute": {"device": "cpu", "threads": 1},
    }).override(changes)  # fmt: skip


def built(config: RunConfig) -> nn.Module:
    task = create_task(config)
    return build_network(task, task.pipeline.fit(task.pipeline.load()), COMPUTE)


def trained_alike(*configs: RunConfig) -> Iterator[RunDirectory]:
    """Runs that share one tokenizer: one trained again may number the tokens differently."""
    fitted = None
    for config in configs:
        run = RunDirectory.create(runs_folder(), config)
        if fitted is not None:
            run.fitted.write_bytes(fitted)
        train(config, run)
        fitted = run.fitted.read_bytes()
        yield run


def losses(run: RunDirectory) -> list[float]:
    told = [
        event.train_loss for event in run.events.newest(Evaluated) if isinstance(event, Evaluated)
    ]
    return [loss for loss in told if loss is not None]


@pytest.mark.parametrize("changes", [[], ["adapter.method=lora"]], ids=["whole", "lora"])
@pytest.mark.parametrize("wanted", ["eager", "sdpa"])
def test_attention_is_computed_as_was_asked(words: Words, wanted: str, changes: list[str]) -> None:
    network: Any = built(words(f"compute.attention={wanted}", *changes))
    assert network.config._attn_implementation == wanted


def test_attention_gives_the_same_however_it_is_computed(words: Words) -> None:
    ways = [words(f"compute.attention={way}", "model.dropout=0") for way in ("eager", "auto")]
    eager, usual = trained_alike(*ways)
    assert losses(eager) == pytest.approx(losses(usual), rel=1e-4)


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        (COMPUTE, "needs CUDA, and this runs on cpu"),
        (Compute(torch.device("cuda"), torch.float32, 1), "does not compute in float32"),
        (Compute(torch.device("cuda"), torch.bfloat16, 1), "needs the package flash-attn"),
    ],
)
def test_flash_attention_is_refused_where_it_cannot_be(
    words: Words, compute: Compute, said: str
) -> None:
    if "flash_attn" in sys.modules:
        pytest.skip("it is installed here")
    with pytest.raises(TrainingError, match=said):
        choose_attention(built(words()), "flash_attention_2", compute)


def test_a_network_without_attention_has_none_to_choose() -> None:
    with pytest.raises(TrainingError, match=r"compute\.attention: this network is none of"):
        train(flowers("compute.attention=sdpa"))


KERNELS: tuple[Kernel, ...] = ("auto", "fused", "foreach", "forloop")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_all_kernels_make_the_same_updates(optimizer: Any) -> None:
    updated = []
    for kernel in KERNELS:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4))
        config = TrainConfig(optimizer=optimizer)
        made = build_optimizer(trainable_groups(network), config, CPU, kernel)
        assert all(
            (bool(group["fused"]), bool(group["foreach"]))
            == (kernel in ("auto", "fused"), kernel == "foreach")
            for group in made.param_groups
        )
        for _ in range(3):
            network(torch.ones(2, 5))[:, 0].sum().backward()
            made.step()
            made.zero_grad()
        updated.append(list(network.state_dict().values()))
    for other in updated[1:]:
        torch.testing.assert_close(other, updated[0])


def test_eight_bits_have_kernels_of_their_own() -> None:
    with pytest.raises(TrainingError, match="adamw_8bit has its own kernels"):
        train(flowers("train.optimizer=adamw_8bit", "compute.optimizer_kernel=fused"))


def test_a_run_is_the_same_whether_batches_are_read_ahead_or_not(words: Words) -> None:
    changes = ("train.max_steps=12", "train.eval_steps=5")
    now, early = trained_alike(
        *[words(*changes, f"compute.loader_threads={count}") for count in (0, 1)]
    )
    assert losses(now) == losses(early)
    assert len(losses(now)) > 1


@pytest.mark.parametrize("pinned", [True, False])
def test_the_data_knows_whether_its_memory_may_be_paged_out(words: Words, pinned: bool) -> None:
    config = words(f"compute.pinned_memory={str(pinned).lower()}")
    sources = prepare(create_task(config), COMPUTE, lambda event: None).sources
    assert [source.pinned for source in sources.values()] == [pinned] * 3


def test_what_is_no_tensor_of_a_batch_stays_as_it_is() -> None:
    part = {"ids": torch.ones(2), "more": {"mask": torch.ones(1)}, "none": None}
    there = moved(part, torch.device("meta"), pinned=True)
    assert there["ids"].device.type == there["more"]["mask"].device.type == "meta"
    assert there["none"] is None


def test_what_reading_ahead_runs_into_is_raised_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise TrainingError("the third was the last")

    taken = ahead(items())
    assert [next(taken), next(taken), next(taken)] == [1, 2, 3]
    with pytest.raises(TrainingError, match="the third was the last"):
        next(taken)


def test_no_more_is_read_ahead_than_a_few_and_nothing_after_the_end() -> None:
    made: list[int] = []
    closed: list[bool] = []

    def items() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                yield number
        finally:
            closed.append(True)

    taken = ahead(items())
    assert next(taken) == 0
    taken.close()
    assert closed == [True]
    assert len(made) <= 5


def settled(run: RunDirectory) -> tuple[int, bool]:
    config = run.config.read().train
    return config.batch_size, config.auto_batch_size


def test_the_batch_size_that_was_found_is_the_runs_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = flowers("train.auto_batch_size=true", "train.max_steps=3")
    run = train(config)
    size, auto = settled(run)
    # The largest that leaves ten updates in an epoch of 106 samples: memory allows far more.
    assert (size, auto) == (8, False)
    assert any("The batch size is 8." in log.message for log in run.events.newest(Log)
               if isinstance(log, Log))  # fmt: skip
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda device: 1)
    train(run.config.read(), run)
    assert settled(run) == (8, False)


def test_the_estimate_is_of_the_batches_that_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_estimate, "_libraries", lambda: 0)
    values = {
        "name": "cost",
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn", "channels": [32, 64]},
        "compute": {"device": "cpu", "threads": 1},
    }
    config = RunConfig.parse(values)
    tight = estimate(config.override(["train.batch_size=100"])).memory.total
    monkeypatch.setattr(memory_estimate, "available_bytes", lambda device: int(tight / 0.85))
    told = estimate(config.override(["train.auto_batch_size=true", "train.batch_size=7"]))
    assert told.verdict == "fits"
    assert told.notes[0].startswith("batches of ")
    assert int(told.notes[0].split()[2]) == pytest.approx(100, abs=8)


def test_a_network_that_cannot_be_compiled_is_reported() -> None:
    from torch._inductor.exc import CppCompileError, InvalidCxxCompiler

    for error, said in (
        (InvalidCxxCompiler("g++"), "there is no C\\+\\+ compiler"),
        (CppCompileError(["g++"], "x.cpp:3:1: fatal error: Python.h: No such file"), "Python.h"),
    ):
        with pytest.raises(TrainingError, match=f"compute.compile: .*{said}"), compiler_errors():
            raise error


def test_other_errors_are_not_the_compilers() -> None:
    with pytest.raises(RuntimeError, match="shapes"), compiler_errors():
        raise RuntimeError("shapes")


@pytest.fixture
def switches() -> Iterator[None]:
    """Restore the global switches that other tests expect."""
    yield
    choose(ComputeConfig(threads=1))


def state_of_switches() -> dict[str, Any]:
    """The switches that torch reads, including its compiler's view of TF32."""
    return {
        "tf32": (
            torch.backends.cuda.matmul.allow_tf32,
            torch.backends.cudnn.allow_tf32,
            torch.backends.cuda.matmul.fp32_precision == "tf32",
        ),
        "benchmark": torch.backends.cudnn.benchmark,
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.deterministic,
            os.environ.get("CUBLAS_WORKSPACE_CONFIG") == ":4096:8",
            os.environ.get("FLASH_ATTENTION_DETERMINISTIC") == "1",
        ),
    }


@pytest.mark.usefixtures("switches")
def test_no_run_inherits_switches_from_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUBLAS_WORKSPACE_CONFIG", "FLASH_ATTENTION_DETERMINISTIC"):
        monkeypatch.delenv(name, raising=False)
    usual = {"tf32": (True,) * 3, "benchmark": False, "deterministic": (False,) * 4}
    others = {"tf32": (False,) * 3, "benchmark": True, "deterministic": (False,) * 4}
    strict = {"tf32": (True,) * 3, "benchmark": False, "deterministic": (True,) * 4}
    changed = ("compute.tf32=false", "compute.cudnn_benchmark=true")
    for changes, expected in (
        ((), usual),
        (changed, others),
        (("compute.deterministic=true", "compute.cudnn_benchmark=true"), strict),
        (changed, others),
        ((), usual),
    ):
        train(flowers("train.max_steps=1", *changes))
        assert state_of_switches() == expected


@pytest.mark.usefixtures("switches")
def test_switches_are_set_without_warnings(recwarn: pytest.WarningsRecorder) -> None:
    for wanted in (True, False):
        choose(ComputeConfig(tf32=wanted, cudnn_benchmark=wanted, deterministic=wanted))
        state_of_switches()
    assert not [str(warning.message) for warning in recwarn]


@pytest.mark.usefixtures("switches")
def test_tf32_leaves_the_cpu_alone() -> None:
    choose(ComputeConfig(tf32=True))
    assert torch.backends.mkldnn.matmul.fp32_precision == "none"


def test_a_variable_that_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    for wanted in (True, False):
        choose(ComputeConfig(deterministic=wanted))
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


@pytest.mark.usefixtures("switches")
def test_deterministic_runs_give_the_same_bits() -> None:
    weights = []
    for _ in range(2):
        run = train(flowers("compute.deterministic=true"))
        weights.append(load_file(run.model / "network.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.usefixtures("switches")
def test_an_operation_that_is_not_deterministic_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(network: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        flat = torch.arange(output.numel(), device=output.device)
        return torch.zeros_like(output).put_(flat, output)

    def built(*arguments: Any) -> nn.Module:
        network = build_network(*arguments)
        network.register_forward_hook(put)
        return network

    monkeypatch.setattr(assembly, "build_network", built)
    train(flowers("train.max_steps=1"))
    with pytest.raises(TrainingError, match=r"compute\.deterministic: the operation put_ has no"):
        train(flowers("train.max_steps=1", "compute.deterministic=true"))


def test_a_workspace_of_cublas_that_comes_too_late_is_reported() -> None:
    said = (
        "Deterministic behavior was enabled with `torch.use_deterministic_algorithms(True)`, but "
        "this operation is not deterministic because it uses CuBLAS and you have CUDA >= 10.2."
    )
    with pytest.raises(TrainingError, match="before Python starts"), determinism_errors():
        raise RuntimeError(said)


def test_other_errors_are_not_of_determinism() -> None:
    with pytest.raises(RuntimeError, match="shapes"), determinism_errors():
        raise RuntimeError("shapes")


@pytest.mark.usefixtures("switches")
def test_an_estimate_leaves_no_deterministic_algorithms_behind() -> None:
    estimate(flowers("compute.deterministic=true"))
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
@pytest.mark.parametrize("changes", [[], ["adapter.method=lora"]], ids=["bert", "lora"])
def test_a_compiled_network_learns_the_same(words: Words, changes: list[str]) -> None:
    steps = ["model.dropout=0", "train.max_steps=6", "train.eval_steps=3", *changes]
    plain, compiled = trained_alike(
        *[words(*steps, f"compute.compile={wanted}") for wanted in ("false", "true")]
    )
    assert losses(compiled) == pytest.approx(losses(plain), rel=1e-3)


def test_a_run_that_cannot_use_the_gpu_says_so_and_why(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(driver, "gpus", lambda: [{"name": "A GPU"}])
    monkeypatch.setattr(driver, "installed_driver", lambda: driver.Driver("470.82.01", "11.4"))
    values = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp"},
        "train": {"max_steps": 1},
    }
    for device, told in (("auto", 1), ("cpu", 0)):
        run = train(RunConfig.parse(values | {"compute": {"device": device}}))
        said = [
            e.message for e in run.events.newest(Log) if isinstance(e, Log) and "GPU" in e.message
        ]
        assert len(said) == told
        assert all("This run trains on the CPU." in message for message in said)
