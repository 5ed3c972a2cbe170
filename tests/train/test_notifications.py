"""Notifications of a run: sent by the process that trains, to a real server, without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine import RunConfig, train
from engine.errors import UserError
from engine.files.paths import runs_folder, settings_file
from engine.loggers import delivery, notifier
from engine.loggers.notify_settings import Bound, NotifyError, read_notify_settings
from engine.processes.environment import worker_environment
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Failed, Log, Resources
from tui.__main__ import main

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "wine"},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 2},
    "compute": {"device": "cpu", "threads": 1},
}


class Server:
    """A web hook that keeps what it is sent, or refuses it."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.taken.append(json.loads(self.rfile.read(length)))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                del arguments

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://someone:a-secret@127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def texts(self) -> list[str]:
        return [post["message"] for post in self.taken]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def settings(home: Path) -> Callable[..., None]:
    """A function that writes the table ``notify`` of the settings."""
    del home

    def write(**fields: object) -> None:
        lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
        settings_file().parent.mkdir(parents=True, exist_ok=True)
        settings_file().write_text("\n".join(["[notify]", *lines]))

    return write


def test_a_run_tells_of_a_metric_that_was_reached_and_of_its_end(server, settings) -> None:
    settings(urls=[server.url], metrics=["accuracy>0.01", "accuracy>1.5"])
    run = train(RunConfig.parse(TABLE))
    reached, finished = server.texts
    assert reached.startswith("Reached validation accuracy ")
    assert reached.endswith(" after epoch 1.")
    accuracy = run.report.read()["metrics"]["test"]["accuracy"]
    assert finished.startswith(f"Finished: test accuracy {accuracy:.4g}, ")
    assert [post["type"] for post in server.taken] == ["success", "success"]
    assert run.id in server.taken[0]["title"]


def test_a_run_that_fails_tells_why(server, settings) -> None:
    settings(urls=[server.url], on=["failed"])
    wrong = TABLE | {"data": {"kind": "file", "path": "nowhere.csv"}}
    with pytest.raises(UserError):
        train(RunConfig.parse(wrong))
    (text,) = server.texts
    assert text.startswith("Failed: ")
    assert "nowhere.csv" in text
    assert server.taken[0]["type"] == "failure"


def test_only_the_chosen_occasions_are_told(server, settings) -> None:
    settings(urls=[server.url], on=["failed"])
    train(RunConfig.parse(TABLE))
    assert server.texts == []


def test_no_secret_is_written_where_a_service_refuses(server, settings, capfd) -> None:
    server.status = 500
    settings(urls=[server.url])
    run = train(RunConfig.parse(TABLE))
    assert run.report.path.exists()
    assert "notify.urls, number 1: the notification was not accepted" in capfd.readouterr().err
    texts = [path.read_bytes() for path in run.path.rglob("*") if path.is_file()]
    assert not any(b"a-secret" in text for text in texts)


def test_an_address_that_fails_keeps_nothing_from_the_others(server, settings, capfd) -> None:
    refusing = Server()
    refusing.status = 500
    try:
        settings(urls=[refusing.url, server.url], metrics=["accuracy>0.01"])
        train(RunConfig.parse(TABLE))
    finally:
        refusing.http.shutdown()
        refusing.http.server_close()
    assert [text.split()[0] for text in server.texts] == ["Reached", "Finished:"]
    told = capfd.readouterr().err
    assert told.count("notify.urls, number 1: the notification was not accepted.") == 1
    assert "number 2" not in told
    assert "a-secret" not in told


def test_a_notification_that_was_not_accepted_is_sent_again(
    server, settings, tmp_path, monkeypatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    settings(urls=[server.url])
    run = RunDirectory.create(tmp_path, RunConfig.parse(TABLE))
    said: list[str] = []
    told = notifier.Notifier(run, read_notify_settings(), said.append)
    server.status = 503
    told.report(Failed(message="too hot"))
    told.flush()
    assert server.texts == ["Failed: too hot"], "not at once"
    server.status = 200
    clock[0] = 30.0
    told.flush()
    clock[0] = 3000.0
    told.flush()
    told.close()
    assert server.texts == ["Failed: too hot"] * 2
    assert len(said) == 1


def test_a_notification_that_is_never_accepted_is_given_up(
    server, settings, tmp_path, monkeypatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(delivery, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    settings(urls=[server.url])
    server.status = 500
    run = RunDirectory.create(tmp_path, RunConfig.parse(TABLE))
    told = notifier.Notifier(run, read_notify_settings(), print)
    told.report(Failed(message="too hot"))
    for _ in range(20):
        clock[0] += 1000.0
        told.flush()
    assert len(server.texts) == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"urls": ["what://a-secret"]}, "number 1: apprise does not know this address"),
        ({"urls": ["json://a-secret"], "metrics": ["accuracy=1"]}, "not of the form accuracy>0.9"),
        ({"urls": 3}, "notify.urls: Input should be a valid tuple"),
        ({"url": ["json://a-secret"]}, "notify.url: Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_used_are_a_warning_of_the_run(settings, fields, message) -> None:
    settings(**fields)
    train(RunConfig.parse(TABLE))
    (run,) = all_runs(runs_folder())
    warnings = [event.message for event in run.events.newest(Log) if event.level == "warning"]
    (warning,) = [text for text in warnings if text.startswith("Notifications are off")]
    assert message in warning
    assert "a-secret" not in warning


def test_a_disk_that_is_nearly_full_is_told_once(server, settings, tmp_path, monkeypatch) -> None:
    settings(urls=[server.url])
    usage = type(notifier.shutil.disk_usage("/"))(10**12, 98 * 10**10, 2 * 10**10)
    monkeypatch.setattr(notifier.shutil, "disk_usage", lambda path: usage)
    run = RunDirectory.create(tmp_path, RunConfig.parse(TABLE))
    told = notifier.Notifier(run, read_notify_settings(), print)
    measured = Resources(cpu_percent=1.0, memory=1, memory_total=2, process_memory=1, gpus=[])
    told.report(measured)
    told.report(measured)
    assert server.texts == ["Its disk is nearly full: 20,000 MB are free."]
    assert server.taken[0]["type"] == "warning"


HANGS = """
import sys, threading
from pathlib import Path
from types import SimpleNamespace
from engine.launch.attempt import attempt
from engine.launch.stall import watched
from engine.runs.directory import RunDirectory
from engine.runs.progress_marks import ProgressMarks

def hang(session):
    marks = ProgressMarks(session.run.path / "marks", 0.001)
    with watched(session), marks.watched():
        threading.Event().wait()

attempt(RunDirectory(Path(sys.argv[1])), hang)
"""


@pytest.mark.parametrize(
    ("on", "begin"), [(["stalled", "failed"], "Stalled: No up"), (["failed"], "Failed: No update")]
)
def test_a_run_that_hangs_tells_of_it_once_before_its_process_exits(
    server, settings, on: list[str], begin: str
) -> None:
    settings(urls=[server.url], on=on)
    run = RunDirectory.create(runs_folder(), RunConfig.parse(TABLE))
    done = subprocess.run(
        [sys.executable, "-c", HANGS, str(run.path)],
        env=worker_environment(), timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (text,) = server.texts
    assert text.startswith(begin)


def test_a_bound_of_a_metric() -> None:
    assert Bound.parse(" f1/PER >= 0.5 ").reached({"f1/PER": 0.5})
    assert not Bound.parse("loss<0.1").reached({"loss": 0.1})
    assert not Bound.parse("loss<0.1").reached({"accuracy": 0.0, "loss": None})
    with pytest.raises(ValueError, match="not of the form"):
        Bound.parse("loss<low")


def test_the_addresses_are_tried_by_a_command(server, settings, capsys) -> None:
    settings(urls=[server.url, server.url])
    assert main(["notify", "hello"]) == 0
    assert server.texts == ["hello", "hello"]
    assert "Sent to 2 addresses." in capsys.readouterr().out
    settings()
    assert main(["notify"]) == 2
    assert "The settings have no addresses for notifications." in capsys.readouterr().err


def test_apprise_that_is_missing_is_said(settings, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotifyError, match=r"dltui\[notify\]"):
        notifier.connect(["json://here"])
