"""Models that do something in a way of their own: they train like all others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import transformers

from engine import RunConfig, train
from engine.adapters.layers import adaptable
from engine.artifacts.model_folder import load_exported
from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.models.torchvision import TorchvisionConfig
from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.models.images.torchvision import build_torchvision
from engine.models.images.transformer import build_image_transformer, patches_of
from engine.models.language.text_tokenizer import load_tokenizer, longest_input
from engine.models.language.transformer import build_transformer
from engine.models.shapes import ImageShape, TextShape
from engine.runs.directory import RunDirectory
from engine.text import transformers_private
from engine.text.generation.continuation import Sampling, continued
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.training.model_errors import model_errors

WORDS = "Ann saw the film in Rome and it was superb but long , said Ben of Acme Works ."
SMALL: dict[str, Any] = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32,
                         "intermediate_size": 64}  # fmt: skip


def saved(folder: Path, network: Any) -> Path:
    network.save_pretrained(folder)
    wordpiece_from(train_wordpiece([WORDS], 200, lowercase=False)).save_pretrained(folder)
    return folder


def encoder(folder: Path) -> Path:
    config = transformers.BertConfig(vocab_size=200, max_position_embeddings=64, **SMALL)
    return saved(folder, transformers.BertForMaskedLM(config))


def test_a_network_without_a_bound_takes_in_what_its_tokenizer_does(tmp_path: Path) -> None:
    config = transformers.XLNetConfig(
        vocab_size=200, d_model=32, n_layer=1, n_head=2, d_inner=64, d_head=16
    )
    saved(tmp_path, transformers.XLNetLMHeadModel(config))
    assert transformers.AutoConfig.from_pretrained(tmp_path).max_position_embeddings == -1
    model = TransformerConfig(path=str(tmp_path))
    tokenizer = load_tokenizer(model)
    tokenizer.model_max_length = 300
    assert longest_input(model, tokenizer) == 300
    tokenizer.model_max_length = int(1e30)
    assert longest_input(model, tokenizer) == 1_000_000


def test_an_embedding_of_another_kind_is_left_as_it_is(tmp_path: Path) -> None:
    config = transformers.CanineConfig(
        num_hash_functions=2, num_hash_buckets=50, max_position_embeddings=64, **SMALL
    )
    saved(tmp_path, transformers.CanineModel(config))
    shape = TextShape("token_classification", 200, 64, pad_token_id=0, labels=("a", "b"))
    network: Any = build_transformer(TransformerConfig(path=str(tmp_path)), shape)
    assert type(network).__name__ == "CanineForTokenClassification"
    assert not hasattr(network, "added_tokens")


def test_an_embedding_that_cannot_grow_refuses_more_tokens(tmp_path: Path) -> None:
    config = transformers.IBertConfig(vocab_size=200, max_position_embeddings=64, **SMALL)
    saved(tmp_path, transformers.IBertForMaskedLM(config))
    shape = TextShape("token_classification", 201, 64, pad_token_id=0, labels=("a", "b"))
    with pytest.raises(TrainingError, match=r"201 tokens, the network takes in 200, .* ibert"):
        build_transformer(TransformerConfig(path=str(tmp_path)), shape)


@pytest.mark.parametrize("form", ["text", "pairs"])
def test_an_encoder_ends_its_texts_with_the_token_that_separates_them(
    form: str, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    row = {"text": WORDS} if form == "text" else {"prompt": WORDS[:20], "completion": WORDS[20:]}
    rows.write_text("".join(json.dumps(row) + "\n" for _ in range(20)))
    values = {
        "task": {"kind": "causal_lm", "max_length": 16, "max_new_tokens": 4, "too_long": "cut"},
        "data": {"kind": "file", "path": str(rows)},
        "model": {"kind": "transformer", "path": str(encoder(tmp_path / "bert"))},
        "train": {"max_steps": 2, "epochs": 1}, "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    run = train(RunConfig.parse(values))
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.model)
    assert tokenizer.eos_token == "[SEP]"


def test_a_network_with_a_number_of_labels_of_its_own_gets_a_head_for_the_classes(
    tmp_path: Path,
) -> None:
    config = transformers.PvtConfig(
        image_size=32, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1],
    )  # fmt: skip
    transformers.PvtForImageClassification(config).save_pretrained(tmp_path)
    network = build_image_transformer(
        ImageTransformerConfig(path=str(tmp_path)), ImageShape(3, 32, 3)
    )
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_patches_are_those_of_the_image_processor() -> None:
    images = torch.rand(2, 3, 32, 32)
    processor = transformers.Siglip2ImageProcessor(
        patch_size=8, max_num_patches=16, do_resize=False, do_rescale=False, do_normalize=False
    )
    expected = processor(list(images), return_tensors="pt", input_data_format="channels_first")
    ours = patches_of(images, 8)
    torch.testing.assert_close(ours["pixel_values"], expected["pixel_values"])
    assert torch.equal(ours["spatial_shapes"], expected["spatial_shapes"].long())
    assert torch.equal(ours["pixel_attention_mask"], expected["pixel_attention_mask"].long())


def test_a_network_that_takes_patches_classifies_images(tmp_path: Path) -> None:
    vision = transformers.Siglip2VisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        patch_size=8, num_patches=16,
    )  # fmt: skip
    text = transformers.Siglip2TextConfig(vocab_size=100, **SMALL)
    config = transformers.Siglip2Config(vision_config=vision, text_config=text)
    transformers.Siglip2ForImageClassification(config).save_pretrained(tmp_path)
    model = ImageTransformerConfig(path=str(tmp_path))
    network: Any = build_image_transformer(model, ImageShape(3, 32, 3))
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
    names = adaptable(network.network)
    assert "vision_model.encoder.layers.0.self_attn.q_proj" in names
    assert not [name for name in names if name.startswith("vision_model.head.")]
    with pytest.raises(TrainingError, match="patches of 8 px do not divide images of 30 px"):
        build_image_transformer(model, ImageShape(3, 30, 3))


def test_a_network_that_asks_for_the_version_of_its_weights_is_trained_and_loaded() -> None:
    values = {
        "task": {"kind": "image_classification", "image_size": 32},
        "data": {"kind": "builtin", "name": "digits", "max_samples": 24},
        "model": {"kind": "torchvision", "name": "mnasnet0_5", "pretrained": False},
        "train": {"max_steps": 2, "epochs": 1}, "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    run = train(RunConfig.parse(values))
    network = load_exported(run.model, torch.device("cpu"))[2]
    assert network(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


def test_a_network_that_computes_its_widths_with_tensors_is_built_without_weights() -> None:
    config = TorchvisionConfig(name="regnet_x_400mf", pretrained=False)
    with torch.device("meta"):
        network = build_torchvision(config, ImageShape(3, 32, 2))
    expected = torchvision.models.regnet_x_400mf(num_classes=2)
    assert {part.device.type for part in (*network.parameters(), *network.buffers())} == {"meta"}
    assert sum(part.numel() for part in network.parameters()) == sum(
        part.numel() for part in expected.parameters()
    )


def test_a_network_that_needs_more_than_a_text_is_refused_with_its_own_reason(
    tmp_path: Path,
) -> None:
    config = transformers.LxmertConfig(
        vocab_size=200, hidden_size=32, num_attention_heads=2, intermediate_size=64, l_layers=1,
        x_layers=1, r_layers=1, max_position_embeddings=64,
    )  # fmt: skip
    rows = tmp_path / "rows.jsonl"
    answers = {"text": ["Rome"], "answer_start": [WORDS.index("Rome")]}
    row = {"context": WORDS, "question": "Where ?", "answers": answers}
    rows.write_text("".join(json.dumps(row | {"context": f"{WORDS} {n}"}) + "\n" for n in range(9)))
    folder = saved(tmp_path / "lxmert", transformers.LxmertForPreTraining(config))
    values = {
        "task": {"kind": "question_answering"},
        "data": {"kind": "file", "path": str(rows), "test_fraction": 0},
        "model": {"kind": "transformer", "path": str(folder)},
        "train": {"epochs": 1}, "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    with pytest.raises(TrainingError, match=r"models\.lxmert.*visual_feats. cannot be .None"):
        train(RunConfig.parse(values))


def test_a_decoder_that_is_listed_with_encoder_decoders_is_refused(tmp_path: Path) -> None:
    transformers.GraniteSpeechConfig().save_pretrained(tmp_path)
    shape = TextShape("seq2seq_lm", 200, 64, pad_token_id=0)
    with pytest.raises(TrainingError, match=r"granite_speech networks .* not made for seq2seq"):
        build_transformer(TransformerConfig(path=str(tmp_path)), shape)


def test_logits_that_a_network_calls_its_last_hidden_state_are_those_of_the_classes(
    tmp_path: Path,
) -> None:
    config = transformers.PPLCNetConfig(class_expand=16, scale=0.25)
    transformers.PPLCNetForImageClassification(config).save_pretrained(tmp_path)
    network: Any = build_image_transformer(
        ImageTransformerConfig(path=str(tmp_path)), ImageShape(3, 32, 5)
    ).eval()
    images = torch.rand(2, 3, 32, 32)
    expected = network.network.encoder(images).last_hidden_state
    expected = network.network.last_convolution(expected.mean((2, 3), keepdim=True))
    expected = network.network.act_fn(expected).flatten(1) * (1 - config.hidden_dropout_prob)
    torch.testing.assert_close(network(images), network.network.head(expected))
    assert network(images).shape == (2, 5)


def test_a_part_of_the_body_that_each_task_has_another_one_of_is_new(tmp_path: Path) -> None:
    config = transformers.PerceiverConfig(
        vocab_size=200, d_model=32, d_latents=32, num_latents=4, num_self_attends_per_block=1,
        num_self_attention_heads=4, num_cross_attention_heads=4, max_position_embeddings=64,
        qk_channels=32, v_channels=32,
    )  # fmt: skip
    base = transformers.PerceiverForMaskedLM(config)
    saved(tmp_path, base)
    shape = TextShape("sequence_classification", 200, 64, pad_token_id=0, labels=("a", "b"))
    network: Any = build_transformer(TransformerConfig(path=str(tmp_path)), shape)
    assert network.new_weights
    assert all(name.startswith("perceiver.decoder.") for name in network.new_weights)
    found = network.state_dict().keys() - set(network.new_weights)
    assert all(torch.equal(network.state_dict()[n], base.state_dict()[n]) for n in found)
    assert any(name.startswith("perceiver.encoder.") for name in found)


def raised(step: int, error: Exception) -> type[Exception]:
    """The kind of error that leaves a pass after ``step`` updates, with ``error`` inside BERT."""
    network = transformers.BertModel(transformers.BertConfig(vocab_size=20, **SMALL))

    def fail(*_: Any) -> None:
        raise error

    network.embeddings.register_forward_pre_hook(fail)
    with pytest.raises((type(error), TrainingError)) as caught, model_errors(step):
        network(torch.zeros(1, 4, dtype=torch.int64))
    return caught.type


def test_errors_inside_a_network_are_explained_before_the_first_update_alone() -> None:
    assert raised(0, ValueError("no boxes")) is TrainingError
    assert raised(1, ValueError("no boxes")) is ValueError
    assert raised(0, torch.OutOfMemoryError("CUDA out of memory")) is torch.OutOfMemoryError
    told = "cumsum_cuda_kernel does not have a deterministic implementation"
    assert raised(0, RuntimeError(told)) is RuntimeError


def test_errors_outside_a_network_are_left_as_they_are() -> None:
    with pytest.raises(ValueError, match="of the loss"), model_errors():
        raise ValueError("of the loss")


def test_errors_inside_a_network_are_explained_when_it_is_measured_before_the_first_update(
    tmp_path: Path,
) -> None:
    network = transformers.WhisperForCausalLM(
        transformers.WhisperConfig(
            vocab_size=200, d_model=16, encoder_layers=1, decoder_layers=1, pad_token_id=0,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
            decoder_ffn_dim=16, num_mel_bins=8, max_source_positions=16,
        )
    )  # fmt: skip
    saved(tmp_path, network)
    rows = [{"anchor": f"a {number}", "positive": f"b {number}"} for number in range(12)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    config = RunConfig.parse({
        "task": {"kind": "embedding"}, "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "path": str(tmp_path)},
        "train": {"max_steps": 1}, "compute": {"device": "cpu"},
    })  # fmt: skip
    with pytest.raises(TrainingError, match=r"\(transformers.models.whisper\) fails on the inputs"):
        train(config, RunDirectory.create(runs_folder(), config))


def test_a_configuration_that_transformers_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    config = json.loads((encoder(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": "big"}))
    with pytest.raises(TrainingError, match=r"cannot be loaded: .*hidden_size.*big"):
        load_tokenizer(TransformerConfig(path=str(tmp_path)))


def without_cache() -> Any:
    """BLT, of several parts, whose configuration has no number of layers."""
    part: dict[str, Any] = {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "num_key_value_heads": 4, "intermediate_size": 64, "vocab_size": 99,
    }  # fmt: skip
    inner = {**part, "hidden_size_global": 64}
    config = transformers.BltConfig(
        vocab_size=99, encoder_config=inner, decoder_config=inner, patcher_config=part,
        global_config={**part, "hidden_size": 64}, encoder_hash_byte_group_vocab=50,
        hidden_size_global=64,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.BltForCausalLM(config).eval()


def test_parts_that_have_no_gradient_are_not_adapted_where_there_is_no_cache() -> None:
    names = adaptable(without_cache())
    assert any(name.startswith("model.local_decoder.") for name in names)
    assert not [name for name in names if name.startswith("model.patcher.")]


def test_a_network_for_which_there_is_no_cache_continues_texts_without_one() -> None:
    network = without_cache()
    tokenizer = wordpiece_from(train_wordpiece([WORDS], 99, lowercase=False))
    prompt = tokenizer(WORDS[:20])["input_ids"]
    [text] = continued(network, tokenizer, [prompt], Sampling(2, temperature=0, top_p=1), 64)
    ids = list(prompt)
    for _ in range(2):
        ids.append(
            int(network(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
        )
    assert text == tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True)


def test_private_names_of_transformers_mean_what_we_take_them_for() -> None:
    config = transformers.LlamaConfig(attn_implementation="eager")
    assert transformers_private.attention_name(config) == "eager"
    assert transformers_private.is_stateful(transformers.MambaForCausalLM)
    assert not transformers_private.is_stateful(transformers.LlamaForCausalLM)
    assert transformers_private.switches_vocabulary(transformers.MarianTokenizer)
    assert not transformers_private.switches_vocabulary(transformers.BertTokenizer)
