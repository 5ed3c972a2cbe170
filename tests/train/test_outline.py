"""Networks that are built without their memory get the bits of those that are built as usual."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from engine import RunConfig
from engine.artifacts.build import build_network
from engine.hardware.device import Compute
from engine.models.weights import weightless
from engine.models.weights.outline import outline, outline_of_stored
from engine.models.weights.placed_weights import named_weights
from engine.models.weights.recorded_build import NotRecorded
from engine.tasks.create import create_task
from engine.text.tokens.bpe import bpe_from, train_bpe
from engine.torch_private import without_modes

SIZES = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
         "num_attention_heads": 4}  # fmt: skip
VERSE = ["The owl and the cat", "went to sea in a boat,", "", "and the boat was green.", ""]


def llama() -> nn.Module:
    config = transformers.LlamaConfig(**SIZES, tie_word_embeddings=True)
    return transformers.AutoModelForCausalLM.from_config(config)


def bert() -> nn.Module:
    return transformers.AutoModelForSequenceClassification.from_config(
        transformers.BertConfig(**SIZES)
    )


def t5() -> nn.Module:
    sizes = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_heads": 2, "vocab_size": 9}
    return transformers.AutoModelForSeq2SeqLM.from_config(transformers.T5Config(**sizes))


def of_torch() -> nn.Module:
    """Layers of several kinds, with a view, numbers that are computed, and a conversion."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LSTM(4, 5), nn.Linear(5, 6))
    nn.init.orthogonal_(network[3].weight)
    nn.init.xavier_normal_(network[0].weight)
    with torch.no_grad():
        network[3].bias[2:] = torch.arange(4.0) / 7
    return network.to(torch.float64)


def compared(build: Callable[[], nn.Module]) -> nn.Module:
    """Compare an outline with the network itself; returns the outline."""
    torch.manual_seed(3)
    usual = build()
    after = torch.get_rng_state()
    torch.manual_seed(3)
    made = outline(build)
    assert all(value.device.type == "meta" for _, value in named_weights(made.network))
    found = {name: value.clone() for name, value in made.weights()}
    torch.testing.assert_close(found, dict(named_weights(usual)), rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), after)
    for (name, ours), (_, theirs) in zip(
        made.network.named_parameters(), usual.named_parameters(), strict=True
    ):
        assert ours.requires_grad == theirs.requires_grad, name
    return made.network


@pytest.mark.parametrize("build", [llama, bert, t5, of_torch])
def test_new_networks_have_the_same_bits(build: Callable[[], nn.Module]) -> None:
    compared(build)


def test_tied_weights_stay_tied() -> None:
    network: Any = outline(llama).network
    assert network.lm_head.weight is network.model.embed_tokens.weight


def test_only_one_weight_is_held_at_a_time() -> None:
    made = outline(lambda: nn.Sequential(*(nn.Linear(100, 100, bias=False) for _ in range(20))))
    held: list[weakref.ref[torch.UntypedStorage]] = []
    for _, value in made.weights():
        assert sum(reference() is not None for reference in held) <= 1
        held.append(weakref.ref(value.untyped_storage()))
    assert len(held) == 20


def test_a_network_that_reads_a_value_is_not_outlined() -> None:
    def build() -> nn.Module:
        layer = nn.Linear(2, 2)
        layer.scale = float(layer.weight.detach().sum())
        return layer

    with pytest.raises(NotRecorded, match="a value decides"):
        outline(build)


def test_a_network_with_tensors_that_are_no_buffers_is_not_outlined() -> None:
    def build() -> nn.Module:
        layer = nn.Linear(2, 2)
        layer.table = torch.arange(3)
        return layer

    with pytest.raises(NotRecorded, match="table is not a buffer"):
        outline(build)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-trained decoder, its file of weights, and a text."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = bpe_from(train_bpe(VERSE * 9, 300))
    tokenizer.save_pretrained(folder)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in
               ("bos", "eos", "pad")}  # fmt: skip
    config = transformers.Qwen3Config(**SIZES | special | {"vocab_size": len(tokenizer)})
    transformers.Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    (folder / "verse.txt").write_text("\n".join(VERSE * 20))
    return folder


@pytest.mark.parametrize("adapter", [{}, {"method": "lora", "r": 4}])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_stored_weights_are_read_when_they_are_needed(
    base: Path, adapter: dict[str, Any], precision: torch.dtype
) -> None:
    config = RunConfig.parse({
        "task": {"kind": "causal_lm", "max_length": 16},
        "data": {"kind": "file", "path": str(base / "verse.txt")},
        "model": {"kind": "transformer", "path": str(base), "gradient_checkpointing": True},
        "adapter": adapter,
    })  # fmt: skip
    task = create_task(config)
    fitted = task.pipeline.learn(task.pipeline.load())
    compute = Compute(torch.device("cpu"), precision, threads=1)
    compared(lambda: build_network(task, fitted, compute))


def stored(network: Any, place: str) -> Any:
    """Return the outline of a network of transformers whose weights are in files."""

    def build() -> Any:
        with without_modes(), torch.device("meta"):
            made = type(network)(network.config)
        made.new_weights = []
        return outline_of_stored(made, place, "main")

    return outline(build)


def test_each_file_of_weights_is_read_once_for_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network: Any = llama()
    network.save_pretrained(tmp_path, max_shard_size="4KB")
    files = sorted(tmp_path.glob("*.safetensors"))
    read: list[Path] = []
    usual = weightless.weights_in_file

    def counted(path: Path) -> Any:
        read.append(path)
        return usual(path)

    monkeypatch.setattr(weightless, "weights_in_file", counted)
    found = dict(stored(network, str(tmp_path)).weights())
    assert len(files) > 2
    assert sorted(read) == files
    torch.testing.assert_close(found, dict(named_weights(network)), rtol=0, atol=0)


def test_weights_that_are_only_on_the_hub_are_not_outlined() -> None:
    with pytest.raises(NotRecorded, match="someone/elsewhere is not on this machine yet"):
        stored(llama(), "someone/elsewhere")


def test_weights_that_no_file_has_as_the_network_has_them_are_not_outlined(tmp_path: Path) -> None:
    """As where transformers joins several weights of a file into one."""
    network: Any = llama()
    network.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    joined = weights.pop("model.norm.weight")
    save_file(weights | {"model.norm.part": joined}, tmp_path / "model.safetensors")
    with pytest.raises(NotRecorded, match=r"model\.norm\.weight is in no file"):
        stored(network, str(tmp_path))


def test_new_heads_of_pretrained_networks_are_not_outlined(base: Path) -> None:
    (base / "texts.csv").write_text("text,label\n" + "the owl,a\nthe cat,b\n" * 20)
    config = RunConfig.parse({
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(base / "texts.csv")},
        "model": {"kind": "transformer", "path": str(base)},
    })  # fmt: skip
    task = create_task(config)
    fitted = task.pipeline.learn(task.pipeline.load())
    compute = Compute(torch.device("cpu"), torch.float32, threads=1)
    with pytest.raises(NotRecorded, match=r"score\.weight is new"):
        outline(lambda: build_network(task, fitted, compute))
