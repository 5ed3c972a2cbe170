"""The tasks. Adding one: a file in this folder and a line here."""

from __future__ import annotations

from engine.config.registry import Registry
from engine.config.tasks.base import TaskConfig

TASKS: Registry[TaskConfig] = Registry(
    "task",
    "dltui.tasks",
    {
        "image_classification": "engine.config.tasks.image_classification:ImageClassificationConfig",  # noqa: E501
        "image_regression": "engine.config.tasks.image_regression:ImageRegressionConfig",
        "object_detection": "engine.config.tasks.object_detection:ObjectDetectionConfig",
        "semantic_segmentation": "engine.config.tasks.semantic_segmentation:SemanticSegmentationConfig",  # noqa: E501
        "text_classification": "engine.config.tasks.text_classification:TextClassificationConfig",
        "text_regression": "engine.config.tasks.text_regression:TextRegressionConfig",
        "embedding": "engine.config.tasks.embedding:EmbeddingConfig",
        "token_classification": "engine.config.tasks.token_classification:TokenClassificationConfig",  # noqa: E501
        "question_answering": "engine.config.tasks.question_answering:QuestionAnsweringConfig",
        "causal_lm": "engine.config.tasks.causal_lm:CausalLmConfig",
        "preference": "engine.config.tasks.preference:PreferenceConfig",
        "seq2seq": "engine.config.tasks.seq2seq:Seq2SeqConfig",
        "tabular_classification": "engine.config.tasks.tabular_classification:TabularClassificationConfig",  # noqa: E501
        "tabular_regression": "engine.config.tasks.tabular_regression:TabularRegressionConfig",
        "forecasting": "engine.config.tasks.forecasting:ForecastingConfig",
    },
)
