"""The process that answers the terminal's questions: ``python -m engine.service.server``.

Questions come as lines of JSON, ``{"id", "question", "arguments"}``, and leave as
``{"id", "answer"}`` or ``{"id", "error"}``. Both pipes are kept where no library finds them:
whatever is printed goes to the log. The process ends when its questions do.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from engine.config.registry import resolve
from engine.errors import ConfigError, UserError

QUESTIONS = {
    "preview": "engine.service.preview:preview",
    "estimate": "engine.service.estimate:answer",
    "predict": "engine.service.predict:answer",
    "export": "engine.service.export:answer",
    "combine": "engine.service.merge:answer",
    "push": "engine.service.push:answer",
    "targets": "engine.service.layers:answer",
    "benchmarks": "engine.service.benchmarks:answer",
    "check": "engine.service.model_check:answer",
}
"""By name: the function that answers, loaded when it is first asked for, so that a look at the
data does not wait for torch."""


def main() -> None:
    """Answer until the questions end."""
    questions, answers = _private_pipes()
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(questions, lines), daemon=True).start()
    while True:
        answers.write(json.dumps(_answer(json.loads(lines.get()))).encode() + b"\n")
        answers.flush()


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return questions, answers


def _read(questions: BinaryIO, lines: queue.Queue[bytes]) -> None:
    """Forward the requests; their end means that the client has exited."""
    for line in questions:
        lines.put(line)
    os._exit(0)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    number = request["id"]
    try:
        answer = _function(request["question"])(**request["arguments"])
        return {"id": number, "answer": answer}
    except ConfigError as error:
        problems = [[problem.field, problem.message] for problem in error.problems]
        return {"id": number, "error": {"message": str(error), "problems": problems}}
    except UserError as error:
        return {"id": number, "error": {"message": str(error)}}
    except Exception as error:  # noqa: BLE001 — told to the one who asked, the whole story in the log
        traceback.print_exc()
        text = f"Internal error: {type(error).__name__}: {str(error)[:300]}."
        return {"id": number, "error": {"message": text, "defect": True}}


def _function(question: str) -> Callable[..., dict[str, Any]]:
    function: Callable[..., dict[str, Any]] = resolve(QUESTIONS[question])
    return function


if __name__ == "__main__":
    main()
