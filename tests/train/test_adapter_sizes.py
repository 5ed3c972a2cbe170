"""The trainable share of common networks with an adapter, in full size, without weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from engine.adapters.lora import with_adapter
from engine.config.adapter import AdapterConfig
from engine.config.models.registry import MODELS
from engine.models.build import build_model
from engine.models.shapes import ImageShape


def classifier(config: Any) -> nn.Module:
    return transformers.AutoModelForSequenceClassification.from_config(config)


def language_model(config: Any) -> nn.Module:
    return transformers.AutoModelForCausalLM.from_config(config)


def bert_base() -> nn.Module:
    return classifier(transformers.BertConfig())


def distilbert() -> nn.Module:
    return classifier(transformers.DistilBertConfig())


def gpt2() -> nn.Module:
    return language_model(transformers.GPT2Config())


def llama_1b() -> nn.Module:
    return language_model(
        transformers.LlamaConfig(
            vocab_size=128_256,
            hidden_size=2048,
            intermediate_size=8192,
            num_hidden_layers=16,
            num_attention_heads=32,
            num_key_value_heads=8,
            tie_word_embeddings=True,
        )
    )


def vit_base() -> nn.Module:
    size = {"patch_size": 16, "hidden_size": 768, "num_hidden_layers": 12}
    return image_model("image_transformer", num_attention_heads=12, **size)


def resnet50() -> nn.Module:
    return image_model("torchvision", name="resnet50", pretrained=False)


def image_model(kind: str, **fields: Any) -> nn.Module:
    model = MODELS.parse({"kind": kind} | fields)
    made: nn.Module = build_model(model, ImageShape(channels=3, size=224, outputs=10))
    return made


TRANSFORMERS = {
    bert_base: 109_483_778,
    distilbert: 66_955_010,
    gpt2: 124_439_808,
    llama_1b: 1_235_814_400,
    vit_base: 85_806_346,
}
"""Networks with their published numbers of parameters; classifiers have two or ten classes."""
NETWORKS = TRANSFORMERS | {resnet50: 23_528_522}
HEADS = {
    bert_base: 768 * 2 + 2,
    distilbert: 768 * 768 + 768 + 768 * 2 + 2,
    gpt2: 0,
    llama_1b: 0,
    vit_base: 768 * 10 + 10,
    resnet50: 2048 * 10 + 10,
}
"""Numbers of parameters of the new heads."""

Make = Callable[[], nn.Module]


def sizes(make: Make, **adapter: Any) -> tuple[int, int, int]:
    """Parameters of the base model, trainable parameters, and those of the adapter."""
    with torch.device("meta"):
        network = make()
        base = sum(parameter.numel() for parameter in network.parameters())
        adapted = with_adapter(network, AdapterConfig(method="lora", **adapter))
    trained = {name: p.numel() for name, p in adapted.named_parameters() if p.requires_grad}
    added = sum(count for name, count in trained.items() if ".lora_" in name)
    return base, sum(trained.values()), added


@pytest.mark.parametrize(("make", "parameters"), NETWORKS.items())
def test_the_networks_have_their_real_size(make: Make, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in make().parameters()) == parameters


@pytest.mark.parametrize("make", NETWORKS)
def test_an_adapter_on_all_layers_trains_a_twentieth_at_most(make: Make) -> None:
    base, trained, _ = sizes(make, r=8)
    assert trained <= 0.05 * base


@pytest.mark.parametrize("make", TRANSFORMERS)
def test_an_adapter_on_attention_is_under_a_hundredth_of_its_base(make: Make) -> None:
    base, trained, added = sizes(make, r=8, target_modules=("attention",))
    assert 0 < added < 0.01 * base
    assert trained <= 0.05 * base


@pytest.mark.parametrize(("make", "head"), HEADS.items())
def test_nothing_but_adapter_and_head_is_trained(make: Make, head: int) -> None:
    _, trained, added = sizes(make, r=8)
    assert trained == added + head
