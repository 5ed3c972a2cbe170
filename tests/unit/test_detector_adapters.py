"""Adapters on detectors whose box heads are tied by an option for words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers

from engine.adapters.lora import merged, with_adapter
from engine.artifacts.model_card import UNTIED
from engine.config.adapter import AdapterConfig

SIZES = {
    "d_model": 32, "encoder_hidden_dim": 32, "encoder_in_channels": [32] * 3,
    "decoder_in_channels": [32] * 3, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "num_queries": 10,
}  # fmt: skip
BACKBONE = {
    "embedding_size": 8, "hidden_sizes": [8, 32, 32, 32], "depths": [1] * 4, "layer_type": "basic",
    "out_features": ["stage2", "stage3", "stage4"],
}  # fmt: skip


@pytest.mark.parametrize("name", ["RTDetrV2", "DFine"])
def test_an_adapter_leaves_the_box_heads_as_they_are_loads_and_merges(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    library: Any = transformers
    backbone = library.RTDetrResNetConfig(**BACKBONE)
    config = getattr(library, f"{name}Config")(**SIZES, backbone_config=backbone)
    network = getattr(library, f"{name}ForObjectDetection")(config).eval()
    heads = (
        next(network.bbox_embed.parameters()),
        next(network.model.decoder.bbox_embed.parameters()),
    )
    network.save_pretrained(tmp_path / "base")
    flag = getattr(config, "tie_word_embeddings", None)
    adapter = AdapterConfig(method="lora", r=2, target_modules=["q_proj", "v_proj"])
    adapted = with_adapter(network, adapter)
    assert getattr(network.config, "tie_word_embeddings", None) == flag
    now = next(network.bbox_embed.parameters()), next(network.model.decoder.bbox_embed.parameters())
    assert [one is other for one, other in zip(heads, now, strict=True)] == [True, True]
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = adapted(pixel_values=images).logits
        for key, value in adapted.named_parameters():
            if "lora_B" in key:
                value.normal_()
        after = adapted.eval()(pixel_values=images).logits
        adapted.save_pretrained(tmp_path / "adapter")
        base = type(network).from_pretrained(tmp_path / "base")
        exec(UNTIED, {"base": base})  # as the model card has it
        alone = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
        torch.testing.assert_close(alone(pixel_values=images).logits, after, atol=1e-5, rtol=1e-5)
        whole = merged(adapted).eval()(pixel_values=images).logits
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(whole, after, atol=1e-5, rtol=1e-5)
