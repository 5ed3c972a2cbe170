"""Packed batches: the same losses and gradients as with padding, where the network allows it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
import torch
import transformers
from torch import Tensor, nn

from engine.batches.source import Batch, Noise, epoch_plan
from engine.config.run_config import RunConfig
from engine.data.labels import IGNORED
from engine.data.raw import TRAIN
from engine.errors import ConfigError, TrainingError
from engine.hardware.device import choose
from engine.launch.in_process import train
from engine.launch.start import launch
from engine.models.language.segment_lengths import segments
from engine.models.language.segments import SEGMENTS
from engine.models.language.token_losses import summed_loss, summed_row_loss
from engine.models.language.transformer import compute_twice
from engine.runs.directory import RunDirectory
from engine.runs.events import Log
from engine.service.estimate import estimate
from engine.tasks.create import create_task
from engine.text.tokens.blocks import BlockSource
from engine.text.tokens.packed_rows import packed
from engine.text.tokens.padding import mask_of, padded
from engine.text.tokens.source import TokenSource
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.training.checkpoints import checkpoint
from engine.training.material import prepare

CPU = torch.device("cpu")

WORDS = 61
SMALL: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
GROUPED = SMALL | {"num_key_value_heads": 2, "head_dim": 8}
WINDOW = 5
ALTERNATING = ["sliding_attention", "full_attention"]
NETWORKS: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**GROUPED),
    "qwen2": lambda: transformers.Qwen2Config(
        **GROUPED, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1
    ),
    "qwen3": lambda: transformers.Qwen3Config(**GROUPED),
    "gemma2": lambda: transformers.Gemma2Config(
        **GROUPED, sliding_window=WINDOW, attn_logit_softcapping=None
    ),
    "gemma3": lambda: transformers.Gemma3TextConfig(
        **GROUPED, sliding_window=WINDOW, layer_types=ALTERNATING
    ),
    "mistral": lambda: transformers.MistralConfig(**GROUPED, sliding_window=WINDOW),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**SMALL),
    "gpt2": lambda: transformers.GPT2Config(
        vocab_size=WORDS,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=64,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
    ),
}


def network_of(config: Any) -> Any:
    torch.manual_seed(0)
    network: Any = transformers.AutoModelForCausalLM.from_config(config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.2)  # so that attention matters
    return network.eval()


def samples() -> pa.Table:
    """Four samples, the longest longer than the windows; parts of each are learned."""
    generator = torch.Generator().manual_seed(1)
    ids = [torch.randint(1, WORDS, (size,), generator=generator).tolist() for size in (3, 17, 1, 9)]
    labels = [[IGNORED] * (len(row) // 3) + row[len(row) // 3 :] for row in ids]
    return pa.table({"input_ids": ids, "labels": labels})


def padded_batch(table: pa.Table) -> Batch:
    inputs = {
        "input_ids": padded(table["input_ids"], 0),
        "attention_mask": mask_of(table["input_ids"]),
    }
    return Batch(inputs, {"labels": padded(table["labels"], IGNORED)})


def gradients(network: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    network.zero_grad()
    torch.autograd.backward(loss)
    named = network.named_parameters()
    return {name: part.grad.clone() for name, part in named if part.grad is not None}


def packed_loss(network: Any, batch: Batch) -> Tensor:
    targets = batch.targets
    with segments(targets["lengths"]):
        return summed_row_loss(network, batch.inputs, targets["learned"], targets["labels"])


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_packed_samples_have_the_loss_and_gradients_of_padded_ones(
    name: str, checkpointing: bool
) -> None:
    network = network_of(NETWORKS[name]())
    batch = padded_batch(samples())
    loss = summed_loss(network, batch.inputs, batch.targets["labels"])
    expected = gradients(network, loss)
    network.set_attn_implementation(SEGMENTS)
    if checkpointing:
        network.train()
        compute_twice(network)
    row = packed(samples())
    again = packed_loss(network, row)
    found = gradients(network, again)
    assert again.item() == pytest.approx(loss.item(), rel=1e-5)
    assert found.keys() == expected.keys()
    for part, gradient in expected.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[part], gradient, rtol=1e-5, atol=1e-5 * max(1, scale))


def pairs(folder: Path) -> Path:
    """Forty pairs with answers of different lengths."""
    things = ["grass is green", "snow is white", "coal is black and cold", "blood is red"]
    records = [
        {"prompt": f"thing {number}?", "completion": f"{things[number % 4]} " * (number % 5 + 1)}
        for number in range(40)
    ]
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def config(folder: Path, *changes: str) -> RunConfig:
    values = {
        "task": {"kind": "causal_lm", "max_length": 64, "max_new_tokens": 4, "temperature": 0},
        "data": {"kind": "file", "path": str(pairs(folder)), "test_fraction": 0.1},
        "model": {
            "kind": "transformer", "vocab_size": 200, "hidden_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0,
        },
        "train": {"epochs": 1, "batch_size": 8, "learning_rate": 1e-2},
        "compute": {"threads": 1, "device": "cpu"},
    }  # fmt: skip
    return RunConfig.parse(values).override(list(changes))


def saved_model(folder: Path, config: Any) -> Path:
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer = wordpiece_from(train_wordpiece(["the grass is green and snow"], 61, lowercase=True))
    tokenizer.save_pretrained(folder)
    return folder


def packing_of(run: RunDirectory) -> str:
    return str(getattr(run.config.read().task, "packing"))  # noqa: B009


def messages(run: RunDirectory) -> list[str]:
    return [event.message for event in run.events.newest(Log) if isinstance(event, Log)]


def weights_of(run: RunDirectory) -> dict[str, Tensor]:
    state: dict[str, Tensor] = checkpoint.load_newest(run.checkpoints)[1]["network"]
    return state


def test_a_transformer_is_packed_and_remembers_it(tmp_path: Path) -> None:
    run = train(config(tmp_path, "train.max_steps=2"))
    assert packing_of(run) == "on"
    written = json.loads((run.model / "config.json").read_text())
    assert SEGMENTS not in json.dumps(written)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (transformers.MambaConfig(vocab_size=61, hidden_size=32, num_hidden_layers=1, state_size=4),
         "differ from those of single ones"),
        (transformers.BloomConfig(vocab_size=61, hidden_size=32, n_layer=1, n_head=2),
         "differ from those of single ones"),
        (transformers.Gemma2Config(**GROUPED), "eager attention"),
    ],
)  # fmt: skip
def test_networks_that_mix_samples_are_not_packed(
    tmp_path: Path, architecture: Any, reason: str
) -> None:
    model = saved_model(tmp_path / "model", architecture)
    chosen = config(tmp_path, "train.max_steps=1").values()
    chosen["model"] = {"kind": "transformer", "path": str(model)}
    run = train(RunConfig.parse(chosen))
    assert packing_of(run) == "off"
    [said] = [text for text in messages(run) if text.startswith("Batches are not packed")]
    assert re.search(reason, said)
    chosen["task"]["packing"] = "on"
    with pytest.raises(TrainingError, match=rf"task.packing: .*({reason})"):
        train(RunConfig.parse(chosen))


def test_a_compiled_network_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"task\.packing: a compiled network"):
        train(config(tmp_path, "task.packing=on", "compute.compile=true"))


def test_resuming_a_packed_run_changes_nothing(tmp_path: Path) -> None:
    chosen = config(tmp_path, "train.epochs=2", "train.save_steps=3", "train.save_total_limit=9")
    run = train(chosen)
    expected = weights_of(run)
    forget_after(run, 3)
    train(run.config.read(), run)
    assert all(torch.equal(value, expected[name]) for name, value in weights_of(run).items())


def test_a_run_from_before_packing_is_resumed_without_it(tmp_path: Path) -> None:
    chosen = config(tmp_path, "train.save_steps=3", "train.save_total_limit=9", "task.packing=off")
    run = train(chosen)
    expected = weights_of(run)
    forget_after(run, 3)
    run.config.write(run.config.read().override(["task.packing=auto"]))
    train(run.config.read(), run)
    assert packing_of(run) == "auto"
    assert all(torch.equal(value, expected[name]) for name, value in weights_of(run).items())


def forget_after(run: RunDirectory, step: int) -> None:
    for saved in checkpoint.found(run.checkpoints):
        if saved.step > step:
            for file in saved.path.iterdir():
                file.unlink()


def test_a_batch_holds_about_as_many_learned_tokens_as_are_asked_for(tmp_path: Path) -> None:
    chosen = config(tmp_path, "train.batch_tokens=150", "train.batch_size=3")
    source = source_of(chosen)
    for packs in (False, True):
        source.packed = packs
        plan = epoch_plan(source, 3, seed=0, epoch=0)
        batches = list(source.read(plan, noise=Noise(0, 0, CPU)))
        weights = [batch.weight for batch in batches]
        assert sum(weights) / len(weights) == pytest.approx(150, rel=0.15)
        assert all(abs(weight - 150) <= 60 for weight in weights), "a sample has up to 56"
        assert sum(map(len, plan)) == len(source)


def source_of(chosen: RunConfig) -> TokenSource:
    task = create_task(chosen)
    source = prepare(task, choose(chosen.compute), lambda event: None).sources[TRAIN]
    assert isinstance(source, TokenSource)
    return source


def test_blocks_of_text_are_counted_by_their_tokens() -> None:
    source = BlockSource(torch.arange(1001), 10, 1.0, CPU)
    source.batch_tokens = 42
    assert len(source.plan(99, torch.Generator())) == 25
    assert len(source.plan(60)) == 2, "evaluations go by the batch size"


def test_the_estimate_is_of_batches_of_tokens(tmp_path: Path) -> None:
    chosen = config(tmp_path, "train.batch_tokens=60", "task.packing=off")
    told = estimate(chosen)
    assert told.steps_per_epoch == len(epoch_plan(source_of(chosen), 8, 0, 0))
    assert told.steps_per_epoch > 1.5 * estimate(config(tmp_path)).steps_per_epoch


def test_tasks_without_tokens_refuse_batches_of_them(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp"},
        "train": {"batch_tokens": 100},
    }
    with pytest.raises(ConfigError, match=r"train\.batch_tokens.* does not learn tokens"):
        RunConfig.parse(values)
    with pytest.raises(ConfigError, match=r"train\.batch_tokens.* train\.auto_batch_size"):
        config(tmp_path, "train.batch_tokens=100", "train.auto_batch_size=true")


def test_the_loss_of_accumulated_batches_is_the_mean_over_all_their_tokens(tmp_path: Path) -> None:
    """One update of all samples: of one batch, or of several of few samples each."""
    whole, parts = (
        train(config(tmp_path, f"train.batch_size={size}", f"train.gradient_accumulation_steps={n}",
                     "train.max_steps=1", "train.optimizer=sgd"))
        for size, n in ((99, 1), (9, 99))
    )  # fmt: skip
    assert all(
        torch.allclose(value, weights_of(parts)[name], atol=1e-6)
        for name, value in weights_of(whole).items()
    )


@pytest.mark.slow
def test_two_processes_make_the_updates_of_one(tmp_path: Path) -> None:
    """Shares of a batch differ in their tokens, as do accumulated batches."""
    chosen = config(tmp_path, "train.batch_tokens=150", "train.gradient_accumulation_steps=2",
                    "train.optimizer=sgd", "train.max_steps=3")  # fmt: skip
    alone = train(chosen)
    handle = launch(chosen.override(["train.devices=2"]))
    handle.wait(120)
    assert packing_of(handle.run) == packing_of(alone) == "on"
    assert all(
        torch.allclose(value, weights_of(handle.run)[name], atol=1e-5)
        for name, value in weights_of(alone).items()
    )


def test_the_tags_of_words_are_learned_tokens() -> None:
    tagged = datasets.Dataset.from_dict(
        {"input_ids": [[5, 6, 7]] * 10, "tags": [[1, -100, 2]] * 10}
    )
    source = TokenSource(tagged, packed, CPU)
    source.batch_tokens = 4
    assert source.batch_rows(99) == 2
