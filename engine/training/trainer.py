"""The training loop, from top to bottom: updates, evaluations, checkpoints.

Independent of the task. Its parts each have a module: micro-batches and their size, progress
reports, requests of the user, evaluation, and what is due when.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from torch import Tensor

from engine.batches.source import Batch, Source, epoch_plan
from engine.config.train import TrainConfig
from engine.data.raw import TEST, VALIDATION
from engine.training.adapter_check import check_adapters
from engine.training.checkpoint_writer import SCHEDULE
from engine.training.checkpoints.state import Ending, Position
from engine.training.controls import Controls
from engine.training.distributed.main_process import MainProcess
from engine.training.evaluation import SplitEvaluator
from engine.training.lr_schedule import Schedule
from engine.training.memory_recovery import MemoryRecovery
from engine.training.micro_batches import EpochBatches
from engine.training.model_errors import model_errors
from engine.training.optimization.non_finite import Diverged, Guard
from engine.training.progress import ProgressReports, Throttle
from engine.training.rollback import roll_back
from engine.training.save_times import SaveTimes
from engine.training.time_limit import TimeLimit
from engine.training.trainer_setup import Setup
from engine.training.untrained import Untrained
from engine.training.validation import Validation
from engine.training.weight_average import averaged, begin_average, update_average

_COPIES = 5
"""Most copies of the weights in a checkpoint: they, the best, an average, two of AdamW."""


class Trainer:
    """Trains one network on one source until the run ends."""

    def __init__(
        self,
        setup: Setup,
        train: Source,
        validation: Source | None,
        test: Source | None = None,
        forgetting: Source | None = None,
    ) -> None:
        """``test`` is for a look at the network before the first update, where one is kept."""
        self.setup = setup
        self.train = train
        self.config, self.state, self.group = setup.config, setup.state, setup.group
        begin_average(self.state, self.config.ema_decay)
        self.schedule = Schedule(self.config, self.state.position, max(1, len(self._plan(0))))
        self.progress = ProgressReports(setup, self.schedule)
        self.controls = Controls(setup.outlets, self.state, self.schedule)
        self.memory = MemoryRecovery(setup, train)
        self.evaluator = SplitEvaluator(setup, self.memory, self.progress, self.controls)
        self.validation = Validation(
            setup, validation, self.schedule, self.progress, self.evaluator, forgetting
        )
        splits = {TEST: test, VALIDATION: validation}
        self._untrained = Untrained(setup, self.evaluator, self.validation, splits)
        self._save_times = SaveTimes(self.config, self.state.position)
        self._throttle = Throttle()
        self._time_limit = TimeLimit(setup, self.schedule, self.validation, (validation, test))
        joint = {
            "evaluate": self._evaluate,
            "evaluate_untrained": self._untrained.evaluate,
            "save": setup.outlets.take_part,
        }
        self._main_process = MainProcess(self.group, self.state, joint)
        network, optimizer = self.state.network, self.state.optimizer
        # A number on the device would not reach the shards of a weight.
        on_device = False if self.group.sharded else None
        self._guard = Guard(network, optimizer, setup.compute.device, on_device)
        # Cached gradients are accumulated by several passes within the backward pass of a loss.
        self._in_parts = getattr(setup.task.config.task, "mini_batch_size", 0) > 0
        self._parameters = [part for part in network.parameters() if part.requires_grad]

    def run(self) -> Ending:
        """Train to the end, from the state's position on.

        Raises :class:`~engine.errors.TrainingError` when the numbers stay infinite, or nothing fits
        the memory.
        """
        with self.setup.marks.watched():
            return self._run()

    def _run(self) -> Ending:
        self._main_process.decides(self._untrained.evaluate_if_due)
        for clock in (self.progress, self._throttle, self._save_times, self._time_limit):
            clock.restart()
        self._main_process.decides(self._before_updates)
        while True:
            try:
                while self.state.ending is None and self._updates_left():
                    self._epoch()
                self._main_process.decides(self.progress.report)
            except Diverged:
                roll_back(self.setup)
                self.progress.restart()
                self._time_limit.restart()
            else:
                ending = Ending.TIME if self._time_limit.reached() else Ending.COMPLETED
                return self.state.ending or ending

    def _before_updates(self) -> None:
        """Do what is due before the first update from here."""
        position = self.state.position
        if self.validation.stopped_improving():
            self.state.ending = Ending.EARLY
        elif self.validation.due() and position.evaluated_step != position.step:
            self._carry_out(evaluation_is_due=True)  # the checkpoint was written just before it
        elif position.step == 0 and self.config.max_rollbacks:
            self.save("start")

    def _epoch(self) -> None:
        """Make the updates of an epoch, from the position on; do what is due after each."""
        position, plan = self.state.position, self._plan(self.state.position.epoch)
        self.schedule.batches = len(plan)
        batches = EpochBatches(self.setup, self.train, plan, self.memory.least_rows)
        self.state.network.train()
        while position.batch < len(plan):
            count = min(self.config.gradient_accumulation_steps, len(plan) - position.batch)
            if not self._update(batches, count):
                self._guard.undo()
                self.memory.cut_training(max(map(len, plan)))
                continue
            position.batch += count
            position.step += 1
            self.setup.marks.updated()
            if position.batch == len(plan):
                position.epoch += 1
                position.batch = 0
            if self.group.decides:
                self._main_process.decides(self._after_update)
            over = self.state.ending is not None or not self._updates_left()
            if over or position.batch == 0:
                return

    def _plan(self, epoch: int) -> Sequence[Tensor]:
        return epoch_plan(self.train, self.config.batch_rows, self.config.seed, epoch)

    def _updates_left(self) -> bool:
        return self.state.position.step < self.schedule.steps

    def _update(self, batches: EpochBatches, count: int) -> bool:
        """Make an update of the next ``count`` batches; returns ``False`` when out of memory."""
        self.group.reseed(self.config.seed, self.state.position.step)
        self._guard.keep()
        losses: list[Tensor] = []
        weights: list[float] = []
        failed = False
        try:
            parts = batches.take(count)
            losses = self._forward_backward(parts)
            weights = [part.weight for part in parts]
        except RuntimeError as error:
            self.memory.check(error)
            failed = True
        self.setup.marks.computed()
        due = _due_after(count, self.config, self.state.position, self.schedule)
        self._main_process.announce(due or self._throttle.over())
        reduced = self.group.reduce(self.state.network, losses, weights, failed)
        if reduced is None:
            return False
        if self.state.position.step == 0:
            check_adapters(self.setup)
        self._step(*reduced)
        return True

    def _forward_backward(self, batches: Sequence[Batch]) -> list[Tensor]:
        """Accumulate the gradients of all ``batches``, each by its weight; returns their losses."""
        task, state, group = self.setup.task, self.state, self.group
        total = group.total(sum(batch.weight for batch in batches))
        losses = []
        for number, batch in enumerate(batches, 1):
            with self.setup.compute.autocast(), model_errors(state.position.step):
                loss = group.within(state.network, partial(task.loss, state.network, batch))
            losses.append(loss.detach())
            share = loss if batch.weight == total else loss * (batch.weight / total)
            share = share if state.scaler is None else state.scaler.scale(share)
            group.backward(share, last=number == len(batches) and not self._in_parts)
        return losses

    def _step(self, losses: Sequence[Tensor], weights: Sequence[float]) -> None:
        """Make one update from the gradients, if they are finite."""
        state, group = self.state, self.group
        factor = self.schedule.factor(state.position.step)
        for parameters in state.optimizer.param_groups:
            parameters["lr"] = self.config.peak_rate * factor * parameters["lr_scale"]
        if state.scaler is not None:
            state.scaler.unscale_(state.optimizer)
        # Without a limit, too, the norm shows whether the gradients are finite.
        norm = group.clip(self._parameters, self.config.max_grad_norm or math.inf)
        if state.scaler is None:
            self._guard.step(losses, norm)
        else:
            # In float16 gradients may overflow now and then; the scaler skips such updates.
            state.scaler.step(state.optimizer)
            state.scaler.update()
            self._guard.restore_unless_finite(norm)
        update_average(state, self.config.ema_decay)
        if group.leads:
            self.progress.meter.add(losses, weights, norm)
        state.optimizer.zero_grad(set_to_none=True)

    def _after_update(self) -> None:
        """Report, read requests, evaluate and save, when each is due."""
        self.progress.tick()
        if self._throttle.due():
            self.progress.check()
            if self.progress.due():
                self.progress.report()
            self.controls.poll()
            self._time_limit.plan()
        wanted = self._time_limit.evaluation_wanted()
        self._carry_out(self.validation.due() or wanted)
        if wanted:
            self._time_limit.plan()
        if self.controls.paused:
            self.controls.wait(self.progress, self._carry_out)
        if self._save_times.due():
            self.save(SCHEDULE)

    def _carry_out(self, evaluation_is_due: bool = False) -> None:
        """Carry out requests, in an order in which a resume from here loses none of them."""
        if self.controls.evaluate or evaluation_is_due:
            self._evaluate()
        if self.setup.outlets.interrupted():
            self.state.ending = Ending.INTERRUPTED
        if self.controls.checkpoint:
            self.save("request")
            self.controls.checkpoint_written()
        elif self.controls.changed:
            self.controls.changed = False
            self.save(SCHEDULE)  # else a crash of the process would undo the change

    def _evaluate(self) -> None:
        """Evaluate on the validation split; all processes do where the network needs them."""
        self.progress.check()
        self.group.call("evaluate")
        self.controls.evaluate = False
        with averaged(self.state):
            self.validation.run()

    def save(self, reason: str) -> None:
        """Save a checkpoint, after reporting all losses so far."""
        self.progress.report()
        size = _COPIES * sum(weight.nbytes for weight in self.state.network.parameters())
        with self._save_times.saving(), self.setup.marks.writing(size):
            self.setup.outlets.save(reason)
        self.progress.meter.restart_clock()

    def save_last(self, ending: Ending) -> None:
        """Save the final checkpoint of the training; called by all processes of the group."""
        with self.setup.marks.watched():
            self._main_process.decides(lambda: self.save(ending.value))


def _due_after(count: int, config: TrainConfig, position: Position, schedule: Schedule) -> bool:
    """Return whether something is due after an update of ``count`` batches from the position on."""
    step = position.step + 1
    steps = (config.eval_steps, config.save_steps)
    at_end = step >= schedule.steps or position.batch + count >= schedule.batches
    return at_end or any(every and step % every == 0 for every in steps)
