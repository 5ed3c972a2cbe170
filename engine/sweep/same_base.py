"""Trials whose networks before the first update have the same results: they are evaluated once."""

from __future__ import annotations

import json

import optuna

from engine.config.run_config import RunConfig
from engine.files.digest import digest_of

ATTRIBUTE = "base"
"""The attribute of a trial that holds its :func:`key_of`."""

_UPDATES_ONLY = (
    "epochs", "max_steps", "max_minutes", "batch_tokens", "gradient_accumulation_steps",
    "learning_rate", "optimizer", "weight_decay", "momentum", "adam_beta1", "adam_beta2",
    "lr_scheduler_type", "warmup_ratio", "max_grad_norm", "ema_decay", "metric_for_best_model",
    "early_stopping_patience", "eval_steps", "save_steps", "save_minutes", "save_total_limit",
    "report_to", "stall_minutes", "max_restarts", "max_bad_steps", "max_rollbacks",
    "rollback_lr_factor",
)  # fmt: skip
"""Fields of ``train`` that nothing depends on before the first update."""
_SIZE_ONLY = ("r", "lora_alpha", "lora_dropout", "target_modules", "target_pattern", "bias")
"""Fields of an adapter whose output is zero at first."""
_ZERO_AT_FIRST = ("default", "gaussian")


def key_of(config: RunConfig) -> str:
    """Return a hash of all that the results of the network before the first update depend on.

    It is that of a configuration without names and without what matters to updates alone; empty
    where the base is not evaluated. The batch size is a part: it decides which answers are shown.
    """
    if not config.evaluates_base:
        return ""
    values = config.model_dump(mode="json", exclude={"name", "title"})
    for name in _UPDATES_ONLY:
        values["train"].pop(name)
    if config.adapter.init_lora_weights in _ZERO_AT_FIRST:
        for name in _SIZE_ONLY:
            values["adapter"].pop(name)
    return digest_of(json.dumps(values, sort_keys=True))


def runs_with(key: str, study: optuna.Study) -> list[str]:
    """Return the runs of trials with this key, the earliest first."""
    trials = study.get_trials(deepcopy=False) if key else []
    same = (trial.user_attrs for trial in trials if trial.user_attrs.get(ATTRIBUTE) == key)
    return [attributes["run"] for attributes in same if attributes.get("run")]
