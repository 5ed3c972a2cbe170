"""Adapters: target layers, trainable parameters, and saved files that other libraries load."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import peft
import pyarrow as pa
import pytest
import torch
import torchvision
import transformers
from safetensors.torch import load_file
from torch import nn

from engine.adapters.layers import adaptable
from engine.adapters.lora import merged, peft_model, with_adapter
from engine.adapters.targets import target_groups
from engine.artifacts.model_folder import load_exported
from engine.config.adapter import AdapterConfig
from engine.config.run_config import RunConfig
from engine.errors import TrainingError
from engine.launch.in_process import train
from engine.runs.directory import RunDirectory
from engine.service import export

CPU = torch.device("cpu")
IMAGES = torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32)
SIZES: dict[str, Any] = {"num_hidden_layers": 2, "vocab_size": 120}


def bert() -> nn.Module:
    config = transformers.BertConfig(
        hidden_size=32, intermediate_size=64, num_attention_heads=2, **SIZES
    )
    return transformers.AutoModelForSequenceClassification.from_config(config).eval()


def llama() -> nn.Module:
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=64, num_attention_heads=2, **SIZES
    )
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def gpt2() -> nn.Module:
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=120)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def t5() -> nn.Module:
    config: Any = transformers.T5Config(
        d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, vocab_size=120
    )
    config.decoder_start_token_id = 0
    return transformers.AutoModelForSeq2SeqLM.from_config(config).eval()


def vit() -> nn.Module:
    config = transformers.ViTConfig(
        image_size=32, patch_size=8, hidden_size=32, intermediate_size=64, num_attention_heads=2,
        num_hidden_layers=2,
    )  # fmt: skip
    return transformers.AutoModelForImageClassification.from_config(config).eval()


def resnet() -> nn.Module:
    return torchvision.models.resnet18(num_classes=3).eval()


def output(network: nn.Module) -> torch.Tensor:
    inner = network.get_base_model() if isinstance(network, peft.PeftModel) else network
    with torch.no_grad():
        if isinstance(inner, torchvision.models.ResNet):
            return network(IMAGES)
        if inner.main_input_name == "pixel_values":
            return network(pixel_values=IMAGES).logits
        ids = torch.arange(20).reshape(2, 10)
        more = {"decoder_input_ids": ids} if inner.config.is_encoder_decoder else {}
        return network(input_ids=ids, **more).logits


def disturb(network: nn.Module) -> None:
    """Change the trainable weights as training would: a new adapter changes no output."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)


def test_groups_name_the_layers_of_a_network_with_count_shape_and_cost() -> None:
    groups = {group.name: group for group in target_groups(bert())}
    assert groups["query"].count == 2
    assert groups["query"].shapes == ("32→32",)
    assert groups["query"].parameters_per_rank == 2 * (32 + 32)
    assert "attention" in groups["query"].preset
    assert "classifier" not in groups


def test_layers_of_one_name_in_several_places_are_several_groups() -> None:
    groups = {group.name: group for group in target_groups(bert())}
    assert groups["intermediate.dense"].count == 2
    # Two of them are the output of attention.
    assert groups["output.dense"].count == 4
    assert groups["output.dense"].parts == {"attention": 2}
    assert all(groups[name].named("dense") for name in ("intermediate.dense", "output.dense"))
    assert not groups["query"].named("ery")
    assert {"attn.c_proj", "mlp.c_proj"} <= {group.name for group in target_groups(gpt2())}
    assert "conv1" in {group.name for group in target_groups(resnet())}


@pytest.mark.parametrize("method", ["lora", "rslora", "dora"])
@pytest.mark.parametrize("make", [bert, llama, gpt2, resnet])
def test_groups_cost_what_peft_adds(make: Any, method: str) -> None:
    network = make()
    groups = target_groups(network)
    names = tuple(group.name for group in groups)
    before = sum(p.numel() for p in network.parameters())
    config = AdapterConfig(method=method, r=4, target_modules=names)  # type: ignore[arg-type]
    adapted = with_adapter(network, config)
    added = sum(p.numel() for name, p in adapted.named_parameters() if "lora_" in name)
    magnitudes = sum(group.outputs for group in groups) if method == "dora" else 0
    assert added == 4 * sum(group.parameters_per_rank for group in groups) + magnitudes
    assert added < before


def test_targets_can_be_listed_before_any_weights_exist() -> None:
    with torch.device("meta"):
        network = transformers.AutoModelForCausalLM.from_config(transformers.LlamaConfig())
    assert {"q_proj", "down_proj"} <= {group.name for group in target_groups(network)}


def test_layers_whose_adapter_cannot_be_merged_are_no_targets() -> None:
    network = torchvision.models.mobilenet_v3_small()
    grouped = [n for n, m in network.named_modules() if getattr(m, "groups", 1) > 1]
    assert grouped
    assert not set(grouped) & adaptable(network).keys()


def test_a_target_that_matches_nothing_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(TrainingError, match=r"'qery'.*query"):
        with_adapter(bert(), AdapterConfig(method="lora", target_modules=("qery",)))


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="target_pattern"):
        with_adapter(bert(), AdapterConfig(method="lora", target_pattern="nothing"))


def test_a_pattern_chooses_by_whole_names() -> None:
    config = AdapterConfig(method="lora", target_pattern=r".*layer\.1\..*query")
    adapted = with_adapter(bert(), config)
    names = [name for name, _ in adapted.named_parameters() if "lora_A" in name]
    assert len(names) == 1
    assert "layer.1." in names[0]


def test_pissa_is_refused_for_convolutions() -> None:
    config = AdapterConfig(method="lora", init_lora_weights="pissa")
    with pytest.raises(TrainingError, match="pissa is for linear layers"):
        with_adapter(resnet(), config)


@pytest.mark.parametrize("method", ["lora", "dora", "rslora"])
@pytest.mark.parametrize("make", [bert, llama, gpt2, t5, vit, resnet])
def test_a_fresh_adapter_changes_nothing_and_a_trained_one_merges(make: Any, method: str) -> None:
    network = make()
    before = output(network)
    adapted = with_adapter(network, AdapterConfig(method=method)).eval()  # type: ignore[arg-type]
    torch.testing.assert_close(output(adapted), before, atol=1e-5, rtol=1e-5)
    disturb(adapted)
    trained = output(adapted)
    assert not torch.allclose(trained, before, atol=1e-3)
    torch.testing.assert_close(output(merged(adapted)), trained, atol=1e-4, rtol=1e-4)


def test_the_head_of_a_classifier_is_trained_whole() -> None:
    adapted = with_adapter(bert(), AdapterConfig(method="lora"))
    trained = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert any("classifier" in name and "lora" not in name for name in trained)
    assert not any("embeddings" in name for name in trained)


def wholly_trained(network: nn.Module) -> set[str]:
    """The modules that are trained in full, by their names in the network."""
    names = [name for name, p in network.named_parameters() if p.requires_grad]
    return {
        name.removeprefix("base_model.model.").partition(".modules_to_save.")[0]
        for name in names
        if ".modules_to_save." in name
    }


def test_a_module_to_save_is_the_one_of_that_name_and_none_that_ends_alike() -> None:
    config = AdapterConfig(method="lora", modules_to_save=("norm",))
    network = with_adapter(llama(), config)
    assert wholly_trained(network) == {"model.norm"}


def test_modules_that_peft_cannot_tell_apart_are_saved_together_or_not_at_all() -> None:
    def network() -> nn.Module:
        return nn.Sequential(OrderedDict((n, nn.Linear(4, 4)) for n in ("proj", "n", "in_n")))

    config = AdapterConfig(method="lora", target_modules=("proj",), modules_to_save=("n",))
    with pytest.raises(TrainingError, match=r"modules_to_save: peft takes in_n for n too"):
        with_adapter(network(), config)
    both = config.model_copy(update={"modules_to_save": ("n", "in_n")})
    assert wholly_trained(with_adapter(network(), both)) == {"n", "in_n"}


def test_several_modules_to_save_are_found_by_the_last_parts_of_their_names() -> None:
    config = AdapterConfig(method="lora", modules_to_save=("input_layernorm",))
    layers = {f"model.layers.{number}.input_layernorm" for number in (0, 1)}
    network = with_adapter(llama(), config)
    assert wholly_trained(network) == layers
    assert peft_model(network).peft_config["default"].modules_to_save == ["input_layernorm"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder with its tokenizer, as on the hub."""
    from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

    folder = tmp_path_factory.mktemp("base")
    tokenizer = wordpiece_from(train_wordpiece(["good film bad play fine dull"] * 9, 120, True))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    bert().save_pretrained(folder)
    return folder


def experiment(base: Path, folder: Path, **adapter: Any) -> RunConfig:
    lines = [f"{word} film,{word in ('good', 'fine')}" for word in ("good", "bad", "fine", "dull")]
    path = folder / "films.csv"
    path.write_text("text,label\n" + "\n".join(lines * 12) + "\n")
    return RunConfig.parse(
        {
            "task": {"kind": "text_classification"},
            "data": {"kind": "file", "path": str(path)},
            "model": {"kind": "transformer", "path": str(base)},
            "adapter": {"method": "lora", "r": 4} | adapter,
            "train": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01},
            "compute": {"device": "cpu"},
        }
    )


def predictions(run: RunDirectory) -> list[dict[str, Any]]:
    task, fitted, network = load_exported(run.model, CPU)
    source = task.encode_new(pa.table({"text": ["good film", "bad"]}), fitted, CPU, lambda _: None)
    batch = next(source.read(source.plan(2)))
    with torch.inference_mode():
        return task.predict(network, batch, fitted)


def scores(network: nn.Module, run: RunDirectory) -> list[float]:
    """Probabilities of the sentences of :func:`predictions`, without our code."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.model)
    inputs = tokenizer(["good film", "bad"], return_tensors="pt", padding=True)
    with torch.no_grad():
        said: list[float] = network.eval()(**inputs).logits.softmax(1)[:, 1].tolist()
    return said


@pytest.mark.parametrize("changes", [{}, {"method": "dora"}, {"init_lora_weights": "pissa"}])
def test_a_saved_adapter_says_the_same_through_peft(
    base: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run = train(experiment(base, tmp_path, **changes))
    assert (run.model / "adapter_model.safetensors").is_file()
    assert not (run.model / "model.safetensors").exists()
    ours = [record["scores"]["True"] for record in predictions(run)]
    plain = transformers.AutoModelForSequenceClassification.from_pretrained(base)
    theirs = peft.PeftModel.from_pretrained(plain, run.model)
    assert scores(theirs, run) == pytest.approx(ours, abs=1e-4)


# No version of transformers up to 5.24 loads DoRA's magnitudes by itself.
@pytest.mark.usefixtures("transformers_alone")
@pytest.mark.parametrize("changes", [{}, {"init_lora_weights": "pissa"}])
def test_a_saved_adapter_says_the_same_through_transformers_alone(
    base: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run = train(experiment(base, tmp_path, **changes))
    ours = [record["scores"]["True"] for record in predictions(run)]
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(run.model)
    assert scores(theirs, run) == pytest.approx(ours, abs=1e-4)


def test_layers_that_the_weights_of_the_base_lack_are_saved_with_the_adapter(
    base: Path, tmp_path: Path
) -> None:
    config = transformers.AutoConfig.from_pretrained(base)
    language_model = tmp_path / "language-model"
    transformers.BertForMaskedLM(config).save_pretrained(language_model)
    transformers.AutoTokenizer.from_pretrained(base).save_pretrained(language_model)
    run = train(experiment(language_model, tmp_path))
    once, again = ([record["scores"]["True"] for record in predictions(run)] for _ in range(2))
    assert once == pytest.approx(again, abs=1e-6)
    assert any("pooler" in name for name in load_file(run.model / "adapter_model.safetensors"))


def test_an_adapter_exports_merged_and_agrees(base: Path, tmp_path: Path) -> None:
    run = train(experiment(base, tmp_path))
    answer = export.answer(run.id, str(tmp_path / "merged"), "merged")
    assert answer["difference"] <= 1e-4
    auto = transformers.AutoModelForSequenceClassification
    alone = auto.from_pretrained(tmp_path / "merged")
    assert not any("lora" in name for name, _ in alone.named_parameters())


def test_checkpoints_hold_adapter_and_head_only(base: Path, tmp_path: Path) -> None:
    run = train(experiment(base, tmp_path))
    newest = max(run.checkpoints.iterdir())
    saved = torch.load(newest / "state.pt", weights_only=True)
    names = list(saved["network"])
    assert any("lora_A" in name for name in names)
    assert not any("query.base_layer.weight" in name for name in names)


def test_a_run_with_an_adapter_can_be_the_start_of_another(base: Path, tmp_path: Path) -> None:
    first = train(experiment(base, tmp_path))
    second = train(experiment(first.path, tmp_path, method="none"))
    assert (second.model / "model.safetensors").is_file()


def test_without_a_base_to_return_to_the_merged_network_is_saved(tmp_path: Path) -> None:
    config = RunConfig.parse(
        {
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits", "max_samples": 64},
            "model": {"kind": "cnn", "channels": [8]},
            "adapter": {"method": "lora"},
            "train": {"epochs": 1},
            "compute": {"device": "cpu"},
        }
    )
    run = train(config)
    _, _, network = load_exported(run.model, CPU)
    assert not isinstance(network, peft.PeftModel)
    assert not any("lora" in name for name, _ in network.named_parameters())
