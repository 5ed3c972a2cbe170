"""The models. Adding one: a section in this folder and a line here."""

from __future__ import annotations

from engine.models.section import ModelConfig
from engine.sections import Registry

MODELS: Registry[ModelConfig] = Registry(
    "model",
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
