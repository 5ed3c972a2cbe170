"""The parts of a training loss that a validation loss has not, so that it is the higher one."""

from __future__ import annotations

from collections.abc import Iterator

from engine.config.run_config import RunConfig

_BLENDS = {"mixup": "mixup", "cutmix": "CutMix"}


def training_adds(config: RunConfig) -> str:
    """Return the parts, such as ``label smoothing 0.1, augmentation``; empty without any."""
    return ", ".join(_parts(config))


def _parts(config: RunConfig) -> Iterator[str]:
    task, model, adapter = config.task, config.model, config.adapter
    # The loss of preferences has its label smoothing in evaluations too.
    if task.kind != "preference" and (smoothing := getattr(task, "label_smoothing", 0)):
        yield f"label smoothing {smoothing:g}"
    pretrained = getattr(model, "path", "") or getattr(model, "pretrained", False)
    if not pretrained and (dropout := getattr(model, "dropout", None)):
        yield f"dropout {dropout:g}"
    if adapter.method != "none" and adapter.lora_dropout:
        yield f"dropout {adapter.lora_dropout:g} of the adapter"
    augmentation = getattr(task, "augmentation", None)
    if augmentation is None:
        return
    changed = augmentation.model_dump(exclude_defaults=True)
    yield from (f"{text} {changed[name]:g}" for name, text in _BLENDS.items() if name in changed)
    if changed.keys() - _BLENDS.keys():
        yield "augmentation"
