"""Evaluations of a network on whole splits, also in the middle of its training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from engine.batches.prefetch import batches_of
from engine.batches.source import Source
from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.reports.gallery import Gallery
from engine.tasks.shown_samples import ShownSamples
from engine.training.controls import Controls
from engine.training.memory_recovery import MemoryRecovery
from engine.training.progress import ProgressReports, Throttle
from engine.training.trainer_setup import Setup

Shown = TypeVar("Shown")


class Abandoned(Exception):
    """The run is ending, so a running evaluation is aborted."""


class SplitEvaluator:
    """Evaluates the network on splits; reports progress and reads requests meanwhile."""

    def __init__(
        self,
        setup: Setup,
        memory: MemoryRecovery,
        progress: ProgressReports,
        controls: Controls,
    ) -> None:
        self._setup = setup
        self._memory = memory
        self._progress = progress
        self._controls = controls
        self._share = 0.0
        """The share of the split that has been evaluated."""

    def evaluate(
        self,
        source: Source,
        split: str,
        views: bool = False,
        to_the_end: bool = True,
        create: Callable[[], Evaluator] | None = None,
        known: Mapping[str, float] | None = None,
    ) -> Evaluation:
        """Evaluate a whole split; leaves the network in training mode.

        Unless ``to_the_end``, raises :class:`Abandoned` when the run is to end. ``create`` returns
        a fresh evaluator, instead of the task's own. ``known`` are the metrics of these weights,
        with which nothing is measured again that views do not show.
        """
        create = create or partial(self._setup.task.evaluator, self._setup.fitted)
        network = self._setup.state.network
        network.eval()
        try:
            while True:
                size = self._batch_size()
                try:
                    evaluator = create()
                    if known is None or not evaluator.shows_first_batch:
                        return self._measure(source, size, split, views, to_the_end, evaluator)
                    plan = source.evaluation_plan(size)[:1]
                    shown = self._measure(source, size, split, views, to_the_end, evaluator, plan)
                    return replace(shown, metrics=dict(known))
                except RuntimeError as error:
                    self._memory.check(error)
                self._memory.cut_evaluation(size)
        finally:
            network.train()

    def samples(self, source: Source, split: str) -> ShownSamples:
        """Return a few inputs with the network's outputs. Raises :class:`Abandoned`."""
        task, fitted, network = self._setup.task, self._setup.fitted, self._setup.state.network
        shown = partial(task.samples, network, source, fitted)
        return self._shown(shown, split, False, "no samples are shown") or ShownSamples()

    def gallery(self, source: Source, split: str, fitted: Fitted) -> Gallery | None:
        """Return pictures of single cases of a split, if the task has such."""
        task, network = self._setup.task, self._setup.state.network
        pictures = partial(task.gallery, network, source, fitted)
        return self._shown(pictures, split, True, "no pictures of single cases are kept")

    def _shown(
        self, show: Callable[[], Shown], split: str, to_the_end: bool, lost: str
    ) -> Shown | None:
        """Return what ``show`` makes of the network; ``None`` where it does not fit the memory."""
        network = self._setup.state.network
        network.eval()
        try:
            with self._watched(split, to_the_end), self._setup.marks.computing():
                return self._setup.group.within(network, show)
        except RuntimeError as error:
            self._memory.check(error)
            self._setup.outlets.warn(f"Out of memory: {lost}.")
            return None
        finally:
            network.train()

    def _batch_size(self) -> int:
        group = self._setup.group
        size = max(1, self._setup.config.batch_rows // self._memory.evaluation_pieces)
        # A sharded network has room for this process's share.
        return -(-size // group.rows.replicas) if group.sharded else size

    def _measure(
        self,
        source: Source,
        batch_size: int,
        split: str,
        views: bool,
        to_the_end: bool,
        evaluator: Evaluator,
        plan: Sequence[Tensor] | None = None,
    ) -> Evaluation:
        group, network = self._setup.group, self._setup.state.network
        with self._watched(split, to_the_end) as watch:
            plan = source.evaluation_plan(batch_size) if plan is None else plan
            batches = batches_of(source, plan, self._setup.compute.device)
            for done, batch in enumerate(batches, 1):
                group.within(network, partial(evaluator.update, network, batch))
                self._share = done / len(plan)
                watch()
            with self._setup.marks.computing():
                return group.within(network, partial(evaluator.compute, views))

    @contextmanager
    def _watched(self, split: str, to_the_end: bool) -> Iterator[Callable[..., None]]:
        """Yield :meth:`_watch`, to call between batches.

        It is also called before each forward pass of a network that generates text token by token.
        """
        setup = self._setup
        self._share = 0.0
        watch = partial(self._watch, Throttle(), split, to_the_end)
        writers = [part for part in setup.state.network.modules() if hasattr(part, "generate")]
        # Weights gathered in inference mode could not be trained on afterwards, nor what a network
        # keeps from its first forward pass.
        first = setup.state.position.step == 0
        without = torch.no_grad() if setup.group.sharded or first else torch.inference_mode()
        with ExitStack() as hooks, without, setup.compute.autocast():
            # A compiled network would be recompiled with the hook.
            for part in () if setup.task.config.compute.compile else writers:
                hooks.callback(part.register_forward_pre_hook(watch).remove)
            yield watch

    def _watch(self, throttle: Throttle, split: str, to_the_end: bool, *_: Any) -> None:
        """Report progress and check for the run's end, each when it is due."""
        group = self._setup.group
        self._setup.marks.alive()
        # Where a forward pass needs all processes, all must abort at the same one.
        if not group.decision(throttle.due()):
            return
        if self._progress.due():
            self._progress.report_phase(split, self._share)
        if not to_the_end:
            self._controls.poll()
            if group.decision(self._controls.asked_to_end()):
                raise Abandoned
