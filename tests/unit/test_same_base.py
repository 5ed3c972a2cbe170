"""Which trials of a sweep share the results of the network before the first update."""

from __future__ import annotations

import pytest

from engine.config.run_config import RunConfig

pytest.importorskip("optuna")

from engine.sweep.same_base import key_of


def key(*changes: str) -> str:
    values = {
        "task": {"kind": "causal_lm"},
        "data": {"kind": "file", "path": "rows.jsonl"},
        "model": {"kind": "transformer", "path": "some/model"},
        "adapter": {"method": "lora"},
    }
    return key_of(RunConfig.parse(values).override(list(changes)))


@pytest.mark.parametrize(
    "change",
    [
        "name=other", "train.learning_rate=1e-4", "train.epochs=3", "train.batch_tokens=300",
        "train.max_minutes=2", "train.weight_decay=0.1", "adapter.r=16", "adapter.lora_alpha=4",
        "adapter.target_modules=q_proj",
    ],
)  # fmt: skip
def test_what_matters_to_updates_alone_keeps_the_base_the_same(change: str) -> None:
    assert key(change) == key() != ""


@pytest.mark.parametrize(
    "change",
    [
        "model.path=another/model", "data.path=other.jsonl", "data.split_seed=3",
        "task.max_length=64", "task.temperature=0", "task.forgetting_path=-", "train.batch_size=8",
        "train.seed=1", "compute.precision=bfloat16", "adapter.method=none",
        "adapter.quantization=nf4", "adapter.init_lora_weights=pissa",
    ],
)  # fmt: skip
def test_what_the_results_before_training_depend_on_makes_another_base(change: str) -> None:
    assert key(change) != key()


def test_the_rank_of_an_adapter_that_begins_with_singular_vectors_makes_another_base() -> None:
    begins = "adapter.init_lora_weights=pissa"
    assert key(begins, "adapter.r=16") != key(begins)


def test_a_run_that_evaluates_no_base_shares_none() -> None:
    assert key("train.evaluate_base=off") == ""
