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


class Ending(Enum):
    """Why the loop ended."""

    COMPLETED = "completed"
    EARLY = "early stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


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
        self._evaluate_now = False

    def run(self) -> Ending:
        """Train to the end; the state's position says where to begin."""
        self._meter = Meter(self.state.position)
        self._begin = time.perf_counter() - self.state.position.seconds
        self._reported = self._saved = time.perf_counter()
        while self._ending is None and self.state.position.step < self.steps:
            self._epoch()
        if self._ending is None:
            self._ending = Ending.COMPLETED
        self._report()
        return self._ending

    def _epoch(self) -> None:
        position = self.state.position
        plan = epoch_plan(self.train, self.config.batch_size, self.config.seed, position.epoch)
        noise = Noise(self.config.seed, position.epoch, self.compute.device)
        batches = self.train.read(plan, position.batch, noise)
        self.state.network.train()
        while position.batch < len(plan):
            count = min(self.config.gradient_accumulation_steps, len(plan) - position.batch)
            self._update([next(batches) for _ in range(count)])
            position.batch += count
            position.step += 1
            if position.batch == len(plan):
                position.epoch += 1
                position.batch = 0
            self._between_updates(at_epoch_end=position.batch == 0)
            if self._ending is not None or position.batch == 0:
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
            (share if state.scaler is None else state.scaler.scale(share)).backward()
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

    def _between_updates(self, at_epoch_end: bool) -> None:
        """Evaluate, save, report and listen, when it is time for each."""
        position = self.state.position
        now = time.perf_counter()
        position.seconds = now - self._begin
        last = position.step >= self.steps
        if now - self._reported >= REPORT_SECONDS:
            self._report()
            self._listen()
        every = self.config.eval_steps
        due = position.step % every == 0 if every else at_epoch_end
        if due or last or self._evaluate_now:
            self._evaluate()
        if self.outlets.interrupted():
            self._ending = Ending.INTERRUPTED
        if self._save_is_due():
            self._save("schedule")

    def _save_is_due(self) -> bool:
        every = self.config.save_steps
        if every and self.state.position.step % every == 0:
            return True
        return time.perf_counter() - self._saved >= self.config.save_minutes * 60

    def _save(self, reason: str) -> None:
        self._report()
        self.outlets.save(reason)
        self._saved = time.perf_counter()
        self._meter.restart_clock()

    def _report(self) -> None:
        reading = self._meter.fetch()
        self._reported = time.perf_counter()
        if not reading.finite and self.state.scaler is None:
            raise TrainingError(
                f"The loss or its gradient is no longer a finite number "
                f"(at update {self.state.position.step}).",
                "Try a lower train.learning_rate, a smaller train.max_grad_norm or more "
                "train.warmup_ratio, and look for missing or huge values in the data.",
            )
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
        position = self.state.position
        per_epoch = max(1, -(-len(self.train) // self.config.batch_size))
        return position.epoch + min(1.0, position.batch / per_epoch)

    def _listen(self) -> None:
        """Carry out what was asked for; what is not known is answered too."""
        for request in self.outlets.requests():
            if request.action == STOP:
                self._ending = Ending.STOPPED
                answer = Controlled(request=STOP, message="Stopping; what was learned is kept.")
            elif request.action == CHECKPOINT:
                self._save("request")
                answer = Controlled(request=CHECKPOINT, message="Checkpoint written.")
            elif request.action == EVALUATE:
                self._evaluate_now = True
                answer = Controlled(request=EVALUATE, message="Evaluating.")
            else:
                text = f"Unknown request {request.action[:40]!r}."
                answer = Controlled(request=request.action[:40], message=text, accepted=False)
            self.outlets.report(answer)

    def _evaluate(self) -> None:
        """Measure on the validation data, keep the best weights, count what did not improve."""
        position = self.state.position
        self._report()
        self._evaluate_now = False
        position.evaluated_step = position.step
        train_loss = position.loss_sum / position.loss_weight if position.loss_weight else None
        position.loss_sum = position.loss_weight = 0.0
        metrics: dict[str, float] = {}
        if self.validation is not None:
            evaluator = self.task.evaluator(self.fitted)
            metrics = self.evaluate(self.validation, evaluator, "validation").metrics
        position.seconds = time.perf_counter() - self._begin
        best = self._note_best(metrics)
        self.outlets.report(
            Evaluated(
                step=position.step,
                epoch=self._epochs_done(),
                split="validation",
                metrics=finite_all(metrics),
                train_loss=None if train_loss is None else finite(train_loss),
                best=best,
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
        patience = self.config.early_stopping_patience
        if patience and state.position.stale >= patience and self._ending is None:
            self._ending = Ending.EARLY
        return False

    def evaluate(self, source: Source, evaluator: Evaluator, split: str, views: bool = False) -> Evaluation:
        """Run a whole split through the network; leaves it in training mode."""
        network = self.state.network
        network.eval()
        shown = time.perf_counter()
        with torch.inference_mode(), self.compute.autocast():
            for batch in source.read(source.evaluation_plan(self.config.batch_size)):
                evaluator.update(network, batch)
                if time.perf_counter() - shown > REPORT_SECONDS:
                    shown = time.perf_counter()
                    self.outlets.report(self._progress(None, None, 0.0, phase=split))
        result = evaluator.compute(views)
        network.train()
        return result

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
