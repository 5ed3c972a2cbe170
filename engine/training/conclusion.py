"""The conclusion of a run: the best weights, evaluated, exported and reported."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from engine.artifacts.model_folder import export
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.errors import TrainingFailed
from engine.files import atomic
from engine.hardware.allocator import return_freed_memory
from engine.metrics.evaluator import Evaluation
from engine.reports.gallery import Gallery
from engine.runs.boosting import BOOSTING
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    BASELINES,
    EXPORTING,
    FORGETTING,
    Evaluated,
    Event,
    Finished,
    Log,
    Stopped,
    finite_all,
)
from engine.runs.session import RunSession
from engine.tasks.member_pruning import pruning_of
from engine.training.baselines import beside_baselines
from engine.training.checkpoints.state import Ending
from engine.training.export_check import check_export
from engine.training.last_phases import PASSES, LastPhases, by_the_clock, expected
from engine.training.material import Material
from engine.training.trainer import Trainer
from engine.training.untrained import comparison
from engine.training.validation import deciding_metric


def conclude(session: RunSession, trainer: Trainer, material: Material, ending: Ending) -> Event:
    """Load the best weights, evaluate them on the held-out splits, export, report."""
    with trainer.setup.marks.watched():
        return _conclude(session, trainer, material, ending)


def _conclude(session: RunSession, trainer: Trainer, material: Material, ending: Ending) -> Event:
    run, task, state = session.run, trainer.setup.task, trainer.state
    state.take_best()
    # What one phase needed of large batches would lie beside what the next one needs.
    return_freed_memory()
    pruned = _prune(trainer, material)
    calibrated = _calibrate(trainer, material)
    known = {} if pruned or calibrated else _known_evaluations(trainer, material)
    evaluations = known | _final_evaluations(session, trainer, material, known, bool(pruned))
    return_freed_memory()
    gallery = _gallery(trainer, material)
    forgetting = _forgetting(trainer, material)
    position = state.position
    sharded = trainer.group.sharded
    if not trainer.group.leads:
        if sharded:
            _shards().take_part(trainer)
        return Finished(step=position.step, seconds=position.seconds, reason=ending.value)
    try:
        metrics = {split: finite_all(result.metrics) for split, result in evaluations.items()}
        network = state.network
        marks, size = trainer.setup.marks, sum(part.nbytes for part in network.parameters())
        last = expected(task, material, network)
        with (
            marks.writing(PASSES * size),
            by_the_clock(trainer.progress, EXPORTING, last.exporting),
        ):
            if sharded:
                _shards().export_sharded(session, trainer, material, metrics)
            else:
                export(run.model, task, material.fitted, network, run.initial_adapter, metrics)
                check_export(trainer.setup, network, material.sources[TRAIN], run.model)
        decisive = evaluations.get(TEST) or evaluations.get(VALIDATION) or Evaluation({})
        if gallery is not None:
            run.gallery.write(gallery)
        del gallery  # the baselines need memory of their own
        return_freed_memory()
        atomic.write_json(
            run.report.path,
            _report(run, trainer, material, ending, evaluations, last)
            | forgetting
            | {"pruning": pruned},
        )
    except OSError as error:
        raise TrainingFailed(
            f"Cannot write the results to {run.path}: {error.strerror}."
        ) from error
    final = finite_all(decisive.metrics)
    if ending is Ending.STOPPED:
        return Stopped(step=position.step, seconds=position.seconds, metrics=final)
    return Finished(
        step=position.step, seconds=position.seconds, reason=ending.value, metrics=final
    )


def _prune(trainer: Trainer, material: Material) -> str:
    """Make the network smaller as the validation split allows; return a sentence on it, empty
    where it stays whole."""
    source, setup = material.sources.get(VALIDATION), trainer.setup
    if source is None or not len(source) or trainer.group.sharded:
        return ""
    network = setup.state.network
    pruning = pruning_of(setup.task, network, material.fitted)
    if pruning is None:
        return ""
    result = trainer.evaluator.evaluate(source, VALIDATION, create=pruning.evaluator)
    material.fitted = result.fitted
    sentence = pruning.apply(network, material.fitted)
    if sentence:
        setup.outlets.report(Log(level="info", message=sentence))
    return sentence


def _calibrate(trainer: Trainer, material: Material) -> bool:
    """Fit on the validation split what needs the finished network, such as bands; return whether
    the task has such things."""
    source, task = material.sources.get(VALIDATION), trainer.setup.task
    if source is None or not len(source):
        return False
    calibration = task.calibration(material.fitted)
    if calibration is None:
        return False
    result = trainer.evaluator.evaluate(source, VALIDATION, create=calibration.evaluator)
    material.fitted = result.fitted
    return True


def _known_evaluations(trainer: Trainer, material: Material) -> dict[str, Evaluation]:
    """Return what the training measured of the best weights, where no more is shown of it."""
    best = trainer.state.best
    known = best is not None and bool(best.metrics)
    if material.sources.get(TEST) is None or not trainer.group.decision(known):
        return {}
    return {VALIDATION: Evaluation({} if best is None else best.metrics)}


def _shards() -> Any:
    """Return the export of sharded networks; others do without torch's module for them."""
    from engine.training import sharded_export

    return sharded_export


def _final_evaluations(
    session: RunSession,
    trainer: Trainer,
    material: Material,
    known: Mapping[str, Evaluation],
    pruned: bool,
) -> dict[str, Evaluation]:
    """Evaluate the held-out splits that are not ``known``; what was measured in training no longer
    holds of a ``pruned`` network."""
    results = {}
    state = trainer.state
    for split in (VALIDATION, TEST):
        source = material.sources.get(split)
        if source is None or split in known:
            continue
        # The validation split is where the best weights were found.
        measured = split == VALIDATION and not pruned
        best = state.best.metrics if state.best is not None and measured else {}
        results[split] = trainer.evaluator.evaluate(
            source,
            split,
            views=True,
            create=partial(trainer.setup.task.evaluator, material.fitted),
            known=best if trainer.group.decision(bool(best)) else None,
        )
        if split == TEST:
            step, epoch = _best_at(trainer)
            session.events.write(
                Evaluated(step=step, epoch=epoch, split=split,
                          metrics=finite_all(results[split].metrics),
                          seconds=state.position.seconds)
            )  # fmt: skip
    return results


def _forgetting(trainer: Trainer, material: Material) -> dict[str, Any]:
    """Return the metrics on a text of another kind, where there is one."""
    source = material.sources.get(FORGETTING)
    if source is None:
        return {"forgetting": None}
    return {"forgetting": finite_all(trainer.evaluator.evaluate(source, FORGETTING).metrics)}


def _gallery(trainer: Trainer, material: Material) -> Gallery | None:
    """Return pictures of single cases of the split that decides."""
    for split in (TEST, VALIDATION):
        if (source := material.sources.get(split)) is not None:
            return trainer.evaluator.gallery(source, split, material.fitted)
    return None


def _best_at(trainer: Trainer) -> tuple[int, float]:
    """Return update and epoch of the best weights; of the last ones if none were kept."""
    best = trainer.state.best
    if best is not None:
        return best.step, best.epoch
    return trainer.state.position.step, trainer.schedule.epochs_done


def _report(
    run: RunDirectory,
    trainer: Trainer,
    material: Material,
    ending: Ending,
    evaluations: dict[str, Evaluation],
    last: LastPhases,
) -> dict[str, Any]:
    state, task = trainer.state, trainer.setup.task
    decisive = TEST if TEST in evaluations else VALIDATION
    result = evaluations.get(decisive, Evaluation({}))
    step, epoch = _best_at(trainer)
    trees = run.path / BOOSTING
    # Other libraries train them.
    with (
        trainer.setup.marks.unlimited(),
        by_the_clock(trainer.progress, BASELINES, last.baselines),
    ):
        baselines = beside_baselines(task, material, evaluations.get(decisive), trees)
    return {
        "run": run.id,
        "task": task.config.task.kind,
        "ending": ending.value,
        "metric": deciding_metric(task).name,
        "best_step": step,
        "best_epoch": epoch,
        "epochs": trainer.schedule.epochs,
        "seconds": state.position.seconds,
        "metrics": {split: finite_all(result.metrics) for split, result in evaluations.items()},
        **baselines,
        **comparison(run.base.read(), result, deciding_metric(task)),
        "intervals": {decisive: dict(result.intervals)} if result.intervals else {},
    }  # fmt: skip
