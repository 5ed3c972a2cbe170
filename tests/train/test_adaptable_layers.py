"""Layers that are offered for adapters: those where an adapter learns, and can be merged."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import peft
import pytest
import torch
import torchvision
import transformers
from torch import nn
from torch.nn import functional as F
from transformers.models.bert.modeling_bert import BertSelfAttention

from engine import RunConfig, train
from engine.adapters.layers import adaptable, linear_layers
from engine.adapters.lora import load_adapter, merged, with_adapter
from engine.adapters.targets import resolve, target_groups
from engine.config.adapter import AdapterConfig
from engine.config.models.torchvision import TorchvisionConfig
from engine.errors import TrainingError
from engine.models.images.torchvision import build_torchvision
from engine.models.shapes import ImageShape
from engine.runs.directory import RunDirectory
from engine.training.adapter_check import check_adapters

LORA = AdapterConfig(method="lora", r=2)
IMAGES = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)
SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 100}


def on_images(name: str, size: int = 32) -> nn.Module:
    config = TorchvisionConfig(name=name, pretrained=False)
    return build_torchvision(config, ImageShape(3, size, 3))


def adapters(network: nn.Module) -> dict[str, bool]:
    """Names of the adapters, and whether a gradient reached each."""
    return {
        name: parameter.grad is not None
        for name, parameter in network.named_parameters()
        if "lora_B" in name
    }


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t"])
def test_layers_whose_weights_are_read_without_a_call_are_not_offered(name: str) -> None:
    network: Any = on_images(name)
    names = linear_layers(network.network)
    assert names
    assert not [name for name in names if "attn" in name or "attention" in name]
    adapted = with_adapter(network, LORA)
    adapted(IMAGES).sum().backward()
    assert len(adapters(adapted)) == len(names)
    assert all(adapters(adapted).values())


def test_a_pooler_that_the_task_does_not_use_is_not_offered() -> None:
    """FNet computes one for question answering, and reads the states of all tokens."""
    config = transformers.FNetConfig(intermediate_size=64, **SMALL)
    network = transformers.FNetForQuestionAnswering(config)
    assert "fnet.pooler.dense" in dict(network.named_modules())
    assert "fnet.pooler.dense" not in adaptable(network)
    assert "fnet.encoder.layer.0.intermediate.dense" in adaptable(network)
    with torch.device("meta"):
        unread = transformers.FNetForQuestionAnswering(config)
    assert adaptable(unread).keys() == adaptable(network).keys()


def test_finding_them_leaves_mode_and_random_numbers_alone() -> None:
    config = transformers.BertConfig(intermediate_size=64, num_attention_heads=2, **SMALL)
    network = transformers.BertForSequenceClassification(config).train()
    network.bert.encoder.eval()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    adaptable(network)
    assert torch.equal(torch.rand(1), expected)
    assert network.training
    assert not network.bert.encoder.training


def test_a_target_that_is_not_called_says_why_it_cannot_be_chosen() -> None:
    network = on_images("vit_b_16")
    config = AdapterConfig(method="lora", target_modules=("out_proj",))
    with pytest.raises(TrainingError, match="out_proj of this model is the head, has no effect"):
        with_adapter(network, config)


class _Router(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight).softmax(-1)


class _Own(nn.Linear):
    """A layer like Falcon's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight.T + self.bias


class _Chosen(nn.Linear):
    def forward(self, x: torch.Tensor) -> Any:
        return F.linear(x, self.weight).topk(1)


def test_linear_layers_that_compute_more_are_not_offered() -> None:
    network = nn.Sequential(nn.Linear(4, 4), _Router(4, 4), _Own(4, 4), _Chosen(4, 4))
    assert list(adaptable(network)) == ["0", "2"]


@pytest.mark.parametrize(
    ("make", "convolutions", "linear"),
    [
        (lambda: torchvision.models.alexnet(num_classes=3), 5, 2),
        (lambda: torchvision.models.vgg11(num_classes=3), 8, 2),
        (lambda: torchvision.models.vit_b_16(num_classes=3), 0, 36),
        (lambda: torchvision.models.convnext_tiny(num_classes=3), 0, 36),
    ],
)
def test_all_linear_takes_the_convolutions_of_a_convolutional_network(
    make: Any, convolutions: int, linear: int
) -> None:
    network = make()
    network.head_name = list(dict(network.named_modules()))[-1]
    chosen = linear_layers(network).values()
    assert sum(isinstance(layer, nn.Conv2d) for layer in chosen) == convolutions
    assert sum(isinstance(layer, nn.Linear) for layer in chosen) == linear


@pytest.mark.parametrize("kind", ["MobileNetV1", "MobileNetV2"])
def test_networks_that_read_the_padding_of_a_convolution_take_an_adapter(
    kind: str, tmp_path: Path
) -> None:
    config = getattr(transformers, f"{kind}Config")(depth_multiplier=0.25, image_size=32)
    network = getattr(transformers, f"{kind}ForImageClassification")(config)
    network.head_name = "classifier"
    adapted: Any = with_adapter(network, LORA)
    loss = adapted(pixel_values=IMAGES).logits.sum()
    loss.backward()
    assert adapters(adapted)
    adapted.save_pretrained(tmp_path)
    again = getattr(transformers, f"{kind}ForImageClassification")(config)
    again.load_state_dict(network_weights(adapted), strict=False)
    loaded = load_adapter(again.eval(), tmp_path)
    with torch.no_grad():
        assert loaded(pixel_values=IMAGES).logits.shape == (2, config.num_labels)


def network_weights(adapted: Any) -> dict[str, torch.Tensor]:
    return {
        name.replace(".base_layer", ""): value
        for name, value in adapted.get_base_model().state_dict().items()
    }


def test_layers_of_mamba_that_its_kernels_read_are_not_offered() -> None:
    config = transformers.MambaConfig(state_size=4, **SMALL)
    network = transformers.MambaForCausalLM(config)
    names = {name.rpartition(".")[2] for name in adaptable(network)}
    assert names == {"in_proj", "x_proj", "embeddings", "lm_head"}
    assert adapters(with_adapter(network, LORA))


def llama(tied: bool) -> Any:
    config = transformers.LlamaConfig(
        intermediate_size=64, num_attention_heads=2, tie_word_embeddings=tied, **SMALL
    )
    return transformers.LlamaForCausalLM(config).eval()


def gpt2(tied: bool) -> Any:
    config = transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=2, vocab_size=100, tie_word_embeddings=tied
    )
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("method", ["lora", "dora", "rslora"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("make", "names"),
    [
        (llama, ("embed_tokens",)),
        (llama, ("lm_head",)),
        (llama, ("embed_tokens", "lm_head")),
        (gpt2, ("wte", "lm_head")),
    ],
)
def test_both_ends_of_a_language_model_take_adapters_that_merge(
    make: Any, names: tuple[str, ...], tied: bool, method: Any, tmp_path: Path
) -> None:
    network = make(tied)
    assert not {name.rpartition(".")[2] for name in linear_layers(network)} & set(names[-2:])
    costs = {group.name: group for group in target_groups(network)}
    wanted = AdapterConfig(method=method, r=2, target_modules=names)
    adapted: Any = with_adapter(network, wanted)
    told = sum(
        2 * costs[name].parameters_per_rank + (method == "dora") * costs[name].outputs
        for name in names
    )
    trained = [part for part in adapted.parameters() if part.requires_grad]
    assert sum(part.numel() for part in trained) == told
    for name, parameter in adapted.named_parameters():
        if "lora_A" in name or "lora_B" in name or "lora_embedding" in name:
            parameter.data.normal_(std=0.3)
    ids = torch.arange(10)[None]
    with torch.no_grad():
        before = make(tied)(input_ids=ids).logits
        expected = adapted(input_ids=ids).logits
        assert (expected - before).abs().max() > 0.01
        merged(adapted).save_pretrained(tmp_path)
        plain = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
        found = plain(input_ids=ids).logits
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_an_adapter_does_not_go_on_rows_of_new_tokens() -> None:
    network = llama(tied=False)
    network.added_tokens = (98, 99)
    for name in ("embed_tokens", "lm_head"):
        wanted = AdapterConfig(method="lora", target_modules=(name,))
        with pytest.raises(TrainingError, match="rows for tokens that the model lacked"):
            with_adapter(network, wanted)


def test_dora_is_refused_on_a_layer_with_a_row_of_zeros() -> None:
    """It divides by the norm of each row; that of the padding token is zero in some models."""
    network = llama(tied=False)
    network.lm_head.weight.data[3] = 0
    wanted = {"r": 2, "target_modules": ("q_proj", "lm_head")}
    with pytest.raises(TrainingError, match=r"dora divides .* lm_head has a row of zeros"):
        with_adapter(network, AdapterConfig(method="dora", **wanted))
    with_adapter(llama(tied=False), AdapterConfig(method="dora", **wanted))


def test_the_output_of_an_encoder_and_decoder_stays_tied() -> None:
    config = transformers.T5Config(
        d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=2, vocab_size=100,
        decoder_start_token_id=0,
    )  # fmt: skip
    network = transformers.T5ForConditionalGeneration(config)
    assert "lm_head" not in adaptable(network)


@pytest.mark.parametrize(
    ("kind", "sizes", "ends"),
    [
        ("Llama", {"intermediate_size": 64, "num_attention_heads": 2}, {"q_proj", "v_proj"}),
        ("Phi3", {"intermediate_size": 64, "num_attention_heads": 2, "pad_token_id": 0},
         {"qkv_proj"}),
        ("Olmo2", {"intermediate_size": 64, "num_attention_heads": 2}, {"q_proj", "v_proj"}),
        ("GPTNeoX", {"intermediate_size": 64, "num_attention_heads": 2}, {"query_key_value"}),
    ],
)  # fmt: skip
def test_the_layers_of_peft_are_found_in_types_that_it_does_not_know(
    kind: str, sizes: dict[str, Any], ends: set[str]
) -> None:
    config = getattr(transformers, f"{kind}Config")(**SMALL, **sizes)
    network = getattr(transformers, f"{kind}ForCausalLM")(config)
    found = resolve(network, AdapterConfig(method="lora", target_modules=("peft-default",)))
    assert {name.rpartition(".")[2] for name in found} == ends
    assert len(found) == len(ends) * config.num_hidden_layers


class _Detached(nn.Module):
    """Calls a layer whose gradient it throws away."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.both = both

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states = self.first(x) + self.second(x).detach()
        return self.head(states.detach() if self.both else states)


def checked(network: nn.Module, method: str = "lora") -> list[str]:
    """The warnings after a backward pass."""
    adapted = with_adapter(network, LORA)
    adapted(torch.ones(3, 4)).sum().backward()
    warnings: list[str] = []
    config = SimpleNamespace(adapter=LORA.model_copy(update={"method": method}))
    setup: Any = SimpleNamespace(
        task=SimpleNamespace(config=config),
        state=SimpleNamespace(network=adapted),
        outlets=SimpleNamespace(warn=warnings.append),
    )
    check_adapters(setup)
    return warnings


def test_adapters_without_a_gradient_are_named_after_the_first_backward_pass() -> None:
    (warning,) = checked(_Detached(both=False))
    assert warning.startswith("1 of 2 adapters got no gradient in the first update: second.")


def test_a_run_of_which_no_adapter_learns_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"none of the 2 adapters gets a gradient \(first, sec"):
        checked(_Detached(both=True))


def test_the_first_update_of_a_run_checks_its_adapters(
    small_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "good film,a\nbad play,b\n" * 10)
    values = {
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(rows)},
        "model": {"kind": "transformer", "path": str(small_encoder)},
        "adapter": {"method": "lora", "r": 2, "target_modules": ["query"]},
        "train": {"max_steps": 2, "epochs": 1}, "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    assert not [text for text in messages(train(RunConfig.parse(values))) if "gradient" in text]
    forward = BertSelfAttention.forward

    def detached(self: Any, states: torch.Tensor, *rest: Any, **named: Any) -> Any:
        return forward(self, states, *rest, **named) if self.layer_idx else (states * 2, None)

    monkeypatch.setattr(BertSelfAttention, "forward", detached)
    monkeypatch.setattr("engine.adapters.layers.unreached", lambda *_: frozenset())
    told = messages(train(RunConfig.parse(values)))
    assert [text for text in told if text.startswith("1 of 2 adapters got no gradient")]


def messages(run: RunDirectory) -> list[str]:
    lines = map(json.loads, run.events.path.read_text().splitlines())
    return [line["message"] for line in lines if line["event"] == "log"]


def test_layers_whose_adapter_peft_would_not_read_back_are_not_offered(tmp_path: Path) -> None:
    config = transformers.LagunaConfig(
        **SMALL, num_attention_heads=4, num_attention_heads_per_layer=[4, 4], num_experts=4,
        num_key_value_heads=2, head_dim=8, intermediate_size=64, moe_intermediate_size=32,
        shared_expert_intermediate_size=32, num_experts_per_tok=2,
        layer_types=["full_attention", "sliding_attention"], mlp_layer_types=["dense", "sparse"],
        pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    network = transformers.LagunaForCausalLM(config)
    network.save_pretrained(tmp_path / "base")
    names = linear_layers(network)
    assert "model.layers.0.mlp.gate_proj" in names
    assert not [name for name in names if "shared_experts" in name]
    adapted: Any = with_adapter(network, LORA, str(tmp_path / "base"))
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    base = transformers.LagunaForCausalLM.from_pretrained(tmp_path / "base")
    read = peft.PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
    ids = torch.tensor([[5, 6, 7, 8]])
    expected = adapted.eval()(input_ids=ids).logits
    torch.testing.assert_close(read.eval()(input_ids=ids).logits, expected)


def test_weights_that_gemma_3n_clips_in_training_are_not_offered() -> None:
    config = transformers.Gemma3nTextConfig(
        **SMALL, num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_kv_shared_layers=0,
        intermediate_size=[64, 64], activation_sparsity_pattern=[0.0, 0.0], laurel_rank=4,
        layer_types=["sliding_attention", "full_attention"], vocab_size_per_layer_input=100,
        hidden_size_per_layer_input=8,
    )  # fmt: skip
    network: Any = transformers.Gemma3nForCausalLM(config)
    names = linear_layers(network)
    assert "model.layers.0.altup.prediction_coefs" in names
    assert "model.layers.0.altup.correction_coefs" not in names
    adapted = with_adapter(network, LORA).train()
    ids = torch.tensor([[5, 6, 7, 8]])
    adapted(input_ids=ids, labels=ids).loss.backward()
    assert len(adapters(adapted)) == len(names)
    assert all(adapters(adapted).values())


def test_adapters_in_reversible_layers_learn() -> None:
    config = transformers.ReformerConfig(
        hidden_size=32, vocab_size=100, attn_layers=["local", "local"], is_decoder=True,
        attention_head_size=8, num_attention_heads=4, feed_forward_size=64, axial_pos_embds=False,
        local_attn_chunk_length=4, max_position_embeddings=64,
    )  # fmt: skip
    network: Any = transformers.ReformerModelWithLMHead(config)
    adapted = with_adapter(network, LORA).train()
    ids = torch.tensor([[5, 6, 7, 8]])
    adapted(input_ids=ids, labels=ids).loss.backward()
    assert adapters(adapted)
    assert all(adapters(adapted).values())
