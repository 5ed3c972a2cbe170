"""The models. Adding one: a section in this folder and a line here."""

from __future__ import annotations

from engine.models.section import ModelConfig
from engine.sections import Registry
from engine.tasks.registry import TASKS

MODELS: Registry[ModelConfig] = Registry(
    "model",
    "dltui.models",
    {
        "mlp": "engine.models.mlp:MlpConfig",
        "cnn": "engine.models.cnn:CnnConfig",
        "torchvision": "engine.models.torchvision:TorchvisionConfig",
        "image_transformer": "engine.models.vit:ImageTransformerConfig",
        "transformer": "engine.models.transformer:TransformerConfig",
        "lstm": "engine.models.recurrent:LstmConfig",
        "gru": "engine.models.recurrent:GruConfig",
        "dlinear": "engine.models.dlinear:DLinearConfig",
    },
)


def models_of(task: str) -> tuple[str, ...]:
    """Kinds of model for a kind of task: those that it names, and what other packages add."""
    added = (kind for kind, section in MODELS.plugins.items() if task in section.tasks)
    return (*TASKS[task].models, *added)
