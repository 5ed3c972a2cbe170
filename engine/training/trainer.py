"""The training loop: from batches to weights, independent of the task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.batches.prefetch import batches_of
from engine.batches.source import Batch, Noise, Source, epoch_plan, mixed
from engine.config.metric import Metric
from engine.config.train import TrainConfig
from engine.errors import TrainingError
from engine.hardware.device import Compute
from engine.hardware.memory import out_of_memory, release
from engine.metrics.evaluator import Evaluation
from engine.runs.control import Request
from engine.runs.events import Evaluated, Event, Log, Progress, Samples, finite, finite_all
from engine.tasks.task import Task
from engine.training.checkpoint_writer import SCHEDULE, not_finite
from engine.training.clipping import clip_gradients
from engine.training.controls import Controls
from engine.training.loss_meter import Meter
from engine.training.lr_schedule import Pace
from engine.training.memory_estimate import update_bytes
from engine.training.non_finite import Guard
from engine.training.out_of_memory import in_pieces, least_rows, nothing_fits, too_large
from engine.training.process_group import Alone
from engine.training.state import Best, TrainingState

REPORT_SECONDS = 0.25
"""Minimum interval of progress events and of checks for requests, in seconds."""
_LONGER_PAUSES = ((86_400.0, 5.0), (3_600.0, 1.0))
"""Intervals of progress events after so many seconds: a month has less than a million."""
_PAUSE_SECONDS = 0.2
_PAUSED_REPORT_SECONDS = 30.0
SAVING_SHARE = 0.02
"""Share of the time that timed checkpoints take at most."""


class Ending(Enum):
    """The reason why training ended."""

    COMPLETED = "completed"
    EARLY = "early stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class _Abandoned(Exception):
    """The run is ending, so a running evaluation is aborted."""


class _Hopeless(Exception):
    """Too many updates in a row had to be skipped."""


@dataclass(frozen=True)
class Outlets:
    """The trainer's connections to its run: functions, so that it needs no directory."""

    report: Callable[[Event], None]
    requests: Callable[[], Iterator[Request]]
    save: Callable[[str], None]
    """Save a checkpoint of the state; the argument is the reason."""
    interrupted: Callable[[], bool]
    go_back: Callable[[], dict[str, Any]] = dict
    """Return the newest checkpoint's state to roll back to; empty without one."""


class Trainer:
    """Trains one network on one source until the run ends."""

    def __init__(
        self,
        task: Task[Any],
        fitted: Any,
        state: TrainingState,
        train: Source,
        validation: Source | None,
        compute: Compute,
        outlets: Outlets,
        group: Alone | None = None,
    ) -> None:
        self.task = task
        self.fitted = fitted
        self.state = state
        self.train = train
        self.validation = validation
        self.compute = compute
        self.outlets = outlets
        self.group = group or Alone()
        self.config: TrainConfig = task.config.train
        self.metric = deciding_metric(task)
        self._batches = max(1, len(epoch_plan(train, self.config.batch_size, self.config.seed, 0)))
        per_epoch = -(-self._batches // self.config.gradient_accumulation_steps)
        self.pace = Pace(self.config, state.position, per_epoch)
        self.controls = Controls(self.pace)
        # A number on the device would not reach the shards of a weight.
        on_device = False if self.group.sharded else None
        self._guard = Guard(state.network, state.optimizer, compute.device, on_device)
        self._least_rows = least_rows(state.network)
        self._parameters = [p for p in state.network.parameters() if p.requires_grad]
        self._deeds: dict[str, Callable[[], Any]] = {
            "evaluate": self._evaluate,
            "state": state.state_dict,
        }
        self._ending: Ending | None = None
        self._saving_seconds = 0.0
        self._reported = time.perf_counter()
        self._reported_step = -1

    @property
    def steps(self) -> int:
        """Updates of the whole run."""
        return self.pace.steps

    def run(self) -> Ending:
        """Train to the end, from the state's position on.

        Raises :class:`TrainingError` when the numbers stay infinite, or nothing fits the memory.
        """
        position = self.state.position
        self._meter = Meter(position)
        self._reported = self._heard = self._saved = time.perf_counter()
        self._begin = self._reported - position.seconds
        self._lead(self._begin_or_go_on)
        while True:
            try:
                while self._ending is None and position.step < self.steps:
                    self._epoch()
                self._lead(self._report)
            except _Hopeless:
                self._roll_back()
            else:
                return self._ending or Ending.COMPLETED

    def _begin_or_go_on(self) -> None:
        """Carry out what is due before the first update from here."""
        position = self.state.position
        if self._out_of_patience():
            self._ending = Ending.EARLY
        elif self._evaluation_is_due() and position.evaluated_step != position.step:
            self._carry_out(evaluation_is_due=True)  # the checkpoint was written just before it
        elif position.step == 0 and self.config.max_rollbacks:
            self.save("start")

    def save_last(self, ending: Ending) -> None:
        """Save the final checkpoint of the training; called by all processes of the group."""
        self._lead(lambda: self.save(ending.value))

    def save(self, reason: str) -> None:
        """Save a checkpoint, after reporting all losses so far."""
        self._report()
        begin = time.perf_counter()
        self.outlets.save(reason)
        self._saved = time.perf_counter()
        self._saving_seconds = self._saved - begin
        self._meter.restart_clock()

    def _epoch(self) -> None:
        position = self.state.position
        plan = epoch_plan(self.train, self.config.batch_size, self.config.seed, position.epoch)
        self._batches = len(plan)
        batches, pieces = self._read(plan), position.pieces
        self.state.network.train()
        while position.batch < len(plan):
            if position.pieces != pieces:
                batches, pieces = self._read(plan), position.pieces
            count = min(self.config.gradient_accumulation_steps, len(plan) - position.batch)
            if not self._fits(plan, batches, count):
                self._cut_batches(plan)
                continue
            position.batch += count
            position.step += 1
            if position.batch == len(plan):
                position.epoch += 1
                position.batch = 0
            self._between_updates()
            over = self._ending is not None or position.step >= self.steps
            if over or position.batch == 0:
                return

    def _read(self, plan: Sequence[Tensor]) -> Iterator[Batch]:
        """Return the batches of an epoch from the position on, in micro-batches where needed."""
        position = self.state.position
        noise = Noise(self.config.seed, position.epoch, self.compute.device, self.group.rank)
        if position.pieces == self.group.size == 1:
            return batches_of(self.train, plan, self.compute.device, position.batch, noise)
        done = len(self._in_pieces(plan[: position.batch]))
        pieces = self._in_pieces(plan)
        return batches_of(self.train, pieces, self.compute.device, done, noise)

    def _in_pieces(self, plan: Sequence[Tensor]) -> list[Tensor]:
        shares = self.group.share(plan, self._least_rows)
        pieces = in_pieces(shares, self.state.position.pieces, self._least_rows)
        return [rows for rows in pieces if len(rows)]

    def _fits(self, plan: Sequence[Tensor], batches: Iterator[Batch], count: int) -> bool:
        """Make an update of the next ``count`` batches; returns ``False`` when out of memory."""
        position = self.state.position
        now = plan[position.batch : position.batch + count]
        if not position.pieces == self.group.size == 1:
            count = len(self._in_pieces(now))
        self.group.reseed(self.config.seed, position.step)
        self._guard.keep()
        failed = False
        try:
            parts = [next(batches) for _ in range(count)]
            for rows, part in zip(now, parts, strict=False):
                if self.group.idle(rows, self._least_rows):
                    part.weight = 0.0
            losses = self._gradients(parts)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if self.group.sharded:
                raise too_large(self.compute.device) from error
            failed = True
        if self.group.any(failed):
            return False
        self._update(losses, [batch.weight for batch in parts])
        return True

    def _cut_batches(self, plan: Sequence[Tensor]) -> None:
        """Double the number of micro-batches of each batch."""
        position = self.state.position
        self.state.optimizer.zero_grad(set_to_none=True)
        self._guard.undo()
        # The random state of dropout depends on where memory ran out; reseed it.
        torch.manual_seed(mixed(self.config.seed, position.step))
        release(self.compute.device)
        size = -(-max(map(len, plan)) // self.group.size)
        most = max(1, size // self._least_rows)
        if position.pieces >= most:
            raise self._nothing_fits()
        position.pieces = min(2 * position.pieces, most)
        self._tell(
            f"Out of memory: each batch of {size:,} goes through the network in "
            f"{position.pieces:,} pieces from here on; their gradients add up to the same update."
        )

    def _nothing_fits(self) -> TrainingError:
        least = self._least_rows
        update = update_bytes(self.task, self.fitted, self.train, self.compute, least)
        return nothing_fits(self.compute, self.state.network, self.task.config, update)

    def _gradients(self, batches: Sequence[Batch]) -> list[Tensor]:
        """Accumulate the gradients of all ``batches``, each by its weight; returns their losses."""
        state = self.state
        own = sum(batch.weight for batch in batches)
        total = self.group.total(own)
        losses = []
        for batch in batches:
            with self.compute.autocast():
                of_batch = partial(self.task.loss, state.network, batch)
                loss = self.group.within(state.network, of_batch)
            losses.append(loss.detach())
            share = loss if batch.weight == total else loss * (batch.weight / total)
            torch.autograd.backward(share if state.scaler is None else state.scaler.scale(share))
        return losses

    def _update(self, losses: Sequence[Tensor], weights: Sequence[float]) -> None:
        """Make one update from the accumulated gradients, if they are finite."""
        state = self.state
        losses, weights = self.group.reduce(state.network, losses, weights)
        factor = self.pace.factor(state.position.step)
        for group in state.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * factor * group["lr_scale"]
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        norm = None
        if self.config.max_grad_norm > 0:
            norm = clip_gradients(self._parameters, self.config.max_grad_norm)
            norm = self.group.entire(norm)
        if state.scaler is not None:
            # In float16 gradients may overflow now and then; the scaler skips such updates.
            state.scaler.step(state.optimizer)
            state.scaler.update()
            norm = None if norm is None else norm.nan_to_num()
        else:
            self._guard.step(losses, norm)
        if self.group.leads:
            self._meter.add(losses, weights, norm)
        state.optimizer.zero_grad(set_to_none=True)

    def _between_updates(self) -> None:
        """Let the main process decide what is due and do it; the others follow."""
        self._lead(self._attend)

    def _lead(self, deed: Callable[[], None]) -> None:
        """Call ``deed`` in the main process; the others help where needed and end where it does."""
        try:
            if self.group.leads:
                deed()
        except _Hopeless:
            self._agree(hopeless=True)
            raise
        self._agree()

    def _agree(self, hopeless: bool = False) -> None:
        """Synchronise all processes with the main one; join the operations that it calls."""
        if self.group.size == 1:
            return
        ending = self._ending and self._ending.value
        position = vars(self.state.position)
        said = self.group.told({"position": position, "ending": ending, "hopeless": hopeless})
        if self.group.leads:
            return
        while "do" in said:
            self._deeds[said["do"]]()
            said = self.group.told({})
        position.update(said["position"])
        self._ending = said["ending"] and Ending(said["ending"])
        if said["hopeless"]:
            raise _Hopeless

    def _attend(self) -> None:
        """Evaluate, save, report and read requests, when each is due."""
        now = time.perf_counter()
        self.state.position.seconds = now - self._begin
        if now - self._heard >= REPORT_SECONDS:
            self._heard = now
            self._check()
            if now - self._reported >= self._report_pause():
                self._report()
            self._listen()
        self._carry_out(self._evaluation_is_due())
        if self.controls.paused:
            self._pause()
        if self._save_is_due():
            self.save(SCHEDULE)

    def _carry_out(self, evaluation_is_due: bool = False) -> None:
        """Carry out requests, in an order in which a resume from here loses none of them."""
        if self.controls.evaluate or evaluation_is_due:
            self._evaluate()
        if self.outlets.interrupted():
            self._ending = Ending.INTERRUPTED
        if self.controls.checkpoint:
            self.save("request")
            self.outlets.report(self.controls.checkpoint_written())
        elif self.controls.changed:
            self.controls.changed = False
            self.save(SCHEDULE)  # else a crash of the process would undo the change

    def _report_pause(self) -> float:
        seconds = self.state.position.seconds
        return next((pause for after, pause in _LONGER_PAUSES if seconds > after), REPORT_SECONDS)

    def _pause(self) -> None:
        """Pause until a request to continue; other requests are carried out."""
        begin = told = time.perf_counter()
        self._report()
        self.outlets.report(self._progress(None, None, 0.0, phase="paused"))
        while self.controls.paused and self._ending is None:
            time.sleep(_PAUSE_SECONDS)
            self._listen()
            self._carry_out()
            if time.perf_counter() - told > _PAUSED_REPORT_SECONDS:
                told = time.perf_counter()
                self.outlets.report(self._progress(None, None, 0.0, phase="paused"))
        self._begin += time.perf_counter() - begin
        self._reported = time.perf_counter()
        self._meter.restart_clock()

    def _roll_back(self) -> None:
        """Roll back to the newest checkpoint with a lower rate; raises :class:`TrainingError`."""
        position = self.state.position
        step, rollbacks = position.step, position.rollbacks + 1
        saved = self.outlets.go_back() if rollbacks <= self.config.max_rollbacks else {}
        if not saved:
            raise not_finite(step)
        self.state.load_state_dict(saved)
        position.lr_scale *= self.config.rollback_lr_factor ** (rollbacks - position.rollbacks)
        position.rollbacks, position.bad_updates = rollbacks, 0
        self._meter = Meter(position)
        self._begin = time.perf_counter() - position.seconds
        self._tell(
            f"The numbers of update {step:,} are not finite; resuming from update "
            f"{position.step:,} with {position.lr_scale:.3g} of the learning rate "
            f"({rollbacks} of {self.config.max_rollbacks} times)."
        )

    def _tell(self, text: str) -> None:
        self.outlets.report(Log(level="warning", message=text))

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
        # A state that takes long to save is saved less often.
        pause = max(self.config.save_minutes * 60, self._saving_seconds / SAVING_SHARE)
        return time.perf_counter() - self._saved >= pause

    def _out_of_patience(self) -> bool:
        patience = self.config.early_stopping_patience
        return patience > 0 and self.state.position.stale >= patience

    def _check(self) -> None:
        """Fetch the meter's losses; reports non-finite ones and raises if there are too many."""
        position = self.state.position
        bad, in_a_row = self._meter.fetch()
        if bad and in_a_row <= self.config.max_bad_steps:
            self._tell(
                f"{bad:,} update{'s' * (bad > 1)} up to {position.step:,} left out: the loss or "
                "its gradient is not a finite number."
            )
        if in_a_row > self.config.max_bad_steps:
            raise _Hopeless
        if bad and position.bad_updates == self.steps:
            raise not_finite(position.step)  # not one of all updates was made

    def _report(self) -> None:
        """Report the progress since the last report, if any."""
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
            epochs=self.pace.epochs,
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
        """Read requests; unknown ones are answered too."""
        for request in self.outlets.requests():
            answer = self.controls.take(request)
            if answer is not None:
                self.outlets.report(answer)
        if self.controls.stop:
            self._ending = Ending.STOPPED

    def _evaluate(self) -> None:
        """Evaluate on the validation split, keep the best weights, count lack of improvement."""
        position = self.state.position
        self._check()
        self.group.call("evaluate")
        self.controls.evaluate = False
        metrics: dict[str, float] = {}
        if self.validation is not None:
            try:
                metrics = self.evaluate(self.validation, "validation", to_the_end=False).metrics
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
        before = None if state.best is None else state.best.value
        if self.group.decided(self.metric.improves(value, before)):
            weights = state.weights()
            state.best = Best(value, state.position.step, self._epochs_done(), weights)
            state.position.stale = 0
            return True
        state.position.stale += bool(metrics)
        if self._out_of_patience() and self._ending is None:
            self._ending = Ending.EARLY
        return False

    def evaluate(
        self, source: Source, split: str, views: bool = False, to_the_end: bool = True
    ) -> Evaluation:
        """Evaluate a whole split; leaves the network in training mode."""
        network, position = self.state.network, self.state.position
        network.eval()
        try:
            while True:
                size = max(1, self.config.batch_size // position.pieces)
                if self.group.sharded:
                    size = -(-size // self.group.size)  # there is room for that many
                try:
                    return self._measure(source, size, split, views, to_the_end)
                except RuntimeError as error:
                    if not out_of_memory(error):
                        raise
                    if self.group.sharded:
                        raise too_large(self.compute.device) from error
                release(self.compute.device)
                if size == 1:
                    raise self._nothing_fits()
                position.pieces *= 2
                self._tell(f"Out of memory: evaluating with batches of {size // 2:,}.")
        finally:
            network.train()

    def _measure(
        self, source: Source, batch_size: int, split: str, views: bool, to_the_end: bool
    ) -> Evaluation:
        evaluator, network = self.task.evaluator(self.fitted), self.state.network
        with self._watched(split, to_the_end) as look:
            plan = source.evaluation_plan(batch_size)
            for batch in batches_of(source, plan, self.compute.device):
                self.group.within(network, partial(evaluator.update, network, batch))
                look()
            return self.group.within(network, partial(evaluator.compute, views))

    @contextmanager
    def _watched(self, split: str, to_the_end: bool) -> Iterator[Callable[..., None]]:
        """Yield a function to call between batches: it reports progress and checks for the run's
        end.

        It is also called before each forward pass of a network that generates text token by token.
        Unless ``to_the_end``, it raises :class:`_Abandoned` when the run is to end.
        """
        network, shown = self.state.network, time.perf_counter()

        def look(*_: Any) -> None:
            nonlocal shown
            # Where a forward pass needs all processes, all must abort at the same one.
            if not self.group.decided(time.perf_counter() - shown > REPORT_SECONDS):
                return
            shown = time.perf_counter()
            if shown - self._reported >= self._report_pause():
                self._reported = shown
                self.outlets.report(self._progress(None, None, 0.0, phase=split))
            if not to_the_end:
                self._listen()
                if self.group.decided(self.controls.stop or self.outlets.interrupted()):
                    raise _Abandoned

        writers = [part for part in network.modules() if hasattr(part, "generate")]
        # Weights gathered in inference mode could not be trained on afterwards.
        without = torch.no_grad() if self.group.sharded else torch.inference_mode()
        with ExitStack() as hooks, without, self.compute.autocast():
            # A compiled network would be recompiled with the hook.
            for part in () if self.task.config.compute.compile else writers:
                hooks.callback(part.register_forward_pre_hook(look).remove)
            yield look

    def _show_samples(self) -> None:
        if self.validation is None:
            return
        network = self.state.network
        network.eval()
        try:
            with self._watched("validation", to_the_end=False):
                shown = partial(self.task.samples, network, self.validation, self.fitted)
                items = self.group.within(network, shown)
        except _Abandoned:
            return
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if self.group.sharded:
                raise too_large(self.compute.device) from error
            items = []
            self._tell("Out of memory: no samples are shown.")
        finally:
            network.train()
        if items:
            step = self.state.position.step
            self.outlets.report(Samples(step=step, split="validation", items=items))


def deciding_metric(task: Task[Any]) -> Metric:
    """Return the metric that decides on the best weights."""
    return task.config.task.metric(task.config.train.metric_for_best_model)
