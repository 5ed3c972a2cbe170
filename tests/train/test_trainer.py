"""The training loop: updates, evaluations, checkpoints, requests and the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import engine.training.progress as module
from engine import RunConfig, train
from engine.batches.source import Source
from engine.config.compute import ComputeConfig
from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.hardware.device import choose
from engine.metrics.evaluator import Evaluation
from engine.runs.control import CHECKPOINT, EVALUATE, STOP, Request
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Controlled, Evaluated, EventLog, Failed, Finished, Log, Progress
from engine.runs.follower import read_history
from engine.runs.status import State
from engine.training.checkpoint_writer import Saver
from engine.training.checkpoints import checkpoint
from engine.training.checkpoints.state import Ending, TrainingState
from engine.training.evaluation import SplitEvaluator
from engine.training.optimization.optimizer import build_optimizer, schedule, trainable_groups

Make = Callable[..., Any]


def wine(**train: Any) -> dict[str, Any]:
    return {
        "name": "wine",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [16], "dropout": 0.0},
        "train": {"epochs": 2, "batch_size": 32, "eval_steps": 1000} | train,
        "compute": {"device": "cpu", "threads": 1},
    }


def exploding() -> dict[str, Any]:
    return wine(optimizer="sgd", learning_rate=100, max_grad_norm=0, epochs=50) | {
        "task": {"kind": "tabular_regression"},
        "data": {"kind": "builtin", "name": "diabetes"},
    }


def test_accumulated_gradients_are_those_of_the_large_batch(bench: Make) -> None:
    large = bench(wine(batch_size=32, max_steps=3))
    small = bench(wine(batch_size=8, gradient_accumulation_steps=4, max_steps=3))
    large.trainer.run()
    small.trainer.run()
    assert large.state.position.step == small.state.position.step == 3
    for one, other in zip(large.weights(), small.weights(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_the_last_update_of_an_epoch_takes_what_batches_are_left(bench: Make) -> None:
    made = bench(wine(batch_size=16, gradient_accumulation_steps=3))
    made.trainer.run()
    batches = -(-len(made.trainer.train) // 16)
    assert made.state.position.step == 2 * -(-batches // 3) == made.trainer.schedule.steps
    assert made.state.position.epoch == 2


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(optimizer: str) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LayerNorm(4), nn.Linear(4, 2))
    config = TrainConfig(optimizer=optimizer, weight_decay=0.5)  # type: ignore[arg-type]
    made = build_optimizer(trainable_groups(network), config, torch.device("cpu"))
    decay = {id(p): group["weight_decay"] for group in made.param_groups for p in group["params"]}
    assert len(decay) == len(list(network.parameters()))
    for name, parameter in network.named_parameters():
        matrix = name in ("0.weight", "3.weight")
        assert decay[id(parameter)] == (0.5 if matrix else 0.0), name


@pytest.mark.parametrize(
    ("kind", "warmup", "factors"),
    [
        ("constant", 0.0, [1, 1, 1, 1]),
        ("constant", 0.5, [0.5, 1, 1, 1]),
        ("linear", 0.0, [1, 0.75, 0.5, 0.25]),
        ("linear", 0.5, [0.5, 1, 1, 0.5]),
        ("cosine", 0.0, [1, 0.8535534, 0.5, 0.1464466]),
    ],
)
def test_learning_rates_follow_their_schedule(
    kind: str, warmup: float, factors: list[float]
) -> None:
    config = TrainConfig(lr_scheduler_type=kind, warmup_ratio=warmup)  # type: ignore[arg-type]
    factor = schedule(config, 4)
    assert [factor(step) for step in range(4)] == pytest.approx(factors)


def test_the_rate_that_is_reported_is_the_one_of_the_update(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(learning_rate=0.1, lr_scheduler_type="linear", max_steps=4))
    made.trainer.run()
    rates = {event.step: event.learning_rate for event in made.of(Progress) if event.loss}
    assert rates == pytest.approx({1: 0.1, 2: 0.075, 3: 0.05, 4: 0.025})


def test_training_losses_do_not_depend_on_when_they_are_reported(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(module, "REPORT_SECONDS", seconds)
        made = bench(wine(eval_steps=3, epochs=3))
        made.trainer.run()
        losses.append([event.train_loss for event in made.of(Evaluated)])
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


def test_few_reports_are_made_however_many_updates(bench: Make) -> None:
    made = bench(wine(epochs=100))
    made.trainer.run()
    seconds = made.state.position.seconds
    assert made.state.position.step == 400
    assert len(made.of(Progress)) <= seconds / module.REPORT_SECONDS + 2
    assert made.of(Progress)[-1].step == 400


def test_every_loss_is_in_exactly_one_report(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(eval_steps=2, save_steps=3))
    made.trainer.run()
    reported = [event.step for event in made.of(Progress) if event.phase == "train"]
    assert reported == list(range(1, made.trainer.schedule.steps + 1))


def test_epochs_and_updates_of_evaluations_are_exact(bench: Make) -> None:
    made = bench(wine(eval_steps=0, epochs=3))
    made.trainer.run()
    assert [(event.step, event.epoch) for event in made.of(Evaluated)] == [(4, 1), (8, 2), (12, 3)]


def test_evaluations_in_the_middle_of_an_epoch_say_so(bench: Make) -> None:
    made = bench(wine(eval_steps=1, max_steps=3))
    made.trainer.run()
    assert [event.epoch for event in made.of(Evaluated)] == [0.25, 0.5, 0.75]


def test_a_run_that_does_not_improve_ends_early(bench: Make) -> None:
    made = bench(wine(eval_steps=0, learning_rate=1e-12, epochs=50, early_stopping_patience=3))
    assert made.trainer.run() is Ending.EARLY
    assert len(made.of(Evaluated)) == 4
    assert [event.best for event in made.of(Evaluated)] == [True, False, False, False]


def test_a_run_that_stopped_early_does_not_resume(bench: Make) -> None:
    values = wine(eval_steps=0, learning_rate=1e-12, epochs=50, early_stopping_patience=3)
    made = bench(values)
    made.trainer.run()
    again = bench(values, saved=made.state.state_dict())
    assert again.trainer.run() is Ending.EARLY
    assert again.state.position.step == made.state.position.step
    assert again.of(Evaluated) == []


def test_a_loss_that_is_no_number_ends_the_run_with_advice(bench: Make) -> None:
    with pytest.raises(TrainingError, match=r"finite number.*train\.learning_rate"):
        bench(exploding()).trainer.run()


def test_a_failed_run_says_so_and_keeps_no_broken_weights() -> None:
    config = RunConfig.parse(exploding() | {"name": "hot"}).override(["train.save_steps=1"])
    with pytest.raises(TrainingError):
        train(config)
    (run,) = all_runs(runs_folder())
    assert run.status.state() is State.FAILED
    ending = read_history(run).ending
    assert isinstance(ending, Failed)
    assert "train.learning_rate" in ending.message
    assert ending.report == ""
    for found in checkpoint.found(run.checkpoints):
        state = torch.load(found.path / "state.pt", weights_only=True)
        assert all(value.isfinite().all() for value in state["network"].values())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_checkpoint_is_written_of_broken_weights(tmp_path: Path, value: float) -> None:
    run = RunDirectory.create(tmp_path, RunConfig.parse(wine()))
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = TrainingState(network, torch.optim.SGD(network.parameters()))
    with EventLog(run.events.path) as events:
        saver = Saver(run, state, events, keep=2)
        saver.save("schedule")
        state.position.step = 1
        network[1].running_var[0] = value
        with pytest.raises(TrainingError, match="finite number"):
            saver.save("schedule")
        saver.wait()
    assert [found.step for found in checkpoint.found(run.checkpoints)] == [0]


def test_the_best_weights_are_the_ones_that_are_kept() -> None:
    config = RunConfig.parse(
        wine(eval_steps=1, epochs=6, learning_rate=0.3, lr_scheduler_type="constant",
             metric_for_best_model="loss")
    )  # fmt: skip
    run = train(config)
    history, report = read_history(run), run.report.read()
    assert history.best is not None
    assert report is not None
    assert history.best.step < history.evaluations[-1].step
    assert report["best_step"] == history.best.step
    assert report["metrics"]["validation"]["loss"] == pytest.approx(history.best.metrics["loss"])
    section = vars(config.train) | {"max_steps": history.best.step}
    until_then = train(RunConfig.parse(wine(**{name: section[name] for name in UNTIL_THE_BEST})))
    assert weights_of(run) == weights_of(until_then)


UNTIL_THE_BEST = (
    "eval_steps", "epochs", "learning_rate", "lr_scheduler_type", "metric_for_best_model",
    "max_steps",
)  # fmt: skip


def weights_of(run: RunDirectory) -> bytes:
    (path,) = run.model.glob("*.safetensors")
    return path.read_bytes()


SHAPES = {
    "task": {"kind": "semantic_segmentation"},
    "data": {"kind": "builtin", "name": "shapes", "max_samples": 20},
    "model": {"kind": "unet", "channels": [4, 4]},
}
"""A task that fits nothing to the finished network."""


def test_the_best_weights_are_measured_once_on_the_validation_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = []
    evaluate = SplitEvaluator.evaluate

    def noted(self: SplitEvaluator, source: Source, split: str, **options: Any) -> Evaluation:
        measured.append(split)
        return evaluate(self, source, split, **options)

    monkeypatch.setattr(SplitEvaluator, "evaluate", noted)
    train(RunConfig.parse(wine(epochs=2, eval_steps=0) | SHAPES))
    assert measured == ["validation", "validation", "test"]


def once(action: str, step: int) -> Callable[[TrainingState], Iterator[Request]]:
    """A function that requests ``action`` once the run has made ``step`` updates."""
    left = [Request(action)]

    def ask(state: TrainingState) -> Iterator[Request]:
        if state.position.step >= step and left:
            yield left.pop()

    return ask


class Memory:
    """Memory for ``rows`` rows at the first layer in evaluations; notes the rows of updates."""

    def __init__(self, made: Any, rows: int) -> None:
        self.rows = rows
        self.updates: list[int] = []
        self.evaluated: list[int] = []
        network = made.state.network
        layer = next(part for part in network.modules() if isinstance(part, nn.Linear))
        layer.register_forward_pre_hook(self.look)

    def look(self, layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        rows = len(inputs[0])
        if layer.training:
            self.updates.append(rows)
        elif rows > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        else:
            self.evaluated.append(rows)


@pytest.mark.parametrize(("rows", "most"), [(20, 16), (1, 1)])
def test_an_evaluation_that_does_not_fit_leaves_the_updates_as_they_are(
    bench: Make, rows: int, most: int
) -> None:
    values = wine(eval_steps=2, max_steps=4)
    whole, short = bench(values), bench(values)
    enough, little = Memory(whole, 1000), Memory(short, rows)
    whole.trainer.run()
    short.trainer.run()
    assert little.updates == enough.updates
    assert max(little.evaluated) == most
    for one, other in zip(whole.weights(), short.weights(), strict=True):
        assert torch.equal(one, other)
    losses = [[event.metrics["loss"] for event in made.of(Evaluated)] for made in (whole, short)]
    assert losses[0] == pytest.approx(losses[1])
    again = bench(values, saved=short.state.state_dict())
    assert again.trainer.memory.evaluation_pieces == 32 // most


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_batch_norms_that_see_micro_batches_are_told(bench: Make, normalization: str) -> None:
    values = wine(max_steps=1)
    values["model"] |= {"normalization": normalization}
    made = bench(values)
    layer = next(part for part in made.state.network.modules() if isinstance(part, nn.Linear))

    def full(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if layer.training and len(inputs[0]) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    layer.register_forward_pre_hook(full)
    made.trainer.run()
    [warning] = [event.message for event in made.of(Log)]
    assert "2 micro-batches" in warning
    assert ("Batch norms see one micro-batch" in warning) == (normalization == "batch")


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_gradients_that_are_not_finite_are_left_out_with_clipping_and_without(
    bench: Make, limit: float
) -> None:
    made = bench(wine(max_steps=6, max_grad_norm=limit))
    poisoned = made.state.position
    weight = next(made.state.network.parameters())
    weight.register_hook(lambda gradient: gradient * float("nan") if poisoned.step == 2 else None)
    made.trainer.run()
    assert made.state.finite()
    warnings = [event.message for event in made.of(Log)]
    assert [text.split(" up to")[0] for text in warnings] == ["1 update"]


def test_an_overflow_in_float16_leaves_no_trace_in_the_statistics_of_batch_norms(
    bench: Make,
) -> None:
    values = wine(epochs=3)
    values["model"] |= {"normalization": "batch"}
    made = bench(values)
    made.state.scaler = torch.amp.GradScaler("cpu")
    norm = next(part for part in made.state.network.modules() if isinstance(part, nn.BatchNorm1d))

    def overflow(norm: nn.Module, inputs: tuple[torch.Tensor]) -> Any:
        return (inputs[0] * float("inf"),) if made.state.position.step == 3 else None

    norm.register_forward_pre_hook(overflow)
    made.trainer.run()
    assert made.state.finite()
    assert made.of(Evaluated)[-1].metrics["loss"] is not None


@pytest.mark.parametrize(("epochs", "least"), [(30, 50), (2, 8)])
def test_gradients_that_no_scale_makes_finite_in_float16_end_the_run(
    bench: Make, epochs: int, least: int
) -> None:
    made = bench(wine(epochs=epochs))
    made.state.scaler = torch.amp.GradScaler("cpu")
    next(made.state.network.parameters()).register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(TrainingError, match="finite number"):
        made.trainer.run()
    assert made.state.position.step >= least


def test_overflows_of_a_scale_in_float16_are_neither_told_nor_drawn(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(epochs=3))
    made.state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    at, weight = made.state.position, next(made.state.network.parameters())
    weight.register_hook(lambda gradient: gradient * float("inf") if at.step < 2 else None)
    made.trainer.run()
    assert made.of(Log) == []
    assert made.state.scaler.get_scale() == 2.0**14
    norms = [event.grad_norm for event in made.of(Progress) if event.loss]
    assert norms[:2] == [None, None]
    assert all(0 < norm < 100 for norm in norms if norm is not None)
    assert norms[-1] is not None


def test_the_epoch_of_the_last_weights_is_exact_without_a_validation_split() -> None:
    values = wine(max_steps=3, batch_size=32, eval_steps=0)
    values["data"] |= {"validation_fraction": 0.0}
    run = train(RunConfig.parse(values))
    report = run.report.read()
    assert report is not None
    # 178 rows without the tenth for the test are five batches.
    assert (report["best_step"], report["best_epoch"]) == (3, pytest.approx(3 / 5))


def test_a_request_to_stop_is_followed_after_the_running_update(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(epochs=50), requests=once(STOP, 5))
    assert made.trainer.run() is Ending.STOPPED
    assert made.state.position.step == 5
    assert [event.request for event in made.of(Controlled)] == [STOP]


def test_the_system_is_obeyed_after_the_running_update(bench: Make) -> None:
    made = bench(wine(epochs=50), interrupted=lambda state: state.position.step >= 5)
    assert made.trainer.run() is Ending.INTERRUPTED
    assert made.state.position.step == 5


def test_an_evaluation_is_given_up_when_the_system_wants_the_run_to_end(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(eval_steps=2), interrupted=lambda state: state.position.step == 2)
    assert made.trainer.run() is Ending.INTERRUPTED
    assert made.of(Evaluated) == []
    assert made.state.network.training


def test_an_evaluation_is_given_up_when_the_run_is_to_stop(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(eval_steps=2), requests=once(STOP, 2))
    assert made.trainer.run() is Ending.STOPPED
    assert made.of(Evaluated) == []


def test_an_evaluation_that_was_given_up_is_made_up_for(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    values = wine(eval_steps=2, max_steps=4)
    whole = bench(values)
    whole.trainer.run()
    half = bench(values, interrupted=lambda state: state.position.step == 2)
    half.trainer.run()
    rest = bench(values, saved=half.state.state_dict())
    rest.trainer.run()

    def told(made: Any) -> list[Any]:
        return [(e.step, e.metrics, e.train_loss, e.best) for e in made.of(Evaluated)]

    assert told(rest) == told(whole)


def test_a_checkpoint_that_was_asked_for_is_written_after_the_evaluation_of_its_update(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(eval_steps=2, max_steps=4), requests=once(CHECKPOINT, 2))
    made.trainer.run()
    ((reason, state),) = made.saved
    assert reason == "request"
    assert state["position"]["step"] == state["position"]["evaluated_step"] == 2
    assert [event.message for event in made.of(Controlled)] == ["Checkpoint written."]


def test_an_evaluation_can_be_asked_for(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(max_steps=4), requests=once(EVALUATE, 2))
    made.trainer.run()
    assert [event.step for event in made.of(Evaluated)] == [2, 4]


def test_an_unknown_request_is_answered_and_changes_nothing(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    made = bench(wine(max_steps=4), requests=once("dance", 2))
    assert made.trainer.run() is Ending.COMPLETED
    (answer,) = made.of(Controlled)
    assert not answer.accepted
    assert "dance" in answer.message


def test_checkpoints_come_after_so_many_updates(bench: Make) -> None:
    made = bench(wine(save_steps=3, epochs=3))
    made.trainer.run()
    assert [state["position"]["step"] for _, state in made.saved] == [3, 6, 9, 12]


def test_checkpoints_come_after_so_much_time(bench: Make) -> None:
    made = bench(wine(save_minutes=1e-9, max_steps=4))
    made.trainer.run()
    assert len(made.saved) >= 1


def test_a_run_in_a_thread_leaves_a_whole_directory(home: Path) -> None:
    config = RunConfig.parse(wine())
    run = RunDirectory.create(runs_folder(), config)
    thread = threading.Thread(target=train, args=(config, run))
    thread.start()
    thread.join()
    assert run.status.state() is State.FINISHED
    history = read_history(run)
    assert isinstance(history.ending, Finished)
    assert history.ending.metrics["accuracy"] is not None
    assert (run.model / "manifest.json").is_file()
    assert next(run.events.newest()) == history.ending


def test_a_device_that_is_not_there_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(TrainingError, match=r"compute\.device.*dltui doctor"):
        choose(ComputeConfig(device="cuda"))
