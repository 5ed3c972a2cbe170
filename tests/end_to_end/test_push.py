"""A model is pushed to a local stand-in for the hub."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch

from engine import train
from engine.artifacts.model_folder import load_exported
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.runs.directory import RunDirectory

TOKEN = "hf_of_nobody"
Call = Callable[..., CompletedProcess[str]]


class Hub(ThreadingHTTPServer):
    """A stand-in for the few requests of the hub's library that a push makes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.may_write = True


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path != "/api/whoami-v2":
            self._answer(404, {"error": self.path})
            return
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self._answer(200 if known else 401, {"name": "me", "type": "user", "orgs": []})

    def do_POST(self) -> None:
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/repos/create" and not self.server.may_write:
            self._answer(403, {"error": "You don't have the rights"})
        elif self.path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            self._answer(200, {"url": f"http://{self.headers['Host']}/me/films"})
        elif self.path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular"} for f in files]
            self._answer(200, {"files": [m | {"shouldIgnore": False} for m in modes]})
        elif self.path.endswith("/commit/main"):
            for record in map(json.loads, body.splitlines()):
                if record["key"] == "file":
                    value = record["value"]
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
            url = f"http://{self.headers['Host']}/me/films/commit/{'0' * 40}"
            self._answer(200, {"commitOid": "0" * 40, "commitUrl": url})
        else:
            self._answer(404, {"error": self.path})

    def _answer(self, status: int, record: Any) -> None:
        body = json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write no log."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with Hub() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server
        server.shutdown()


@pytest.fixture
def run(home: Path) -> RunDirectory:
    """A run that has no model yet."""
    values = {
        "name": "films",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp"},
    }
    return RunDirectory.create(home / "runs", RunConfig.parse(values))


@pytest.mark.slow
def test_a_model_is_pushed_whole_with_its_page_and_no_place_of_this_machine(
    home: Path, hub: Hub, dltui: Call, tmp_path: Path
) -> None:
    table = tmp_path / "secret-folder" / "rows.csv"
    table.parent.mkdir()
    table.write_text("a,b,label\n" + "".join(f"{i},{i % 7},{'xy'[i % 2]}\n" for i in range(60)))
    data = ["data.kind=file", f"data.path={table}", "train.max_steps=1", "compute.threads=1"]
    train(load_preset(find_preset("iris-mlp"), data))

    pushed = dltui("push", "iris-mlp", "me/films", "--private", "--yes")

    assert pushed.returncode == 0, pushed.stderr
    assert "/me/films" in pushed.stdout
    assert [(one["name"], one["visibility"]) for one in hub.created] == [("films", "private")]
    everything = b"".join(hub.files.values())
    assert b"secret-folder" not in everything
    assert TOKEN.encode() not in everything
    assert b"library_name" in hub.files["README.md"]
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert kept
    assert not any(TOKEN.encode() in path.read_bytes() for path in kept)
    folder = tmp_path / "fetched"
    folder.mkdir()
    for name, content in hub.files.items():
        (folder / name).write_bytes(content)
    load_exported(folder, torch.device("cpu"))

    hub.may_write = False
    refused = dltui("push", "iris-mlp", "others/films", "--yes")
    assert refused.stderr.startswith("dltui: The token may not write to others/films.")


def test_nothing_is_pushed_without_a_yes(run: RunDirectory, hub: Hub, dltui: Call) -> None:
    refused = dltui("push", run.id, "me/films")
    assert refused.returncode == 2
    assert "Add --yes." in refused.stderr
    assert hub.asked == []


def test_it_is_asked_on_a_terminal(run: RunDirectory, hub: Hub, open_terminal: Any) -> None:
    terminal = open_terminal("push", run.id, "me/films")
    terminal.wait_for("everybody can read it", "Type yes")
    terminal.press("no", "enter")
    terminal.wait_for("Nothing was pushed.")
    assert terminal.wait_for_exit() == 0
    assert hub.asked == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"HF_TOKEN": ""}, "There is no token for the hub. Set HF_TOKEN"),
        ({"HF_TOKEN": "hf_wrong"}, "The hub does not know the token."),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
    ],
)
def test_what_stands_in_the_way_is_reported_in_a_sentence(
    run: RunDirectory, hub: Hub, dltui: Call, monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str], sentence: str,
) -> None:  # fmt: skip
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    refused = dltui("push", run.id, "me/films", "--yes")
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "hf_wrong" not in refused.stderr
    assert hub.files == {}


def test_a_name_that_is_none_is_refused(run: RunDirectory, hub: Hub, dltui: Call) -> None:
    refused = dltui("push", run.id, "no name!", "--yes")
    assert "is not a repository name. Give OWNER/NAME." in refused.stderr
