"""The loss over a vocabulary in chunks: the same values with less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from engine.adapters.lora import with_adapter
from engine.config.adapter import AdapterConfig
from engine.models.language import token_losses
from engine.models.language.last_layer import body_and_head
from engine.models.language.linear_cross_entropy import has_gradient_here
from engine.models.language.token_losses import (
    label_losses,
    measured_sums,
    summed_loss,
    summed_sequence_loss,
    token_sums,
)

IGNORED = -100
SIZES = {"vocab_size": 501, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 2}  # fmt: skip
DOING_MORE = {
    "transforms states": transformers.BertConfig(
        **SIZES, is_decoder=True
    ),
    "calls its last layer a decoder": transformers.ModernBertDecoderConfig(
        **SIZES, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2
    ),
    "caps logits": transformers.RecurrentGemmaConfig(
        **SIZES | {"num_hidden_layers": 3}, lru_width=16, head_dim=8
    ),
    "caps logits and says so": transformers.Gemma2Config(
        **SIZES, num_key_value_heads=2, head_dim=8, final_logit_softcapping=2.0
    ),
    "divides logits": transformers.GraniteConfig(**SIZES, logits_scaling=4.0),
    "multiplies logits": transformers.FalconH1Config(
        **SIZES, lm_head_multiplier=0.25, mamba_d_ssm=32, mamba_n_heads=4, mamba_d_head=8,
        mamba_d_state=8, num_key_value_heads=2, head_dim=8,
    ),
}  # fmt: skip
"""Configurations of decoders in which more than the last layer makes the logits."""


def llama() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        vocab_size=501,
    )  # fmt: skip
    return transformers.AutoModelForCausalLM.from_config(config)


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=501)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def adapted() -> nn.Module:
    return with_adapter(llama(), AdapterConfig(method="lora"))


def batch() -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 501, (3, 40), generator=generator)
    labels = torch.randint(0, 501, (3, 40), generator=generator)
    labels[:, ::7] = IGNORED
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, labels


def phi() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.PhiConfig(**SIZES)
    network: Any = transformers.AutoModelForCausalLM.from_config(config).eval()
    nn.init.normal_(network.lm_head.bias)
    return network  # type: ignore[no-any-return]


def by_chunks(network: nn.Module) -> Tensor:
    inputs, labels = batch()
    return summed_loss(network, inputs, labels)


def by_torch(network: nn.Module) -> Tensor:
    inputs, labels = batch()
    logits = network(**inputs).logits.float()
    return nn.functional.cross_entropy(logits.mT, labels, reduction="sum")


def loss_and_gradients(
    network: nn.Module, loss_of: Callable[[nn.Module], Tensor], bfloat16: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        loss = loss_of(network) / 7
    torch.autograd.backward(loss)
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return loss.detach(), gradients


def saved_bytes(loss_of: Callable[[nn.Module], Tensor]) -> int:
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network = llama()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss_of(network)
    return sum(seen.values())


SIZES_OF_CHUNKS = [token_losses.CHUNK_BYTES, 4 * 501 * 16]


@pytest.mark.parametrize("size", SIZES_OF_CHUNKS, ids=["whole", "chunks"])
@pytest.mark.parametrize("make", [llama, gpt2, phi, adapted])
def test_chunks_give_the_loss_and_gradients_of_torch(
    make: Any, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, gradients = loss_and_gradients(make(), by_torch)
    monkeypatch.setattr(token_losses, "CHUNK_BYTES", size)
    loss, in_chunks = loss_and_gradients(make(), by_chunks)
    torch.testing.assert_close(loss, whole)
    assert in_chunks.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(in_chunks[name], gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("make", [llama, gpt2, phi])
@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
def test_chunks_are_as_exact_in_bfloat16_as_torch(
    make: Any, weights: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, exact = loss_and_gradients(make(), by_torch)
    monkeypatch.setattr(token_losses, "CHUNK_BYTES", 4 * 501 * 16)
    mixed = weights is torch.float32
    whole, usual = loss_and_gradients(make().to(weights), by_torch, mixed)
    loss, in_chunks = loss_and_gradients(make().to(weights), by_chunks, mixed)
    torch.testing.assert_close(loss, whole, atol=0, rtol=1e-4)
    assert all(in_chunks[name].dtype is usual[name].dtype is weights for name in exact)
    assert distance(in_chunks, exact) < 1.5 * distance(usual, exact) < 0.01


def distance(gradients: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """Norm of the difference, as a share of that of the exact gradients."""
    whole = torch.cat([part.flatten() for part in exact.values()])
    other = torch.cat([gradients[name].flatten().float() for name in exact])
    return float((other - whole).norm() / whole.norm())


def test_a_layer_that_does_more_than_multiply_leaves_its_gradient_to_torch() -> None:
    states = torch.zeros(1, 16, requires_grad=True)
    head = nn.Linear(16, 501)
    assert has_gradient_here(head, states)
    assert not has_gradient_here(head.half(), states.half())
    with torch.no_grad():
        assert not has_gradient_here(head.float(), states)
    with torch.autocast("cpu", torch.float16):
        assert not has_gradient_here(head, states)
    head.register_forward_hook(lambda _, __, output: output * 2)
    assert not has_gradient_here(head, states)
    network: Any = with_adapter(llama(), AdapterConfig(method="lora", target_modules=["lm_head"]))
    assert not has_gradient_here(network.get_base_model().lm_head, states)


def test_chunks_keep_no_logits_for_the_backward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    most = saved_bytes(by_torch) - 4 * 501 * 3 * 40
    for size in SIZES_OF_CHUNKS:
        monkeypatch.setattr(token_losses, "CHUNK_BYTES", size)
        assert saved_bytes(by_chunks) < most


@pytest.mark.parametrize("make", [llama, gpt2, adapted])
def test_chunks_measure_the_same_without_gradients(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make().eval()
    inputs, labels = batch()
    with torch.no_grad():
        whole = token_sums(network(**inputs).logits, labels)
        monkeypatch.setattr(token_losses, "CHUNK_BYTES", 4 * 501 * 16)
        torch.testing.assert_close(measured_sums(network, inputs, labels), whole, rtol=1e-6, atol=0)
    assert int(whole[2]) == int((labels != IGNORED).sum())


def test_no_logits_are_computed_where_nothing_is_measured() -> None:
    network = llama().eval()
    inputs, labels = batch()
    labels[:, 5:] = IGNORED
    assert body_and_head(network) is not None  # seen once, over a few tokens
    computed = []
    head = network.get_output_embeddings()
    assert isinstance(head, nn.Linear)
    head.register_forward_hook(lambda _, __, output: computed.append(output[..., 0].numel()))
    with torch.no_grad():
        measured_sums(network, inputs, labels)
    assert computed == [3 * 4]


def doing_more(name: str) -> nn.Module:
    torch.manual_seed(0)
    network: Any = transformers.AutoModelForCausalLM.from_config(DOING_MORE[name]).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.5)  # logits beyond the caps
    return network  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", DOING_MORE)
def test_all_that_an_architecture_does_to_its_logits_is_in_the_losses(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = doing_more(name)
    inputs, labels = batch()
    with torch.no_grad():
        logits = network(**inputs).logits
        nats = nn.functional.cross_entropy(logits.mT, labels, reduction="none")
        monkeypatch.setattr(token_losses, "CHUNK_BYTES", 4 * 501 * 16)
        torch.testing.assert_close(measured_sums(network, inputs, labels)[0], nats.sum().double())
        torch.testing.assert_close(summed_loss(network, inputs, labels), nats.sum())
        torch.testing.assert_close(label_losses(network, inputs, labels), nats)


@pytest.mark.parametrize("make", [llama, gpt2, adapted, lambda: llama().bfloat16()])
def test_bodies_that_only_a_last_layer_follows_are_known_and_left_as_they_were(make: Any) -> None:
    network = make()
    assert body_and_head(network) is not None
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())
    assert all(part.grad is None for part in network.parameters())


def t5(tied: bool = True) -> nn.Module:
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=501, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
        tie_word_embeddings=tied,
    )  # fmt: skip
    return transformers.AutoModelForSeq2SeqLM.from_config(config).eval()


def untied_t5() -> nn.Module:
    return t5(tied=False)


def bart() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.BartConfig(
        vocab_size=501, d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32,
        decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2,
    )  # fmt: skip
    network = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    network.final_logits_bias.normal_()
    return network


def capped_t5() -> nn.Module:
    torch.manual_seed(0)
    half = {**SIZES, "num_key_value_heads": 2, "head_dim": 8, "final_logit_softcapping": 2.0}
    config = transformers.T5GemmaConfig(encoder=half, decoder=half, vocab_size=501)
    network = transformers.AutoModelForSeq2SeqLM.from_config(config).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return network


def adapted_t5() -> nn.Module:
    return with_adapter(t5(), AdapterConfig(method="lora")).eval()


def sequence_loss(network: nn.Module) -> Tensor:
    inputs, labels = batch()
    inputs |= {"decoder_input_ids": inputs["input_ids"].flip(1)}
    return summed_sequence_loss(network, inputs, labels, smoothing=0.1)


@pytest.mark.parametrize("make", [t5, untied_t5, bart, adapted_t5, capped_t5])
def test_chunks_of_a_network_with_an_encoder_give_the_same(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, gradients = [], []
    for size in (token_losses.CHUNK_BYTES, 4 * 501 * 16):
        monkeypatch.setattr(token_losses, "CHUNK_BYTES", size)
        network = make()
        loss = sequence_loss(network)
        torch.autograd.backward(loss)
        with torch.inference_mode():
            torch.testing.assert_close(sequence_loss(network), loss.detach())
        losses.append(loss.detach())
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    torch.testing.assert_close(losses[1], losses[0])
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-4)


def test_logits_of_a_network_with_an_encoder_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_losses, "CHUNK_BYTES", 4 * 501 * 16)
    widest = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal widest
        if tensor.shape[-1:] == (501,):
            widest = max(widest, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        sequence_loss(t5())
    assert widest == 0


def test_chunks_that_stay_in_the_cache_measure_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, (inputs, labels) = llama(), batch()
    with torch.no_grad():
        whole = measured_sums(network, inputs, labels)
        monkeypatch.setattr(token_losses, "_CACHED_BYTES", 1)
        monkeypatch.setattr(token_losses, "_LEAST_ROWS", 7)
        rows: list[int] = []
        usual = token_losses.token_sums
        monkeypatch.setattr(
            token_losses,
            "token_sums",
            lambda logits, some: rows.append(len(some)) or usual(logits, some),
        )
        parts = measured_sums(network, inputs, labels)
    assert torch.allclose(whole, parts)
    assert max(rows) == 7
