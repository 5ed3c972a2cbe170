"""Weights written tensor by tensor, in one file or several, are those that transformers loads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from engine.models.weights.weightless import INDEX, WEIGHTS, weights_in_file
from engine.training.checkpoints.weight_files import files_of, write_files


def llama(tied: bool) -> transformers.LlamaForCausalLM:
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=3,
            num_attention_heads=4, tie_word_embeddings=tied,
        )
    )  # fmt: skip


def written(network: transformers.LlamaForCausalLM, folder: Path, largest: int) -> list[str]:
    """Write a network over what transformers wrote of it, with other weights."""
    other = transformers.LlamaForCausalLM(network.config)
    other.save_pretrained(folder)
    stored = weights_in_file(folder / WEIGHTS)
    files = files_of(stored, folder / WEIGHTS, largest)
    (folder / WEIGHTS).unlink()
    weights = network.state_dict()
    write_files(files, lambda name: weights[name])
    return sorted(path.name for path in folder.glob("*.safetensors"))


@pytest.mark.parametrize("tied", [True, False])
def test_weights_in_several_files_have_the_index_that_transformers_writes(
    tmp_path: Path, tied: bool
) -> None:
    network = llama(tied)
    names = written(network, tmp_path / "ours", 7_000)
    assert names[0] == f"model-00001-of-{len(names):05}.safetensors"
    network.save_pretrained(tmp_path / "theirs", max_shard_size=7_000)
    ours, theirs = (json.loads((tmp_path / who / INDEX).read_text()) for who in ("ours", "theirs"))
    assert ours["metadata"] == theirs["metadata"]
    assert ours["weight_map"].keys() == theirs["weight_map"].keys()
    assert set(ours["weight_map"].values()) == set(names)
    assert all((tmp_path / "ours" / name).stat().st_size < 9_000 for name in names)
    loaded = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "ours")
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_weights_that_one_file_has_room_for_have_no_index(tmp_path: Path) -> None:
    network = llama(tied=True)
    assert written(network, tmp_path, 1_000_000) == [WEIGHTS]
    assert not (tmp_path / INDEX).exists()
    loaded = transformers.LlamaForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_weights_of_a_network_of_this_program_stay_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "network.safetensors"
    assert list(files_of({}, file, 1)) == [file]
