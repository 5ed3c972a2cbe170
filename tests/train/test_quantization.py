"""QLoRA: adapters on a base model with 4-bit weights, trained for real on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from torch import nn
from transformers.pytorch_utils import Conv1D

from engine.adapters.frozen import compress_frozen
from engine.adapters.lora import merged, with_adapter
from engine.adapters.nf4 import Linear4bit
from engine.artifacts.model_folder import load_exported
from engine.config.adapter import AdapterConfig
from engine.config.run_config import RunConfig
from engine.errors import ConfigError, TrainingError
from engine.hardware.device import Compute
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.runs.events import Model, Progress
from engine.service import export
from engine.service.estimate import estimate
from engine.training.checkpoints.state import parameter_count, trained_weights

pytest.importorskip("bitsandbytes")

CPU = torch.device("cpu")
EXACT = Compute(CPU, torch.float32, threads=1)
HALF = Compute(CPU, torch.bfloat16, threads=1)
SIZES: dict[str, Any] = {"vocab_size": 120, "hidden_size": 64, "num_hidden_layers": 2}


def llama() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(intermediate_size=128, num_attention_heads=2, **SIZES)
    return transformers.AutoModelForCausalLM.from_config(config)


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=64, n_layer=2, n_head=2, vocab_size=120)
    return transformers.AutoModelForCausalLM.from_config(config)


def bert() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.BertConfig(intermediate_size=128, num_attention_heads=2, **SIZES)
    return transformers.AutoModelForSequenceClassification.from_config(config)


def quantized(network: nn.Module, compute: Compute = EXACT, **fields: Any) -> nn.Module:
    """The network with an adapter on 4-bit weights, in evaluation mode, without dropout."""
    config = AdapterConfig(method="lora", quantization="nf4").model_copy(update=fields)
    adapted = with_adapter(network, config)
    compress_frozen(adapted, four_bits=True, compute=compute)
    return adapted.eval()


def logits(network: nn.Module) -> torch.Tensor:
    ids = torch.arange(20).reshape(2, 10)
    result: torch.Tensor = network(input_ids=ids).logits
    return result


def disturb(network: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)


@pytest.mark.parametrize(
    "layer", [nn.Linear(128, 96), nn.Linear(64, 64, bias=False), Conv1D(96, 128)]
)
def test_a_layer_computes_with_the_weights_that_it_tells(layer: Any) -> None:
    packed = Linear4bit(layer.requires_grad_(False), CPU)
    plain = packed.plain()
    assert type(plain) is type(layer)
    x = torch.randn(4, 9, packed.in_features, requires_grad=True)
    # An evaluation in between must not change it, unlike bitsandbytes' own layer on some CPUs.
    with torch.no_grad():
        packed.eval()(x)
    ours, theirs = packed.train()(x), plain(x)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)
    error = (packed.weight - layer.weight).norm() / layer.weight.norm()
    assert 0 < error < 0.12


@pytest.mark.parametrize("make", [llama, gpt2, bert])
def test_linear_layers_take_four_bits_and_outputs_stay_whole(make: Callable[..., Any]) -> None:
    network = quantized(make())
    packed = [n for n, m in network.named_modules() if isinstance(m, Linear4bit)]
    assert len(packed) >= 8
    assert not any("lm_head" in name or "classifier" in name for name in packed)
    frozen = {n: p for n, p in network.named_parameters() if not p.requires_grad and p.ndim > 1}
    assert {n.removesuffix(".packed") for n in frozen if n.endswith(".packed")} == set(packed)
    for name, weight in frozen.items():
        assert weight.dtype == (torch.uint8 if name.endswith(".packed") else torch.float32)
    inner = network.get_base_model()
    assert not any(
        isinstance(m, Linear4bit) for m in inner.modules() if m is inner.get_input_embeddings()
    )


@pytest.mark.parametrize("make", [llama, gpt2, bert])
def test_counts_and_trained_weights_do_not_change(make: Callable[..., Any]) -> None:
    plain = with_adapter(make(), AdapterConfig(method="lora"))
    network = quantized(make())
    assert parameter_count(network) == parameter_count(plain)
    assert trained_weights(network).keys() == trained_weights(plain).keys()


@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
@pytest.mark.parametrize("make", [llama, gpt2, bert])
def test_what_was_trained_merges_into_the_weights_as_they_were_computed_with(
    make: Callable[..., Any], method: str
) -> None:
    network = quantized(make(), method=method)
    disturb(network)
    with torch.no_grad():
        torch.testing.assert_close(
            logits(merged(network).eval()), logits(network), atol=1e-4, rtol=1e-4
        )


def test_pissa_is_made_of_the_weights_before_they_lose_digits() -> None:
    network = quantized(llama(), init_lora_weights="pissa", r=16)
    plain = quantized(llama())
    with torch.no_grad():
        whole = logits(llama().eval())
        # The part of the weights in the adapter is not rounded.
        assert (logits(network) - whole).norm() < (logits(plain) - whole).norm()


def test_autocast_reaches_the_layers() -> None:
    network = quantized(llama(), compute=HALF)
    seen = set()
    for module in network.modules():
        if isinstance(module, Linear4bit):
            module.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    with HALF.autocast():
        logits(network).float().sum().backward()
    assert seen == {torch.bfloat16}
    trained = [p for p in network.parameters() if p.requires_grad]
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in trained if p.grad is not None)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder with its tokenizer, as on the hub."""
    from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

    folder = tmp_path_factory.mktemp("base")
    tokenizer = wordpiece_from(train_wordpiece(["good film bad play fine dull"] * 9, 120, True))
    tokenizer.save_pretrained(folder)
    bert().save_pretrained(folder)
    return folder


def experiment(base: Path | None, folder: Path, **changes: Any) -> RunConfig:
    lines = [f"{word} film,{word in ('good', 'fine')}" for word in ("good", "bad", "fine", "dull")]
    path = folder / "films.csv"
    path.write_text("text,label\n" + "\n".join(lines * 12) + "\n")
    model: dict[str, Any] = {"path": str(base)} if base else {"hidden_size": 64, "vocab_size": 120}
    values: dict[str, Any] = {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer"} | model,
        "adapter": {"method": "lora", "r": 4, "quantization": "nf4"} | changes.pop("adapter", {}),
        "train": {"epochs": 3, "batch_size": 8, "learning_rate": 0.01} | changes.pop("train", {}),
        "compute": {"device": "cpu", "threads": 1},
    }
    return RunConfig.parse(values | changes)


def accuracy(run: RunDirectory) -> float:
    report = run.report.read() or {}
    return float(report["metrics"]["validation"]["accuracy"])


def test_a_quantized_base_learns_and_its_adapter_suits_the_whole_base(
    base: Path, tmp_path: Path
) -> None:
    run = train(experiment(base, tmp_path, train={"epochs": 10}))
    assert accuracy(run) == 1
    record = peft.PeftConfig.from_pretrained(run.model)
    assert record.base_model_name_or_path == str(base)
    whole = transformers.AutoModelForSequenceClassification.from_pretrained(base)
    theirs = peft.PeftModel.from_pretrained(whole, run.model).eval()
    _, _, ours = load_exported(run.model, CPU)
    with torch.no_grad():
        torch.testing.assert_close(logits(theirs), logits(ours))
    answer = export.answer(run.id, str(tmp_path / "merged"), "merged")
    assert answer["difference"] <= 1e-4


def test_checkpoints_hold_no_packed_weights(base: Path, tmp_path: Path) -> None:
    run = train(experiment(base, tmp_path))
    saved = torch.load(max(run.checkpoints.iterdir()) / "state.pt", weights_only=True)
    names = list(saved["network"])
    assert any("lora_A" in name for name in names)
    assert all("lora_" in name or "classifier" in name for name in names)


@pytest.mark.parametrize("optimizer", ["adamw", "adamw_8bit"])
def test_a_run_continues_with_the_same_bits(base: Path, tmp_path: Path, optimizer: str) -> None:
    steps = {"optimizer": optimizer, "save_steps": 4}
    config = experiment(base, tmp_path, train=steps | {"save_total_limit": 9})
    whole, halved = train(config), RunDirectory.create(tmp_path / "again", config)
    (halved.checkpoints).mkdir(exist_ok=True)
    first = min(whole.checkpoints.iterdir())
    first.rename(halved.checkpoints / first.name)
    train(config, halved)
    ends = [max(run.checkpoints.iterdir()) / "state.pt" for run in (whole, halved)]
    one, other = (torch.load(end, weights_only=True)["network"] for end in ends)
    assert first.name not in {end.parent.name for end in ends}
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_without_a_base_to_return_to_the_whole_network_is_saved(tmp_path: Path) -> None:
    run = train(experiment(None, tmp_path))
    _, _, network = load_exported(run.model, CPU)
    assert not any(isinstance(module, Linear4bit | peft.PeftModel) for module in network.modules())


def test_weights_that_are_trained_are_not_quantized(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"adapter\.method.*choose lora, or adapter\.quant"):
        experiment(base, tmp_path, adapter={"method": "none"})


def test_a_network_without_linear_layers_is_not_quantized() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    with pytest.raises(TrainingError, match="no frozen linear layer"):
        quantized(network)


def test_rows_that_are_no_whole_blocks_stay_as_they_are() -> None:
    network = nn.Sequential(nn.Linear(64, 100), nn.Linear(100, 64), nn.Linear(64, 64))
    adapted = quantized(network, target_modules=("2",))
    packed = [m for m in adapted.modules() if isinstance(m, Linear4bit)]
    assert [layer.in_features for layer in packed] == [64, 64]


def test_a_missing_package_is_named(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(TrainingError, match=r"adapter.quantization needs.*dltui\[quant\]"):
        train(experiment(base, tmp_path))
    other = {"adapter": {"quantization": "none"}, "train": {"optimizer": "adamw_8bit"}}
    with pytest.raises(TrainingError, match=r"train.optimizer adamw_8bit needs.*dltui\[quant\]"):
        train(experiment(base, tmp_path, **other))


def test_pages_need_cuda(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Choose adamw_8bit"):
        train(experiment(base, tmp_path, train={"optimizer": "paged_adamw_8bit"}))


@pytest.mark.slow
def test_an_estimate_knows_of_four_bits(base: Path, tmp_path: Path) -> None:
    # Matrices of 64 by 64: smaller ones keep 32-bit optimizer states.
    config = experiment(base, tmp_path, adapter={"r": 64}, train={"optimizer": "adamw_8bit"})
    told = estimate(config)
    whole = estimate(config.override(["adapter.quantization=none", "train.optimizer=adamw"]))
    run = train(config)
    model = run.events.last(Model)
    assert isinstance(model, Model)
    assert isinstance(run.events.last(Progress), Progress)
    assert (told.parameters, told.trainable) == (model.parameters, model.trainable)
    assert told.parameters == whole.parameters
    inner = bert().bert
    layers = [layer for layer in inner.modules() if isinstance(layer, nn.Linear)]
    linear = sum(layer.weight.numel() for layer in layers)
    saved = whole.memory.weights - told.memory.weights
    assert saved == pytest.approx(linear * (4 - 0.5 - 1 / 64), rel=0.01)
    assert told.memory.optimizer < 0.3 * whole.memory.optimizer
    assert told.adapter == pytest.approx(
        (run.model / "adapter_model.safetensors").stat().st_size, rel=0.3
    )
