"""Initial states of adapters: tokenizers without padding, tied and added tokens, other adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pyarrow as pa
import pytest
import torch
import transformers
from torch import nn

from engine.adapters.lora import with_adapter
from engine.artifacts.model_folder import load_exported
from engine.config.adapter import AdapterConfig
from engine.config.run_config import RunConfig
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.service import export
from engine.service.estimate import estimate
from engine.text.tokens.bpe import bpe_from, train_bpe

CPU = torch.device("cpu")
LINES = ["the owl and the cat", "went to sea in a boat", "they took some honey and money"] * 30
ADDED = ["<sea>", "<owl>"]


def gpt2(words: int) -> Any:
    """A GPT-2 whose embedding and output layer are tied."""
    return transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=2, vocab_size=words, bos_token_id=0, eos_token_id=0
    )


def llama(words: int) -> Any:
    """A Llama with an untied output layer."""
    return transformers.LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=words, tie_word_embeddings=False, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip


def saved(folder: Path, architecture: Callable[[int], Any], added: list[str]) -> Path:
    """A decoder whose tokenizer has no padding token, and tokens that the decoder has not."""
    tokenizer = bpe_from(train_bpe(LINES, 300))
    tokenizer.pad_token = None
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(architecture(len(tokenizer)))
    network.save_pretrained(folder)
    tokenizer.add_tokens(added)
    tokenizer.save_pretrained(folder)
    return folder


def experiment(base: Path | str, folder: Path, **changes: Any) -> RunConfig:
    rows = [f'{{"prompt": "{line}", "completion": "<sea> <owl>"}}' for line in LINES]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(rows) + "\n")
    values: dict[str, Any] = {
        "task": {"kind": "causal_lm", "max_length": 32, "max_new_tokens": 4, "temperature": 0},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "path": str(base)},
        "adapter": {"method": "lora", "r": 4} | changes.pop("adapter", {}),
        "train": {"epochs": 2, "batch_size": 16, "learning_rate": 0.02},
        "compute": {"device": "cpu", "threads": 1},
    }
    return RunConfig.parse(values | changes)


def logits(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = network(input_ids=torch.arange(40).reshape(2, 20)).logits
    return result


def loss(run: RunDirectory) -> float:
    report = run.report.read() or {}
    return float(report["metrics"]["validation"]["loss"])


@pytest.mark.parametrize("architecture", [gpt2, llama])
def test_a_decoder_without_a_token_for_padding_learns_and_writes(
    architecture: Any, tmp_path: Path
) -> None:
    run = train(experiment(saved(tmp_path / "base", architecture, []), tmp_path))
    task, fitted, network = load_exported(run.model, CPU)
    rows = pa.table({"prompt": ["the owl", "went to sea in"]})
    source = task.encode_new(rows, fitted, CPU, lambda event: None)
    batch = next(source.read(source.plan(2)))
    assert all(record["continuation"] for record in task.predict(network, batch, fitted))


@pytest.mark.parametrize("architecture", [gpt2, llama])
def test_its_adapter_says_the_same_through_peft_and_transformers_alone(
    architecture: Any, tmp_path: Path
) -> None:
    base = saved(tmp_path / "base", architecture, [])
    run = train(experiment(base, tmp_path))
    ours = logits(load_exported(run.model, CPU)[2])
    auto = transformers.AutoModelForCausalLM
    through_peft = peft.PeftModel.from_pretrained(auto.from_pretrained(base), run.model)
    for theirs in (through_peft, auto.from_pretrained(run.model)):
        torch.testing.assert_close(logits(theirs.eval()), ours, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", [gpt2, llama])
def test_added_tokens_are_trained_and_nothing_else_of_the_embedding(
    architecture: Any, tmp_path: Path
) -> None:
    base = saved(tmp_path / "base", architecture, ADDED)
    whole = transformers.AutoModelForCausalLM.from_pretrained(base)
    known = whole.get_input_embeddings().weight
    run = train(experiment(base, tmp_path))
    told = estimate(experiment(base, tmp_path))
    _, _, network = load_exported(run.model, CPU)
    again = load_exported(run.model, CPU)[2]
    torch.testing.assert_close(logits(network), logits(again))
    target = tmp_path / "merged"
    assert export.answer(run.id, str(target), "merged")["difference"] <= 1e-4
    merged = transformers.AutoModelForCausalLM.from_pretrained(target).get_input_embeddings()
    assert merged.weight.shape[0] == known.shape[0] + len(ADDED)
    torch.testing.assert_close(merged.weight[: len(known)], known)
    size = (run.model / "adapter_model.safetensors").stat().st_size
    assert told.adapter == pytest.approx(size, rel=0.2)
    # New rows are initialized with the mean of the others, and so equally.
    one, other = merged.weight[len(known) :]
    assert (one - other).norm() > 0.05


@pytest.mark.parametrize("architecture", [gpt2, llama])
def test_an_embedding_that_is_trained_whole_stays_tied_or_apart(
    architecture: Any, tmp_path: Path
) -> None:
    base = saved(tmp_path / "base", architecture, ADDED)
    name = "wte" if architecture is gpt2 else "embed_tokens"
    run = train(experiment(base, tmp_path, adapter={"modules_to_save": [name]}))
    _, _, ours = load_exported(run.model, CPU)
    target = tmp_path / "merged"
    assert export.answer(run.id, str(target), "merged")["difference"] <= 1e-4
    merged = transformers.AutoModelForCausalLM.from_pretrained(target).eval()
    torch.testing.assert_close(logits(merged), logits(ours), atol=1e-4, rtol=1e-4)


def test_a_run_continues_from_an_adapter_with_another_one(tmp_path: Path) -> None:
    base = saved(tmp_path / "base", gpt2, [])
    first = train(experiment(base, tmp_path))
    for begin in (first.id, str(first.model)):
        second = train(experiment(begin, tmp_path))
        assert loss(second) < loss(first)
        _, _, network = load_exported(second.model, CPU)
        # A second adapter could not name its base model, so the whole network is saved.
        assert not isinstance(network, peft.PeftModel)
        assert (second.model / "model.safetensors").is_file()


def below(network: nn.Module, name: str) -> list[str]:
    """The layers whose outputs got a gradient in a backward pass with an adapter on ``name``."""
    reached: list[str] = []

    def hook(layer: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            if first.requires_grad:
                reached.append(layer)

        return note

    adapted = with_adapter(network, AdapterConfig(method="lora", target_pattern=name)).train()
    for layer, module in adapted.named_modules():
        if layer.endswith((".h.0", ".h.1", ".h.2", ".h.3", ".wte")):
            module.register_forward_hook(hook(layer.rpartition(".")[2]))
    ids = torch.arange(20).reshape(2, 10)
    adapted(input_ids=ids).logits.sum().backward()
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert all(p.grad is not None for p in trained)
    return reached


@pytest.mark.parametrize("checkpointing", [False, True])
def test_frozen_layers_below_the_first_adapter_get_no_gradients(
    checkpointing: bool, tmp_path: Path
) -> None:
    from engine.config.models.transformer import TransformerConfig
    from engine.models.language.transformer import build_transformer
    from engine.models.shapes import TextShape

    base = tmp_path / "base"
    architecture = gpt2(300)
    architecture.n_layer = 4
    transformers.AutoModelForCausalLM.from_config(architecture).save_pretrained(base)
    config = TransformerConfig(path=str(base), gradient_checkpointing=checkpointing)
    network = build_transformer(config, TextShape("causal_lm", 300, 16, pad_token_id=0))
    assert below(network, r".*h\.2\..*c_attn") == ["2", "3"]


def test_an_estimate_knows_what_gradient_checkpointing_saves(tmp_path: Path) -> None:
    config = experiment(saved(tmp_path / "base", gpt2, []), tmp_path)
    config = config.override(["train.batch_size=64", "adapter.quantization=nf4"])
    whole = estimate(config).memory
    less = estimate(config.override(["model.gradient_checkpointing=true"])).memory
    assert less.activations < 0.8 * whole.activations
    assert less.weights == whole.weights
