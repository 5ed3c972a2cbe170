"""The page beside an exported model, as the hub and people read it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from pydantic import Field
from safetensors.torch import save_file

from engine.artifacts.model_card import UNTIED, class_names, class_of, write_card
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted

IRIS: dict[str, Any] = {
    "name": "flowers",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"kind": "mlp"},
}
TEXTS: dict[str, Any] = {
    "name": "opinions",
    "task": {"kind": "text_classification"},
    "data": {"kind": "file", "path": "/data/opinions.csv"},
    "model": {"kind": "transformer", "path": "org/base"},
}
BERT = {"architectures": ["BertForSequenceClassification"]}
ADAPTER = {
    "auto_mapping": {
        "base_model_class": "BertForSequenceClassification",
        "parent_library": "transformers.models.bert.modeling_bert",
    },
    "modules_to_save": ["fc"],
}


class Classes(Fitted):
    """What a classifier fits."""

    classes: list[str] = Field(default_factory=list)
    members: list[int] = Field(default_factory=list)


Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a card into a folder with JSON files, and return its text."""

    def written(
        values: Mapping[str, Any],
        files: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Mapping[str, float | None]] | None = None,
        fitted: Fitted | None = None,
    ) -> str:
        for name, content in (files or {}).items():
            (tmp_path / name).write_text(json.dumps(content))
        config = RunConfig.parse(values)
        write_card(tmp_path, config, fitted or Fitted(), metrics or {}, described=True)
        return (tmp_path / "README.md").read_text()

    return written


def header(card: str) -> dict[str, Any]:
    """The metadata as YAML."""
    _, text, _ = card.split("---\n", 2)
    values: dict[str, Any] = yaml.safe_load(text)
    return values


def code(card: str) -> str:
    """The code on the page, which must be Python."""
    text = card.partition("```python\n")[2].partition("```")[0]
    ast.parse(text)
    return text


def test_a_network_of_torch_alone_is_described_without_code(write: Write) -> None:
    card = write(IRIS)
    assert header(card) == {"library_name": "pytorch", "tags": ["dltui"]}
    assert "# flowers\n" in card
    assert "learned from iris." in card
    assert "```" not in card


def test_metrics_are_a_table_by_split_and_results_for_the_hub(write: Write) -> None:
    metrics = {
        "validation": {"accuracy": 0.912345, "loss": 1234567.0},
        "test": {"accuracy": 0.5, "f1": 0.0, "roc_auc": None},
    }
    card = write(IRIS, metrics=metrics)
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert rows == [
        "| metric | validation | test |",
        "| --- | ---: | ---: |",
        "| accuracy | 0.9123 | 0.5 |",
        "| loss | 1.235e+06 |  |",
        "| f1 |  | 0 |",
        "| roc_auc |  |  |",
    ]
    results = ModelCard(card).data.eval_results
    assert results is not None
    assert [(one.dataset_split, one.metric_type, one.metric_value) for one in results] == [
        ("validation", "accuracy", 0.912345), ("validation", "loss", 1234567.0),
        ("test", "accuracy", 0.5), ("test", "f1", 0.0),
    ]  # fmt: skip
    assert {one.dataset_name for one in results} == {"iris"}
    assert header(card)["model-index"][0]["name"] == "flowers"


def test_without_metrics_there_is_no_table(write: Write) -> None:
    card = write(IRIS, metrics={"validation": {}})
    assert "|" not in card
    assert "model-index" not in header(card)


def test_a_transformer_is_loaded_by_its_class(write: Write) -> None:
    card = write(TEXTS, {"config.json": BERT})
    assert header(card) == {
        "library_name": "transformers", "pipeline_tag": "text-classification",
        "base_model": "org/base", "tags": ["dltui"],
    }  # fmt: skip
    assert code(card) == (
        "from transformers import BertForSequenceClassification\n\n"
        'model = BertForSequenceClassification.from_pretrained("path/to/this/folder")\n'
    )


@pytest.mark.parametrize(
    ("network", "pipeline"),
    [
        ("GPT2LMHeadModel", "text-generation"),
        ("LlamaForCausalLM", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("BertForTokenClassification", "token-classification"),
        ("BertForQuestionAnswering", "question-answering"),
        ("ViTForImageClassification", "image-classification"),
        ("RTDetrForObjectDetection", "object-detection"),
        ("SegformerForSemanticSegmentation", "image-segmentation"),
        ("BertModel", None),
    ],
)
def test_the_hub_is_told_what_a_network_is_for(
    write: Write, network: str, pipeline: str | None
) -> None:
    found = header(write(TEXTS, {"config.json": {"architectures": [network]}}))
    assert found.get("pipeline_tag") == pipeline


def base(folder: Path) -> Path:
    """A folder with a model of transformers, as far as it is looked into."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(BERT | {"model_type": "bert"}))
    return folder


def test_a_base_in_a_folder_is_not_named_to_the_hub(write: Write, tmp_path: Path) -> None:
    """It checks that a base model exists, and refuses the card where it does not."""
    path = str(base(tmp_path / "base"))
    values = TEXTS | {"model": {"kind": "transformer", "path": path}}
    assert "base_model" not in header(write(values, {"config.json": BERT}))


def test_an_embedding_is_loaded_by_sentence_transformers(write: Write) -> None:
    card = write(TEXTS, {"config.json": BERT, "modules.json": []})
    assert header(card)["library_name"] == "sentence-transformers"
    assert header(card)["pipeline_tag"] == "sentence-similarity"
    assert 'SentenceTransformer("path/to/this/folder")' in code(card)


def lora(**base: Any) -> dict[str, Any]:
    model = TEXTS["model"] | base
    return TEXTS | {"model": model, "adapter": {"method": "lora", "r": 4, "lora_alpha": 16}}


def test_an_adapter_is_put_on_a_base_with_the_classes_of_the_run(write: Write) -> None:
    names = ["gut", 'say "x"', "a\nb", "Größe"]
    card = write(lora(), {"adapter_config.json": ADAPTER}, fitted=Classes(classes=names))
    assert header(card)["library_name"] == "peft"
    assert header(card)["tags"] == ["dltui", "lora"]
    assert "An adapter (lora, rank 4, alpha 16) on org/base." in card
    text = code(card)
    labels = ast.literal_eval(text.partition("labels = ")[2].partition("\n")[0])
    assert labels == ["gut", 'say "x"', "a b", "Größe"]
    assert "id2label=dict(enumerate(labels)), ignore_mismatched_sizes=True)" in text
    assert text.endswith('model = PeftModel.from_pretrained(base, "path/to/this/folder")\n')


def test_the_code_for_an_adapter_of_a_detector_tells_peft_that_no_words_are_tied(
    write: Write,
) -> None:
    detector = {"base_model_class": "DFineForObjectDetection"}
    noted = ADAPTER | {"auto_mapping": ADAPTER["auto_mapping"] | detector}
    card = write(lora(), {"adapter_config.json": noted}, fitted=Classes(classes=["a"]))
    assert UNTIED in code(card).splitlines()[-2]
    assert UNTIED not in write(lora(), {"adapter_config.json": ADAPTER})


@pytest.mark.parametrize(("count", "listed"), [(0, False), (1, True), (30, True), (31, False)])
def test_up_to_thirty_classes_are_listed(write: Write, count: int, listed: bool) -> None:
    fitted = Classes(classes=[f"c{n}" for n in range(count)])
    text = code(write(lora(), {"adapter_config.json": ADAPTER}, fitted=fitted))
    assert ("labels = [" in text) is listed
    assert (f"num_labels={count}, ignore_mismatched_sizes=True" in text) is (count > 30)


@pytest.mark.parametrize("name", ['my "best" base', "back\\slash", "deep/" * 60 + "base"])
def test_a_folder_of_any_name_is_a_text_in_the_code(
    write: Write, tmp_path: Path, name: str
) -> None:
    path = str(base(tmp_path / name))
    text = code(write(lora(path=path), {"adapter_config.json": ADAPTER}))
    [call] = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)
              if ast.unparse(node.func).endswith("Classification.from_pretrained")]  # fmt: skip
    assert ast.literal_eval(call.args[0]) == path


def test_an_adapter_on_a_network_of_torchvision_names_its_weights_and_head(
    write: Write, tmp_path: Path
) -> None:
    values = {
        "name": "photos",
        "task": {"kind": "image_classification"},
        "data": {"kind": "image_folder", "path": "/data/photos"},
        "model": {"kind": "torchvision", "name": "resnet18", "pretrained": True},
        "adapter": {"method": "lora"},
    }
    head = {"base_model.model.fc.weight": torch.zeros(3, 512)}
    save_file(head, tmp_path / "adapter_model.safetensors")
    text = code(write(values, {"adapter_config.json": ADAPTER | {"auto_mapping": None}}))
    assert 'models.get_weight("ResNet18_Weights.IMAGENET1K_V1")' in text
    assert 'models.get_model("resnet18", weights=weights)' in text
    assert 'base.set_submodule("fc", nn.Linear(512, 3))' in text


def test_the_members_of_an_ensemble_that_are_kept_are_numbered_from_one(write: Write) -> None:
    values = IRIS | {"model": {"kind": "tabm", "members": 8}}
    card = write(values, fitted=Classes(members=[7, 0, 3]))
    assert "An ensemble of 3 of the 8 members that were trained (numbers 1, 4, 8)" in card
    assert "An ensemble" not in write(values, fitted=Classes())
    assert "An ensemble" not in write(IRIS, fitted=Classes(members=[0]))


def test_names_from_outside_stay_on_their_line(write: Write) -> None:
    values = TEXTS | {"data": {"kind": "file", "path": "/data/a\nb: c\x1b.csv"}}
    card = write(values, {"config.json": BERT}, {"test": {"accuracy": 1.0}})
    [result] = ModelCard(card).data.eval_results or []
    assert "\n" not in result.dataset_name
    assert "\x1b" not in card


@pytest.mark.parametrize(
    ("files", "network"),
    [
        ({}, ""),
        ({"config.json": {}}, ""),
        ({"config.json": {"architectures": None}}, ""),
        ({"config.json": BERT}, "BertForSequenceClassification"),
        ({"config.json": BERT, "adapter_config.json": {"auto_mapping": None}}, ""),
        ({"adapter_config.json": ADAPTER}, "BertForSequenceClassification"),
        (
            {"adapter_config.json": {"auto_mapping": {"base_model_class": "ResNet",
                                                      "parent_library": "torchvision.models"}}},
            "",
        ),
    ],
)  # fmt: skip
def test_the_class_is_that_of_the_adapter_else_that_of_the_weights(
    tmp_path: Path, files: Mapping[str, Any], network: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert class_of(tmp_path) == network


def test_names_of_classes_are_those_of_either_task() -> None:
    class Names(Fitted):
        names: list[str]

    assert class_names(Classes(classes=["a", "b"])) == ["a", "b"]
    assert class_names(Names(names=["x"])) == ["x"]
    assert class_names(Fitted()) == []
