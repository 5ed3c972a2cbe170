"""Networks for images: new ones, pre-trained ones, and frozen parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
import transformers
from torch import Tensor, nn
from torchvision import models

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.config.models.registry import MODELS
from engine.errors import ConfigError, TrainingError
from engine.models.build import build_model
from engine.models.images.preprocessing import preprocessing_of
from engine.models.images.transfer import find_head, last_stage
from engine.models.shapes import ImageShape
from engine.training.optimization.optimizer import trainable_groups

DIGITS = ImageShape(channels=1, size=8, outputs=10)
COLOUR = ImageShape(channels=3, size=64, outputs=3, labels=("ant", "bee", "cat"))


def built(kind: str, shape: ImageShape = COLOUR, **fields: Any) -> Any:
    torch.manual_seed(0)
    return build_model(MODELS.parse({"kind": kind} | fields), shape)


def logits(network: nn.Module, shape: ImageShape) -> Tensor:
    images = torch.rand(2, shape.channels, shape.size, shape.size)
    with torch.inference_mode():
        result: Tensor = network.eval()(images)
    return result


@pytest.mark.parametrize(
    "name",
    ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1", "densenet121",
     "convnext_tiny", "shufflenet_v2_x0_5", "googlenet"],
)  # fmt: skip
def test_networks_of_torchvision_take_in_small_grey_images(name: str) -> None:
    shape = ImageShape(channels=1, size=32, outputs=5)
    assert logits(built("torchvision", shape, name=name), shape).shape == (2, 5)


def test_a_small_stem_keeps_the_resolution_of_small_images() -> None:
    small, large = (built("torchvision", ImageShape(3, size, 2)).network for size in (32, 224))
    assert (small.conv1.kernel_size, small.conv1.stride) == ((3, 3), (1, 1))
    assert isinstance(small.maxpool, nn.Identity)
    assert (large.conv1.kernel_size, large.conv1.stride) == ((7, 7), (2, 2))
    assert isinstance(large.maxpool, nn.MaxPool2d)
    assert isinstance(built("torchvision", small_stem="no").network.maxpool, nn.MaxPool2d)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(TrainingError, match=r"no 'resnet81'\. Did you mean resnet18"):
        built("torchvision", name="resnet81")


def test_an_image_that_is_too_small_says_so() -> None:
    with pytest.raises(
        TrainingError, match=r"(?s)inception_v3 cannot take images of 8 px.*image_size"
    ):
        built("torchvision", ImageShape(3, 8, 2), name="inception_v3")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Weights for ResNet-18 in torch's download folder, in the same format."""
    torch.manual_seed(1)
    state: dict[str, Tensor] = models.resnet18().state_dict()
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(state, folder / models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return state


def test_weights_of_imagenet_are_taken_except_those_of_the_head(
    weights: dict[str, Tensor],
) -> None:
    network = built("torchvision", pretrained=True).network
    for name, value in network.state_dict().items():
        if not name.startswith("fc."):
            assert torch.equal(value, weights[name]), name
    assert network.fc.out_features == 3


def test_weights_of_imagenet_bring_size_mean_and_deviation() -> None:
    wanted = preprocessing_of(MODELS.parse({"kind": "torchvision", "pretrained": True}))
    assert (wanted.size, wanted.mean[0], wanted.std[2]) == (224, 0.485, 0.225)
    assert preprocessing_of(MODELS.parse({"kind": "torchvision"})) is None


@pytest.mark.parametrize("damage", ["absent", "cut off"])
def test_weights_that_cannot_be_had_say_what_to_do(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    if damage == "cut off":
        (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
        place = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
        place.write_bytes(b"PK not all of it")
    with pytest.raises(TrainingError, match=r"weights of resnet18 .*model\.pretrained to false"):
        built("torchvision", pretrained=True)


def test_a_model_that_was_exported_asks_for_no_download(tmp_path: Path) -> None:
    config: Any = MODELS.parse({"kind": "torchvision", "pretrained": True, "trainable": "head"})
    kept = config.exported(tmp_path)
    assert (kept.pretrained, kept.small_stem) == (False, "no")


@pytest.mark.parametrize(
    ("name", "head", "stage"),
    [
        ("resnet18", "fc", {"layer4"}),
        ("mobilenet_v3_small", "classifier.3", {"classifier.0"}),
        ("efficientnet_b0", "classifier.1", {"features.8", "features.7"}),
        ("squeezenet1_1", "classifier.1", {"features.12"}),
    ],
)
def test_head_and_last_stage_are_found(name: str, head: str, stage: set[str]) -> None:
    with torch.device("meta"):
        network = models.get_model(name)
    assert find_head(network)[0] == head
    assert set(last_stage(network, head)) == stage


@pytest.mark.parametrize(
    ("trainable", "learning"),
    [("head", {"fc"}), ("last_stage", {"fc", "layer4"}),
     ("all", {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"})],
)  # fmt: skip
def test_only_what_is_chosen_learns(trainable: str, learning: set[str]) -> None:
    network = built("torchvision", trainable=trainable)
    found = {
        name.split(".")[1] for name, value in network.named_parameters() if value.requires_grad
    }
    assert found == learning


def test_frozen_batch_norms_stay_as_they_are_in_use() -> None:
    network = built("torchvision", trainable="last_stage")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    network(torch.rand(4, 3, 64, 64) + 3)
    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("network.layer4.") for name in changed)


def test_the_backbone_learns_at_a_rate_of_its_own() -> None:
    network = built("torchvision", backbone_lr_scale=0.1)
    head, backbone = network.parameter_groups()
    assert (head["lr_scale"], backbone["lr_scale"]) == (1.0, 0.1)
    assert {id(p) for p in head["params"]} == {id(p) for p in network.network.fc.parameters()}
    counted = len(head["params"]) + len(backbone["params"])
    assert counted == len(trainable_groups(network)[0]["params"])


def test_a_new_vit_takes_in_small_grey_images() -> None:
    network = built("image_transformer", DIGITS, patch_size=2, hidden_size=32)
    assert logits(network, DIGITS).shape == (2, 10)


def test_patches_that_do_not_divide_the_image_say_so() -> None:
    with pytest.raises(TrainingError, match=r"model\.patch_size: patches of 3 px do not divide"):
        built("image_transformer", DIGITS, patch_size=3)


def test_heads_that_do_not_divide_the_width_say_so() -> None:
    with pytest.raises(ConfigError, match=r"model\.num_attention_heads"):
        RunConfig.parse(
            {
                "task": {"kind": "image_classification"},
                "data": {"kind": "builtin"},
                "model": {"kind": "image_transformer", "hidden_size": 30},
            }
        )


def stand_in(folder: Path, architecture: Any) -> Path:
    """A small model with the architecture of those on the hub, with another head."""
    network = transformers.AutoModelForImageClassification.from_config(architecture)
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"size": {"height": 32, "width": 32}, "image_mean": [0.1, 0.2, 0.3],'
        ' "image_std": [0.4, 0.5, 0.6]}'
    )
    return folder


VIT = transformers.ViTConfig(
    image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=32, num_labels=7,
)  # fmt: skip
RESNET = transformers.ResNetConfig(
    embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=7
)


@pytest.mark.parametrize("architecture", [VIT, RESNET], ids=["vit", "resnet"])
def test_a_trained_transformer_gets_a_new_head(tmp_path: Path, architecture: Any) -> None:
    folder = stand_in(tmp_path / "model", architecture)
    config = MODELS.parse({"kind": "image_transformer", "path": str(folder), "trainable": "head"})
    wanted = preprocessing_of(config)
    assert (wanted.size, wanted.mean, wanted.std) == (32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    shape = ImageShape(3, 32, 3, ("ant", "bee", "cat"))
    network = build_model(config, shape)
    assert logits(network, shape).shape == (2, 3)
    assert network.network.config.id2label == {0: "ant", 1: "bee", 2: "cat"}
    trained = [name for name, p in network.named_parameters() if p.requires_grad]
    assert all(".classifier" in name for name in trained)


def test_a_vit_takes_in_other_sizes_than_it_was_trained_on(tmp_path: Path) -> None:
    folder = stand_in(tmp_path / "model", VIT)
    shape = ImageShape(3, 48, 3)
    network = built("image_transformer", shape, path=str(folder))
    assert logits(network, shape).shape == (2, 3)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nowhere/model", "holds no transformers model"),
        ("google/vit-base-patch16-224", "is not on this machine, and HF_HUB_OFFLINE is set"),
    ],
)
def test_a_model_that_cannot_be_had_says_so(
    path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library reads the variable only once, perhaps before this test.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingError, match=said):
        preprocessing_of(MODELS.parse({"kind": "image_transformer", "path": path}))


def test_an_exported_vit_is_read_by_transformers_too(tmp_path: Path) -> None:
    values = {
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits", "max_samples": 100},
        "model": {"kind": "image_transformer", "patch_size": 4, "hidden_size": 16},
        "train": {"max_steps": 2},
        "compute": {"device": "cpu", "threads": 1},
    }
    run = train(RunConfig.parse(values))
    _, _, network = load_exported(run.model, torch.device("cpu"))
    theirs = transformers.AutoModelForImageClassification.from_pretrained(run.model)
    # In our memory layout; otherwise the first layer uses another kernel, whose last bit differs.
    theirs = theirs.eval().to(memory_format=torch.channels_last)
    images = torch.rand(2, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(theirs(images).logits, network(images))
    assert theirs.config.id2label[3] == "3"


def test_a_frozen_backbone_is_kept_and_its_model_needs_no_download(
    weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "task": {"kind": "image_classification", "image_size": 32},
        "data": {"kind": "builtin", "name": "digits", "max_samples": 64},
        "model": {"kind": "torchvision", "pretrained": True, "trainable": "head"},
        "train": {"max_steps": 2},
        "compute": {"device": "cpu", "threads": 1},
    }
    run = train(RunConfig.parse(values))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    _, fitted, network = load_exported(run.model, torch.device("cpu"))
    kept: Any = network
    assert (fitted.channels, fitted.size, fitted.mean[0]) == (3, 32, 0.485)
    assert torch.equal(kept.network.conv1.weight, weights["conv1.weight"])
    assert torch.equal(kept.network.bn1.running_mean, weights["bn1.running_mean"])


TINY_VIT = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 3, "dropout": 0.0}


def kept_and_gradients(network: nn.Module) -> tuple[int, list[Tensor]]:
    """Bytes saved for the backward pass, and the gradients."""
    kept = {p.untyped_storage().data_ptr() for p in network.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in kept:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = network(images).square().sum()
    torch.autograd.backward(loss)
    return sum(seen.values()), [p.grad for p in network.parameters() if p.grad is not None]


def vit_on_disk(folder: Path) -> Path:
    torch.manual_seed(0)
    architecture = transformers.ViTConfig(
        image_size=64, patch_size=16, hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, num_labels=3,
    )  # fmt: skip
    transformers.AutoModelForImageClassification.from_config(architecture).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pretrained", [False, True], ids=["from scratch", "from a folder"])
def test_layers_that_are_computed_twice_keep_less_and_learn_the_same(
    pretrained: bool, tmp_path: Path
) -> None:
    fields = {"path": str(vit_on_disk(tmp_path))} if pretrained else TINY_VIT
    once, twice = (
        built("image_transformer", gradient_checkpointing=wanted, **fields)
        for wanted in (False, True)
    )
    twice.load_state_dict(once.state_dict())
    (whole, gradients), (less, same) = kept_and_gradients(once), kept_and_gradients(twice)
    assert less < 0.7 * whole
    torch.testing.assert_close(same, gradients)


def test_a_network_that_cannot_compute_its_layers_twice_says_so(tmp_path: Path) -> None:
    architecture = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic", num_labels=3
    )
    network = transformers.AutoModelForImageClassification.from_config(architecture)
    network.save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match=r"gradient_checkpointing: .* kind resnet do not"):
        built("image_transformer", path=str(tmp_path), gradient_checkpointing=True)


@pytest.mark.parametrize(("size", "channels"), [(1, 1), (8, 1), (33, 3)])
def test_a_residual_cnn_takes_images_of_any_size(size: int, channels: int) -> None:
    shape = ImageShape(channels, size, 5)
    network = built("residual_cnn", shape, stem=4, channels=(6, 8))
    assert logits(network, shape).shape == (2, 5)
    assert [stage.num_features for stage in network.features if isinstance(stage, nn.BatchNorm2d)] \
        == [4, 6, 8]  # fmt: skip
