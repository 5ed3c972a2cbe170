"""Layers that a network's output does not depend on are found, and the network stays as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification, BertModel, T5Config
from transformers import T5ForConditionalGeneration as T5

from engine.adapters.reach import example_inputs, unreached


class Branches(nn.Module):
    """A network for images with layers that do and do not matter."""

    image_shape = (3, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(48, 5)
        self.thrown_away = nn.Linear(5, 5)
        self.never_called = nn.Linear(5, 5)
        self.only_read = nn.Linear(5, 5)
        self.last = nn.Linear(5, 2)
        self.dropout = nn.Dropout(0.5)  # in training, it draws random numbers

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.used(images.flatten(1))
        self.thrown_away(hidden)
        hidden = F.linear(hidden, self.only_read.weight)
        last: Tensor = self.last(self.dropout(hidden))
        return last


def linear(network: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in network.named_modules() if isinstance(part, nn.Linear)}


def missed(network: nn.Module) -> set[str]:
    return set(unreached(network, linear(network)))


def test_layers_without_a_part_in_the_output_are_found() -> None:
    network = Branches()
    assert missed(network) == {"thrown_away", "never_called", "only_read"}


@pytest.mark.parametrize("frozen", [True, False])
def test_the_network_is_as_before(frozen: bool) -> None:
    network = Branches()
    network.used.requires_grad_(not frozen)
    network.used.eval()
    state, random = torch.cat([p.flatten() for p in network.parameters()]), torch.get_rng_state()
    missed(network)
    assert torch.cat([p.flatten() for p in network.parameters()]).equal(state)
    assert torch.get_rng_state().equal(random)
    modes = [network.training, network.used.training, network.dropout.training]
    assert modes == [True, False, True]
    assert network.used.weight.requires_grad is not frozen
    assert network.last.weight.requires_grad
    assert all(weight.grad is None for weight in network.parameters())
    assert not any(part._forward_hooks for part in network.modules())


SMALL = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
    max_position_embeddings=16,
)  # fmt: skip


def test_the_pooler_of_bert_matters_to_classes_and_not_to_hidden_states() -> None:
    assert missed(BertForSequenceClassification(SMALL)) == set()
    assert missed(BertModel(SMALL)) == {"pooler.dense"}


def test_both_sides_of_an_encoder_and_decoder_are_reached() -> None:
    config = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2,
                      decoder_start_token_id=0)  # fmt: skip
    network = T5(config)
    assert set(example_inputs(network) or ()) == {"input_ids", "decoder_input_ids"}
    assert missed(network) == set()


def test_nothing_is_said_of_a_network_that_fails_or_takes_other_inputs() -> None:
    network = Branches()
    network.image_shape = (3, 5, 5)  # type: ignore[misc]
    assert missed(network) == set()
    assert network.training
    assert not any(part._forward_hooks for part in network.modules())
    assert example_inputs(nn.Linear(2, 2)) is None
    assert missed(nn.Sequential(nn.Linear(2, 2))) == set()
