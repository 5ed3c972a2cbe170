"""Adapters on the experts of a mixture, and on the dense layers beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from torch import nn

from engine.adapters.lora import merged, with_adapter
from engine.adapters.targets import target_groups
from engine.config.adapter import AdapterConfig
from engine.errors import TrainingError

RANK = 2
SMALL: dict[str, Any] = {
    "vocab_size": 100, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 4, "num_experts_per_tok": 2,
}  # fmt: skip
IDS = torch.arange(20).reshape(2, 10)


def mixtral() -> Any:
    config = transformers.MixtralConfig(num_local_experts=4, **SMALL)
    return transformers.MixtralForCausalLM(config)


def qwen2_moe() -> Any:
    """Has a shared expert beside the others."""
    config = transformers.Qwen2MoeConfig(
        num_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=24, **SMALL
    )
    return transformers.Qwen2MoeForCausalLM(config)


def deepseek_v3() -> Any:
    """Has a dense layer below those of experts."""
    config = transformers.DeepseekV3Config(
        n_routed_experts=4, moe_intermediate_size=16, first_k_dense_replace=1, n_group=1,
        topk_group=1, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=4, qk_nope_head_dim=8,
        v_head_dim=8, **SMALL,
    )  # fmt: skip
    return transformers.DeepseekV3ForCausalLM(config)


MIXTURES = [mixtral, qwen2_moe, deepseek_v3]


def lora(*targets: str, **more: Any) -> AdapterConfig:
    return AdapterConfig(method="lora", r=RANK, target_modules=targets).model_copy(update=more)


def made(make: Any) -> Any:
    torch.manual_seed(0)
    return make().eval()


def disturbed(network: nn.Module) -> nn.Module:
    """Change the adapters as training would: new ones change no output."""
    for name, parameter in network.named_parameters():
        if "lora_" in name:
            parameter.data += 0.05 * torch.randn(parameter.shape)
    return network.eval()


def logits(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = network(input_ids=IDS).logits
    return result


@pytest.mark.parametrize("make", MIXTURES)
def test_each_group_costs_what_is_trained_and_trains_what_it_names(make: Any) -> None:
    groups = target_groups(made(make))
    assert {"experts.gate_up_proj", "experts.down_proj"} <= {group.name for group in groups}
    for group in groups:
        adapted = with_adapter(made(make), lora(group.name))
        adapters = [
            (name, value.numel()) for name, value in adapted.named_parameters() if "lora_" in name
        ]
        assert sum(size for _, size in adapters) == RANK * group.parameters_per_rank, group.name
        owner = "experts" if group.name.startswith("experts.") else group.name
        assert all(f".{owner}." in name for name, _ in adapters), group.name


def test_experts_show_their_number_and_shape() -> None:
    groups = {group.name: group for group in target_groups(made(mixtral))}
    assert groups["experts.down_proj"].shapes == ("4 × 48→32",)
    assert groups["experts.down_proj"].parameters_per_rank == 2 * 4 * (48 + 32)
    assert groups["experts.down_proj"].preset == ()


def test_dense_layers_that_peft_takes_for_experts_are_not_offered() -> None:
    with pytest.raises(TrainingError, match="gate_proj of this model"):
        with_adapter(made(deepseek_v3), lora("gate_proj"))


@pytest.mark.parametrize("make", MIXTURES)
def test_adapters_on_experts_are_read_by_peft_and_merged(make: Any, tmp_path: Path) -> None:
    targets = ("q_proj", "o_proj", "experts.gate_up_proj", "experts.down_proj")
    present = {group.name for group in target_groups(made(make))}
    adapted: Any = with_adapter(made(make), lora(*(name for name in targets if name in present)))
    expected = logits(disturbed(adapted))
    assert not torch.allclose(expected, logits(made(make)), atol=1e-4)
    adapted.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(made(make), tmp_path).eval()
    torch.testing.assert_close(logits(again), expected)
    torch.testing.assert_close(logits(merged(adapted)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("more", [{"method": "dora"}, {"lora_dropout": 0.1}])
def test_options_without_a_meaning_for_experts_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=f"adapter.{next(iter(more))}.* has none"):
        with_adapter(made(mixtral), lora("experts.down_proj", **more))
