"""The process that answers the terminal's questions: ``python -m engine.service.server``.

Questions come as lines of JSON, ``{"id", "question", "arguments"}``, and leave as
``{"id", "answer"}`` or ``{"id", "error"}``; before them, some questions are answered in pieces,
``{"id", "piece"}``, until a line ``{"stop": id}`` comes. Both pipes are kept where no library finds
them: whatever is printed goes to the log. The process ends when its questions do.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import traceback
from collections.abc import Callable, Container
from typing import Any, BinaryIO

from engine.config.registry import resolve
from engine.errors import ConfigError, UserError
from engine.service.pieces import Pieces

QUESTIONS = {
    "preview": "engine.service.preview:preview",
    "estimate": "engine.service.estimate:answer",
    "predict": "engine.service.predict:answer",
    "explain": "engine.service.explain:answer",
    "save predictions": "engine.service.saved_predictions:answer",
    "fold predictions": "engine.service.fold_predictions:answer",
    "export": "engine.service.export:answer",
    "combine": "engine.service.merge:answer",
    "push": "engine.service.push:answer",
    "targets": "engine.service.layers:answer",
    "benchmarks": "engine.service.benchmarks:answer",
    "check": "engine.service.model_check:answer",
    "data check": "engine.service.data_check:answer",
    "contact sheet": "engine.service.contact_sheet:answer",
    "augmented contact sheet": "engine.service.augmented_sheet:answer",
}
"""By name: the function that answers, loaded when it is first asked for, so that a look at the
data does not wait for torch."""


IN_PIECES = {"chat": "engine.service.chat:answer"}
"""The same for functions whose first argument is :class:`~engine.service.pieces.Pieces`."""


def main() -> None:
    """Answer until the questions end."""
    questions, answers = _private_pipes()
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    stopped: set[int] = set()
    threading.Thread(target=_read, args=(questions, requests, stopped), daemon=True).start()

    def send(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line).encode() + b"\n")
        answers.flush()

    while True:
        request = requests.get()
        send(_answer(request, send, stopped))
        stopped.discard(request["id"])


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    questions = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return questions, answers


def _read(questions: BinaryIO, requests: queue.Queue[dict[str, Any]], stopped: set[int]) -> None:
    """Forward the requests; their end means that the client has exited."""
    for line in questions:
        request = json.loads(line)
        if "stop" in request:
            stopped.add(request["stop"])
        else:
            requests.put(request)
    os._exit(0)


def _answer(
    request: dict[str, Any], send: Callable[[dict[str, Any]], None], stopped: Container[int]
) -> dict[str, Any]:
    number = request["id"]
    pieces = Pieces(lambda piece: send({"id": number, "piece": piece}), number, stopped)
    way_back = [pieces] if request["question"] in IN_PIECES else []
    try:
        answer = _function(request["question"])(*way_back, **request["arguments"])
        return {"id": number, "answer": answer}
    except ConfigError as error:
        problems = [[problem.field, problem.message] for problem in error.problems]
        return {"id": number, "error": {"message": str(error), "problems": problems}}
    except UserError as error:
        return {"id": number, "error": {"message": str(error)}}
    except Exception as error:  # noqa: BLE001 — sent to the one who asked; the log has the traceback
        traceback.print_exc()
        text = f"Internal error: {type(error).__name__}: {str(error)[:300]}."
        return {"id": number, "error": {"message": text, "defect": True}}


def _function(question: str) -> Callable[..., dict[str, Any]]:
    function: Callable[..., dict[str, Any]] = resolve((QUESTIONS | IN_PIECES)[question])
    return function


if __name__ == "__main__":
    main()
