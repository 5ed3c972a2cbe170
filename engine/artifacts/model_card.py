"""The page that goes with a model: what it is, how good, and how others load it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData
from safetensors import safe_open

from engine.artifacts.build import ADAPTER, holds_adapter, holds_trees
from engine.config.models.tabm import TabmConfig
from engine.config.models.torchvision import TorchvisionConfig
from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.files import atomic
from engine.files.sanitize import plain
from engine.models.build import base_of
from engine.models.tables.boosted_trees import TREES

Metrics = Mapping[str, Mapping[str, float | None]]
"""By split, by name."""
_PIPELINES = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
    "ForImageClassification": "image-classification",
    "ForSemanticSegmentation": "image-segmentation",
    "ForObjectDetection": "object-detection",
}
"""The hub's pipeline tags for transformers' classes, by the end of the class name."""
_AS_SENTENCES = (
    "from sentence_transformers import SentenceTransformer", "",
    'model = SentenceTransformer("path/to/this/folder")',
    'queries = model.encode_query(["a question"])',
    'passages = model.encode_document(["a passage", "another"])',
    "print(model.similarity(queries, passages))",
)  # fmt: skip
_OF_OTHERS = {"Chronos2Model": ("chronos-forecasting", "chronos.chronos2.model")}
"""Classes that are not transformers' own: the package as the hub names it, and their module."""
UNTIED = "base.config.tie_word_embeddings = False  # of boxes, which peft takes for words"
"""The line of code without which peft refuses a detector whose heads for boxes are tied."""
_LONGEST_PATH = 4096
_FEW_CLASSES = 30
"""Up to this number, all are listed in the code on the page."""


def write_card(
    folder: Path, config: RunConfig, fitted: Fitted, metrics: Metrics, described: bool
) -> None:
    """Write ``README.md`` into an exported folder, with metadata as the hub reads it.

    ``described`` says whether the folder has the experiment as ``config.toml``.
    """
    network = class_of(folder)
    experiment = "The experiment is described in `config.toml`; it" if described else "It"
    lines = [
        "---", _metadata(folder, config, network, metrics), "---", "",
        f"# {config.name}", "", _about(folder, config), "", *_inputs(fitted),
        *_kept(config, fitted), *_table(metrics), *_usage(folder, config, network, fitted),
        f"{experiment} was trained with dltui.", "",
    ]  # fmt: skip
    atomic.write_text(folder / "README.md", "\n".join(lines))


def class_names(fitted: Fitted) -> list[str]:
    """Return the class names of a head's outputs, in order; empty for other outputs."""
    return list(getattr(fitted, "classes", ()) or getattr(fitted, "names", ()))


def class_of(folder: Path) -> str:
    """The class that the weights are for; empty where neither transformers nor its kin has it."""
    for name, place in ((ADAPTER, "auto_mapping"), ("config.json", "architectures")):
        if (folder / name).is_file():
            noted = json.loads((folder / name).read_text()).get(place) or {}
            if not isinstance(noted, dict):
                return str(noted[0])
            if str(noted.get("parent_library")).startswith("transformers."):
                return str(noted.get("base_model_class") or "")
            return ""
    return ""


def _metadata(folder: Path, config: RunConfig, network: str, metrics: Metrics) -> str:
    base, pipeline = base_of(config.model), _pipeline(folder, network)
    results = [
        EvalResult(
            task_type=pipeline or config.task.kind.replace("_", "-"),
            dataset_type=config.data.kind,
            dataset_name=plain(config.data.label),
            dataset_split=split,
            metric_type=name,
            metric_value=value,
        )
        for split, values in metrics.items()
        for name, value in values.items()
        if value is not None
    ]
    data = ModelCardData(
        library_name=_library(folder),
        # The hub rejects the name of a folder or of torchvision's weights, as they are not there.
        base_model=base if base and network and not Path(base).is_absolute() else None,
        pipeline_tag=pipeline,
        tags=["dltui", *(["lora"] if holds_adapter(folder) else [])],
        model_name=config.name if results else None,
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _embeds(folder: Path) -> bool:
    """Return whether sentence-transformers loads the folder."""
    return (folder / "modules.json").is_file()


def _pipeline(folder: Path, network: str) -> str | None:
    if _embeds(folder):
        return "sentence-similarity"
    return next((use for end, use in _PIPELINES.items() if network.endswith(end)), None)


def _library(folder: Path) -> str:
    if holds_trees(folder):
        return "dltui"
    if _embeds(folder):
        return "sentence-transformers"
    if holds_adapter(folder):
        return "peft"
    if class_of(folder) in _OF_OTHERS:
        return _OF_OTHERS[class_of(folder)][0]
    return "transformers" if (folder / "config.json").is_file() else "pytorch"


def _about(folder: Path, config: RunConfig) -> str:
    method = f" ({config.task.method})" if config.task.method else ""
    what = f"{plain(config.task.title)}{method}, learned from {plain(config.data.label)}."
    if holds_trees(folder):
        return (
            f"{what} Gradient boosting (scikit-learn's HistGradientBoosting), with which the "
            "network of the experiment was compared: same rows, same inputs. The trees are plain "
            f"numbers in `{TREES}`, not a pickle; `fitted.json` has the columns."
        )
    if not holds_adapter(folder):
        return what
    adapter = config.adapter
    return (
        f"{what} An adapter ({adapter.method}, rank {adapter.r}, alpha {adapter.alpha}) on "
        f"{plain(base_of(config.model))}."
    )


def _inputs(fitted: Fitted) -> list[str]:
    """Return a sentence on the texts or images that a model reads; none for other inputs."""
    if fitted.preparation:
        return [fitted.preparation, ""]
    longest: int | None = getattr(fitted, "max_length", None)
    if longest is None:
        return []
    columns = [getattr(fitted, name, "") for name in ("text", "text_pair")]
    named = ", then ".join(f"`{plain(column)}`" for column in columns if column)
    read = f"It reads the column {named}: " if named else "It reads "
    return [f"{read}up to {longest:,} tokens.", ""]


def _kept(config: RunConfig, fitted: Fitted) -> list[str]:
    """Return a sentence on the members of an ensemble that are kept, where not all are."""
    kept: list[int] = getattr(fitted, "members", [])
    if not kept or not isinstance(config.model, TabmConfig):
        return []
    named = ", ".join(str(member + 1) for member in sorted(kept))
    return [
        f"An ensemble of {len(kept)} of the {config.model.members} members that were trained "
        f"(numbers {named}), chosen on the validation rows.", "",
    ]  # fmt: skip


def _table(metrics: Metrics) -> list[str]:
    names = list(dict.fromkeys(name for values in metrics.values() for name in values))
    if not names:
        return []
    rows = [[name, *(_number(values.get(name)) for values in metrics.values())] for name in names]
    lines = [["metric", *metrics], ["---"] + ["---:"] * len(metrics), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines] + [""]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _usage(folder: Path, config: RunConfig, network: str, fitted: Fitted) -> list[str]:
    """Return the lines that use the model, without this program where others can load it."""
    if holds_trees(folder):
        return [
            "```",
            "dltui predict path/to/this/folder --file new.csv --output predictions.csv",
            "```",
            "",
        ]
    if isinstance(config.model, TorchvisionConfig) and holds_adapter(folder):
        return _code(_on_torchvision(folder, config.model))
    if not network:
        return []
    if _embeds(folder):
        return _code(_AS_SENTENCES)
    _, module = _OF_OTHERS.get(network, ("", "transformers"))
    code = [f"from {module} import {network}"]
    if holds_adapter(folder):
        place = json.dumps(plain(base_of(config.model), _LONGEST_PATH), ensure_ascii=False)
        code += [
            "from peft import PeftModel", "",
            *_loading(
                f"base = {network}.from_pretrained({place}{_renaming(network)}",
                class_names(fitted),
            ),
            *([UNTIED] * network.endswith("ForObjectDetection")),
            'model = PeftModel.from_pretrained(base, "path/to/this/folder")',
        ]  # fmt: skip
    else:
        code += ["", f'model = {network}.from_pretrained("path/to/this/folder")']
    return _code(code)


def _renaming(network: str) -> str:
    """The argument without which a class does not find the weights of its base."""
    # transformers takes half a second, which networks of others do without.
    from engine.models.weights.pretrained import body_of_another_name

    names = body_of_another_name(network)
    return f", key_mapping={names}" if names else ""


def _loading(call: str, classes: Sequence[str]) -> list[str]:
    """A call with what the classes add: a head of their size, and their names if they are few."""
    if not classes:
        return [f"{call})"]
    # A base for other classes has another head.
    head = "ignore_mismatched_sizes=True"
    if len(classes) > _FEW_CLASSES:
        return [f"{call}, num_labels={len(classes)}, {head})"]
    names = json.dumps([plain(name) for name in classes], ensure_ascii=False)
    return [f"labels = {names}", f"{call}, id2label=dict(enumerate(labels)), {head})"]


def _on_torchvision(folder: Path, model: TorchvisionConfig) -> list[str]:
    head, *_ = json.loads((folder / ADAPTER).read_text())["modules_to_save"]
    with safe_open(folder / "adapter_model.safetensors", "pt") as weights:
        outputs, inputs, *kernel = weights.get_slice(f"base_model.model.{head}.weight").get_shape()
    kind, size = ("Conv2d", f", {tuple(kernel)}") if kernel else ("Linear", "")
    return [
        "from peft import PeftModel", "from torch import nn", "from torchvision import models", "",
        f'weights = models.get_weight("{base_of(model)}")',
        f'base = models.get_model("{plain(model.name)}", weights=weights)',
        f'base.set_submodule("{head}", nn.{kind}({inputs}, {outputs}{size}))',
        'model = PeftModel.from_pretrained(base, "path/to/this/folder")',
    ]  # fmt: skip


def _code(lines: Sequence[str]) -> list[str]:
    return ["```python", *lines, "```", ""]
