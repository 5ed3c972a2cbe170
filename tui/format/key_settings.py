"""The settings of a run that people ask for first, in a few words each."""

from __future__ import annotations

from pathlib import Path

from engine.config.run_config import RunConfig
from engine.config.usual import BY_DATA, usual_value
from engine.runs.history import History
from tui.format.numbers import amount


def key_settings(config: RunConfig, history: History | None = None) -> dict[str, str]:
    """Return names and values; what the run came to, as far as ``history`` knows it."""
    train = config.train
    rate = train.learning_rate or config.usual_rate
    known = {
        "model": _model(config, history),
        "adapter": _adapter(config),
        "epochs": _epochs(config, history),
        "batch size": batch_size(config),
        "learning rate": f"{rate:.3g}, {train.lr_scheduler_type}",
        "optimizer": train.optimizer,
        "seed": str(train.seed),
    }
    return {name: value for name, value in known.items() if value}


def model_name(config: RunConfig) -> str:
    """Return the kind of the model, with its name or the last part of its path."""
    section = config.model
    name = getattr(section, "name", "") or Path(str(getattr(section, "path", "") or "")).name
    return f"{section.kind} {name}".strip()


def batch_size(config: RunConfig) -> str:
    """Return the size of a batch, in words; empty as long as it waits for the data."""
    train = config.train
    if train.batch_tokens is not None:
        return f"{train.batch_tokens:,} tokens"
    usual = usual_value(config, "train.batch_size")
    return "" if train.batch_size is None and usual == BY_DATA else str(train.batch_rows)


def _model(config: RunConfig, history: History | None) -> str:
    model = history.model if history is not None else None
    if model is None:
        return model_name(config)
    trained = amount(model.trainable)
    if model.trainable != model.parameters:
        trained += f" of {amount(model.parameters)}"
    return f"{model_name(config)}, {trained} parameters trained"


def _adapter(config: RunConfig) -> str:
    adapter = config.adapter
    if adapter.method == "none":
        return ""
    quantized = f", {adapter.quantization}" if adapter.quantization != "none" else ""
    return f"{adapter.method} r={adapter.r}{quantized}"


def _epochs(config: RunConfig, history: History | None) -> str:
    """Return the epochs, which may have been changed while the run was training."""
    if history is not None and history.progress is not None:
        return str(history.progress.epochs)
    return str(config.train.epochs or "")
