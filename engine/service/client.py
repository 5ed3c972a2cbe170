"""Ask a process beside the terminal about data and costs: it may load what the terminal must not.

    with Advisor() as advisor:
        answer = advisor.ask("estimate", values=config.values())

:meth:`Advisor.ask` waits for its answer and may be called from several threads; the process
(:mod:`engine.service.server`) is started by the first request and again after a crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

from engine.errors import ConfigError, Problem, UserError
from engine.files.paths import logs_folder
from engine.processes.environment import worker_environment


class AdvisorError(UserError):
    """The advisor cannot answer."""


class Superseded(UserError):
    """A newer question of the same kind was asked while this one waited its turn."""


class Advisor:
    """Questions to one process, answered one after another."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._starting = threading.Lock()
        self._newest: dict[str, int] = {}
        self._count = 0
        self._streaming: int | None = None
        self._closed = False

    def __enter__(self) -> Advisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """The answer to ``question``; waits for it, so call it from a thread only.

        Raises :class:`Superseded` when the same question is asked again before this one's turn
        came, :class:`ConfigError` and other :class:`UserError` for what the arguments are to
        blame for, :class:`AdvisorError` when the process ended over it.
        """
        number = self._number(question)
        with self._turn:
            if self._newest[question] != number:
                raise Superseded("A newer question was asked.")
            line = json.dumps({"id": number, "question": question, "arguments": arguments})
            return _result(self._exchange(line.encode() + b"\n", number))

    def stream(
        self, question: str, heard: Callable[[dict[str, Any]], object], **arguments: Any
    ) -> dict[str, Any]:
        """Return the answer like :meth:`ask`, and call ``heard`` with each piece before it.

        Every such question is answered, in the order in which they were asked.
        """
        number = self._number(question)
        with self._turn:
            self._streaming = number
            try:
                line = json.dumps({"id": number, "question": question, "arguments": arguments})
                return _result(self._exchange(line.encode() + b"\n", number, heard))
            finally:
                self._streaming = None

    def stop(self) -> None:
        """Let the question that :meth:`stream` waits for be answered with what there is by now."""
        with self._starting:
            process, number = self._process, self._streaming
        if process is not None and number is not None:
            with contextlib.suppress(BrokenPipeError, ValueError):  # it exited, or was closed
                questions, _ = _pipes(process)
                questions.write(json.dumps({"stop": number}).encode() + b"\n")
                questions.flush()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._starting:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _number(self, question: str) -> int:
        with self._starting:
            self._count += 1
            self._newest[question] = self._count
            return self._count

    def _exchange(
        self, line: bytes, number: int, heard: Callable[[dict[str, Any]], object] | None = None
    ) -> dict[str, Any]:
        process = self._running()
        questions, answers = _pipes(process)
        with contextlib.suppress(BrokenPipeError):  # it exited; reading fails too
            questions.write(line)
            questions.flush()
        for text in answers:
            answer: dict[str, Any] = json.loads(text)
            if answer.get("id") != number:
                continue
            if "piece" not in answer:
                return answer
            if heard is not None:
                heard(answer["piece"])
        raise AdvisorError(
            f"The helper process ended (exit status {process.wait()}).",
            f"Its log is {logs_folder() / 'advisor.log'}.",
        )

    def _running(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._closed:
                raise AdvisorError("The program is ending.")
            if self._process is None or self._process.poll() is not None:
                self._process = _start()
            return self._process


def _start() -> subprocess.Popen[bytes]:
    with _log() as log:
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.service.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=worker_environment(),
            )
        except OSError as error:
            text = f"Cannot start the helper process: {error.strerror}."
            raise AdvisorError(text) from error


@contextlib.contextmanager
def _log() -> Iterator[IO[bytes]]:
    """A file for what libraries print; it begins anew with each process."""
    folder = logs_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder / "advisor.log").open("wb")
    except OSError:  # a log is no reason not to answer
        file = open(os.devnull, "wb")  # noqa: SIM115, PTH123
    with file:
        yield file


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise AdvisorError("The helper process has no pipes.")
    return process.stdin, process.stdout


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    error = answer.get("error")
    if error is None:
        result: dict[str, Any] = answer["answer"]
        return result
    problems = [Problem(field, message) for field, message in error.get("problems", [])]
    if problems:
        raise ConfigError(problems)
    if error.get("defect"):
        raise AdvisorError(error["message"], f"See {logs_folder() / 'advisor.log'}.")
    raise UserError(error["message"])
