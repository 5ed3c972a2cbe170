"""The loop: from batches to weights. It knows no task by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import nn

from engine.control import CHECKPOINT, EVALUATE, STOP, Request
from engine.errors import TrainingError
from engine.events import Controlled, Evaluated, Event, Progress, Samples, finite, finite_all
from engine.metric import Metric
from engine.tasks.task import Evaluation, Evaluator, Task
from engine.training.batch import Batch, Noise, Source, epoch_plan
from engine.training.device import Compute
from engine.training.meter import Meter
from engine.training.optimizer import schedule
from engine.training.state import Best, TrainingState, on_cpu, trained_weights
from engine.training_config import TrainConfig

REPORT_SECONDS = 0.25
"""Events about progress come at most this often, and requests are looked for this often."""
SAVING_SHARE = 0.02
"""Of the time, at most so much goes into checkpoints that come by the clock."""


class Ending(Enum):
    """Why the loop ended."""

    COMPLETED = "completed"
    EARLY = "early stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class _Abandoned(Exception):
    """The run is to end, so an evaluation on the way is given up."""


@dataclass(frozen=True)
class Outlets:
    """Where the trainer reports to, asks, and saves: functions, so that it needs no directory."""

    report: Callable[[Event], None]
    requests: Callable[[], Iterator[Request]]
    save: Callable[[str], None]
    """Write a checkpoint of the state; the argument says why."""
    interrupted: Callable[[], bool]


class Trainer:
    """Trains one network on one source until something ends it."""

    def __init__(
        self,
        task: Task[Any],
        fitted: Any,
        state: TrainingState,
        train: Source,
        validation: Source | None,
        compute: Compute,
        outlets: Outlets,
    ) -> None:
        self.task = task
        self.fitted = fitted
        self.state = state
        self.train = train
        self.validation = validation
        self.compute = compute
        self.outlets = outlets
        self.config: TrainConfig = task.config.train
        self.metric = deciding_metric(task)
        self.steps = total_steps(train, self.config)
        self._factor = schedule(self.config, self.steps)
        self._parameters = [p for p in state.network.parameters() if p.requires_grad]
        self._ending: Ending | None = None
        self._evaluate_now = self._save_now = False
        self._saving_seconds = 0.0
        self._reported_step = -1
        self._batches = max(1, len(epoch_plan(train, self.config.batch_size, 0, 0)))

    def run(self) -> Ending:
        """Train to the end; the state's position says where to begin.

        Raises :class:`TrainingError` when the numbers are no longer finite.
        """
        position = self.state.position
        self._meter = Meter(position)
        self._reported = self._saved = time.perf_counter()
        self._begin = self._reported - position.seconds
        if self._out_of_patience():
            self._ending = Ending.EARLY
        elif self._evaluation_is_due() and position.evaluated_step != position.step:
            self._evaluate()  # the checkpoint was written just before it
        while self._ending is None and position.step < self.steps:
            self._epoch()
        self._report()
        return self._ending or Ending.COMPLETED

    def save(self, reason: str) -> None:
        """Write a checkpoint, all losses up to here reported."""
        self._report()
        begin = time.perf_counter()
        self.outlets.save(reason)
        self._saved = time.perf_counter()
        self._saving_seconds = self._saved - begin
        self._meter.restart_clock()

    def _epoch(self) -> None:
        position = self.state.position
        plan = epoch_plan(self.train, self.config.batch_size, self.config.seed, position.epoch)
        noise = Noise(self.config.seed, position.epoch, self.compute.device)
        batches = self.train.read(plan, position.batch, noise)
        self._batches = len(plan)
        self.state.network.train()
        while position.batch < len(plan):
            count = min(self.config.gradient_accumulation_steps, len(plan) - position.batch)
            self._update([next(batches) for _ in range(count)])
            position.batch += count
            position.step += 1
            if position.batch == len(plan):
                position.epoch += 1
                position.batch = 0
            self._between_updates()
            over = self._ending is not None or position.step >= self.steps
            if over or position.batch == 0:
                return

    def _update(self, batches: Sequence[Batch]) -> None:
        """One update from the gradients of all ``batches``, each by its weight."""
        state = self.state
        total = sum(batch.weight for batch in batches)
        for batch in batches:
            with self.compute.autocast():
                loss = self.task.loss(state.network, batch)
            self._meter.add(loss.detach(), batch.weight)
            share = loss if len(batches) == 1 else loss * (batch.weight / total)
            torch.autograd.backward(share if state.scaler is None else state.scaler.scale(share))
        factor = self._factor(state.position.step) * state.position.lr_scale
        for group in state.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * factor * group["lr_scale"]
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        if self.config.max_grad_norm > 0:
            self._meter.set_norm(
                nn.utils.clip_grad_norm_(self._parameters, self.config.max_grad_norm)
            )
        if state.scaler is not None:
            state.scaler.step(state.optimizer)
            state.scaler.update()
        else:
            state.optimizer.step()
        state.optimizer.zero_grad(set_to_none=True)

    def _between_updates(self) -> None:
        """Evaluate, save, report and listen, when it is time for each."""
        now = time.perf_counter()
        self.state.position.seconds = now - self._begin
        if now - self._reported >= REPORT_SECONDS:
            self._report()
            self._listen()
        if self._evaluate_now or self._evaluation_is_due():
            self._evaluate()
        if self.outlets.interrupted():
            self._ending = Ending.INTERRUPTED
        # After the evaluation of the same update, so that whoever goes on from here has it.
        if self._save_now:
            self._save_now = False
            self.save("request")
            self.outlets.report(Controlled(request=CHECKPOINT, message="Checkpoint written."))
        elif self._save_is_due():
            self.save("schedule")

    def _evaluation_is_due(self) -> bool:
        position, every = self.state.position, self.config.eval_steps
        if position.step == 0:
            return False
        due = position.step % every == 0 if every else position.batch == 0
        return due or position.step >= self.steps

    def _save_is_due(self) -> bool:
        every = self.config.save_steps
        if every and self.state.position.step % every == 0:
            return True
        # A state that takes long to write is written less often.
        pause = max(self.config.save_minutes * 60, self._saving_seconds / SAVING_SHARE)
        return time.perf_counter() - self._saved >= pause

    def _out_of_patience(self) -> bool:
        patience = self.config.early_stopping_patience
        return patience > 0 and self.state.position.stale >= patience

    def _check(self) -> None:
        """Fetch what the meter holds; raises :class:`TrainingError` if it is not finite."""
        losses, norm = self._meter.fetch()
        # In float16 gradients may overflow now and then; the scaler leaves such updates out.
        if not losses or (not norm and self.state.scaler is None):
            raise not_finite(self.state.position.step)

    def _report(self) -> None:
        """Tell what happened since the last report, if anything did."""
        self._check()
        self._reported = time.perf_counter()
        if self._reported_step != self.state.position.step:
            self._reported_step = self.state.position.step
            reading = self._meter.read()
            self.outlets.report(self._progress(reading.loss, reading.grad_norm, reading.rate))

    def _progress(
        self, loss: float | None, norm: float | None, rate: float, phase: str = "train"
    ) -> Progress:
        position = self.state.position
        return Progress(
            step=position.step,
            steps=self.steps,
            epoch=self._epochs_done(),
            epochs=self.config.epochs,
            loss=None if loss is None else finite(loss),
            learning_rate=float(self.state.optimizer.param_groups[0]["lr"]),
            grad_norm=None if norm is None else finite(norm),
            samples_per_second=rate,
            seconds=position.seconds,
            phase=phase,
            memory=self.compute.peak_memory(),
        )

    def _epochs_done(self) -> float:
        return self.state.position.epoch + self.state.position.batch / self._batches

    def _listen(self) -> None:
        """Carry out what was asked for; what is not known is answered too."""
        for request in self.outlets.requests():
            answer = self._answer(request)
            if answer is not None:
                self.outlets.report(answer)

    def _answer(self, request: Request) -> Controlled | None:
        if request.action == STOP:
            self._ending = Ending.STOPPED
            return Controlled(request=STOP, message="Stopping; what was learned is kept.")
        if request.action == CHECKPOINT:
            self._save_now = True
            return None  # told when it is written
        if request.action == EVALUATE:
            self._evaluate_now = True
            return Controlled(request=EVALUATE, message="Evaluating.")
        text = f"Unknown request {request.action[:40]!r}."
        return Controlled(request=request.action[:40], message=text, accepted=False)

    def _evaluate(self) -> None:
        """Measure on the validation data, keep the best weights, count what did not improve."""
        position = self.state.position
        self._check()
        self._evaluate_now = False
        metrics: dict[str, float] = {}
        if self.validation is not None:
            evaluator = self.task.evaluator(self.fitted)
            try:
                metrics = self.evaluate(
                    self.validation, evaluator, "validation", to_the_end=False
                ).metrics
            except _Abandoned:
                return
        position.evaluated_step = position.step
        train_loss = position.loss_sum / position.loss_weight if position.loss_weight else None
        position.loss_sum = position.loss_weight = 0.0
        position.seconds = time.perf_counter() - self._begin
        self.outlets.report(
            Evaluated(
                step=position.step,
                epoch=self._epochs_done(),
                split="validation",
                metrics=finite_all(metrics),
                train_loss=None if train_loss is None else finite(train_loss),
                best=self._note_best(metrics),
                seconds=position.seconds,
            )
        )
        self._show_samples()
        self._meter.restart_clock()

    def _note_best(self, metrics: dict[str, float]) -> bool:
        state = self.state
        value = metrics.get(self.metric.name, float("nan"))
        if self.metric.improves(value, None if state.best is None else state.best.value):
            weights = on_cpu(trained_weights(state.network))
            state.best = Best(value, state.position.step, self._epochs_done(), weights)
            state.position.stale = 0
            return True
        state.position.stale += bool(metrics)
        if self._out_of_patience() and self._ending is None:
            self._ending = Ending.EARLY
        return False

    def evaluate(
        self,
        source: Source,
        evaluator: Evaluator,
        split: str,
        views: bool = False,
        to_the_end: bool = True,
    ) -> Evaluation:
        """Run a whole split through the network; leaves it in training mode."""
        network = self.state.network
        network.eval()
        shown = time.perf_counter()
        try:
            with torch.inference_mode(), self.compute.autocast():
                for batch in source.read(source.evaluation_plan(self.config.batch_size)):
                    evaluator.update(network, batch)
                    if time.perf_counter() - shown > REPORT_SECONDS:
                        shown = time.perf_counter()
                        self.outlets.report(self._progress(None, None, 0.0, phase=split))
                        if not to_the_end:
                            self._abandon_if_ending()
            return evaluator.compute(views)
        finally:
            network.train()

    def _abandon_if_ending(self) -> None:
        self._listen()
        if self._ending is not None or self.outlets.interrupted():
            raise _Abandoned

    def _show_samples(self) -> None:
        if self.validation is None:
            return
        network = self.state.network
        network.eval()
        with torch.inference_mode(), self.compute.autocast():
            items = self.task.samples(network, self.validation, self.fitted)
        network.train()
        if items:
            step = self.state.position.step
            self.outlets.report(Samples(step=step, split="validation", items=items))


def deciding_metric(task: Task[Any]) -> Metric:
    """The metric that says which weights are best."""
    return task.config.task.metric(task.config.train.metric_for_best_model)


def total_steps(train: Source, config: TrainConfig) -> int:
    """Updates of a whole run."""
    batches = len(epoch_plan(train, config.batch_size, config.seed, 0))
    per_epoch = -(-batches // config.gradient_accumulation_steps)
    steps = per_epoch * config.epochs
    return steps if config.max_steps is None else min(steps, config.max_steps)


def not_finite(step: int) -> TrainingError:
    """What to say when NaN or infinity came up."""
    return TrainingError(
        f"The loss, its gradient or a weight is no longer a finite number (at update {step:,}).",
        "Try a lower train.learning_rate, a smaller train.max_grad_norm or more "
        "train.warmup_ratio, and look for missing or huge values in the data.",
    )
