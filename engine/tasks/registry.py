"""The tasks. Adding one: a file in this folder and a line here."""

from __future__ import annotations

from engine.sections import Registry
from engine.tasks.section import TaskConfig

TASKS: Registry[TaskConfig] = Registry(
    "task",
    "dltui.tasks",
    {
        "image_classification": "engine.tasks.image_classification:ImageClassificationConfig",
        "text_classification": "engine.tasks.text_classification:TextClassificationConfig",
        "token_classification": "engine.tasks.token_classification:TokenClassificationConfig",
        "question_answering": "engine.tasks.question_answering:QuestionAnsweringConfig",
        "causal_lm": "engine.tasks.causal_lm:CausalLmConfig",
        "seq2seq": "engine.tasks.seq2seq:Seq2SeqConfig",
        "tabular_classification": "engine.tasks.tabular_classification:TabularClassificationConfig",
        "tabular_regression": "engine.tasks.tabular_regression:TabularRegressionConfig",
        "forecasting": "engine.tasks.forecasting:ForecastingConfig",
    },
)
