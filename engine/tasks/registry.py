"""The tasks. Adding one: a file in this folder and a line here."""

from __future__ import annotations

from engine.sections import Registry
from engine.tasks.section import TaskConfig

TASKS: Registry[TaskConfig] = Registry(
    "task",
    "dltui.tasks",
    {
        "image_classification": "engine.tasks.image_classification_config:ImageClassificationConfig",  # noqa: E501
        "text_classification": "engine.tasks.text_classification_config:TextClassificationConfig",
        "token_classification": "engine.tasks.token_classification_config:TokenClassificationConfig",  # noqa: E501
        "question_answering": "engine.tasks.question_answering_config:QuestionAnsweringConfig",
        "causal_lm": "engine.tasks.causal_lm_config:CausalLmConfig",
        "seq2seq": "engine.tasks.seq2seq_config:Seq2SeqConfig",
        "tabular_classification": "engine.tasks.tabular_classification_config:TabularClassificationConfig",  # noqa: E501
        "tabular_regression": "engine.tasks.tabular_regression_config:TabularRegressionConfig",
        "forecasting": "engine.tasks.forecasting_config:ForecastingConfig",
    },
)
