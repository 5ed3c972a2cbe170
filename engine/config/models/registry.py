"""The models. Adding one: a section in this folder and a line here."""

from __future__ import annotations

from engine.config.models.base import ModelConfig
from engine.config.registry import Registry
from engine.config.tasks.registry import TASKS

MODELS: Registry[ModelConfig] = Registry(
    "model",
    "dltui.models",
    {
        "mlp": "engine.config.models.mlp:MlpConfig",
        "tabm": "engine.config.models.tabm:TabmConfig",
        "residual_cnn": "engine.config.models.residual_cnn:ResidualCnnConfig",
        "cnn": "engine.config.models.cnn:CnnConfig",
        "torchvision": "engine.config.models.torchvision:TorchvisionConfig",
        "image_transformer": "engine.config.models.image_transformer:ImageTransformerConfig",
        "transformer": "engine.config.models.transformer:TransformerConfig",
        "lstm": "engine.config.models.recurrent:LstmConfig",
        "gru": "engine.config.models.recurrent:GruConfig",
        "dlinear": "engine.config.models.dlinear:DLinearConfig",
        "nhits": "engine.config.models.nhits:NHitsConfig",
        "tsmixer": "engine.config.models.tsmixer:TsMixerConfig",
        "patchtst": "engine.config.models.patches:PatchTstConfig",
        "foundation": "engine.config.models.foundation:FoundationConfig",
        "patchtsmixer": "engine.config.models.patches:PatchTsMixerConfig",
    },
)


def models_of(task: str) -> tuple[str, ...]:
    """Kinds of model for a kind of task: those that it names, and what other packages add."""
    added = (kind for kind, section in MODELS.plugins.items() if task in section.tasks)
    return (*TASKS[task].models, *added)
