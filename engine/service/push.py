"""Publish a finished model: push it to the Hugging Face hub, on explicit request only.

The token is that of the hub's own library (``HF_TOKEN``, or its login); it is written nowhere. The
pushed model was loaded back and compared first, and contains no path of this machine.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomlkit
from huggingface_hub import HfApi, constants, get_token
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    OfflineModeIsEnabled,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from engine.errors import RunError, UserError
from engine.files import atomic
from engine.files.paths import runs_folder
from engine.files.sanitize import plain
from engine.runs.adapters import CONFIG
from engine.runs.directory import RunDirectory

_LOGIN = "Set HF_TOKEN, or log in by `hf auth login`."


def answer(run: str, repository: str, form: str, private: bool = False) -> dict[str, Any]:
    """Push the model of ``run`` in one of :data:`engine.service.export.FORMS`.

    Makes the repository where there is none. Returns its ``url`` and the ``bytes`` that went
    there. Raises :class:`~engine.errors.UserError`.
    """
    directory = RunDirectory.open(runs_folder(), run)
    if form != "merged":
        _check_base(directory)
    with _understood(repository):
        validate_repo_id(repository)
        api = HfApi(token=_token())
        api.whoami()
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model"
            exported = _exported(directory, model, form)
            url = api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository, folder_path=model, commit_message="Upload by dltui"
            )
    return {"url": str(url), "bytes": exported["bytes"], "difference": exported["difference"]}


def _token() -> str:
    if constants.HF_HUB_OFFLINE:
        raise UserError("HF_HUB_OFFLINE is set, so nothing is pushed.", "Unset it.")
    token = get_token()
    if not token:
        raise UserError("There is no token for the hub.", _LOGIN)
    return token


def _check_base(run: RunDirectory) -> None:
    """Reject an adapter whose base model is a local folder, as it is of no use to others."""
    try:
        base = json.loads((run.model / CONFIG).read_text())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    if Path(str(base)).is_absolute():
        raise RunError(
            f"The base of this adapter is a local folder, which others do not have: {plain(base)}.",
            "Push it with --merge, or train on the base by its name on the hub.",
        )


def _exported(run: RunDirectory, model: Path, form: str) -> dict[str, Any]:
    """Write the model; of whole paths in its configuration the last part is left."""
    # They load torch, which what is refused before need not wait for.
    from engine.artifacts.model_folder import write_manifest
    from engine.service import export

    exported = export.answer(run.id, str(model), form)
    config = model / "config.toml"
    if config.is_file():
        values = tomllib.loads(config.read_text())
        atomic.write_text(config, tomlkit.dumps(_shortened(values)))
        write_manifest(model)
    return exported


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shortened(part) for part in value]
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


@contextlib.contextmanager
def _understood(repository: str) -> Iterator[None]:
    """Convert errors of the hub or of the connection to one sentence."""
    try:
        yield
    except HFValidationError as error:
        raise UserError(
            f"{plain(repository, 100)!r} is not a repository name.", "Give OWNER/NAME."
        ) from error
    except OfflineModeIsEnabled as error:
        raise UserError("HF_HUB_OFFLINE is set, so nothing is pushed.", "Unset it.") from error
    except HfHubHTTPError as error:
        raise UserError(*_refusal(error, repository)) from error
    except (HTTPError, ConnectionError, TimeoutError) as error:
        why = plain(error, 200) or type(error).__name__
        raise UserError(f"The hub at {constants.ENDPOINT} cannot be reached: {why}.") from error


def _refusal(error: HfHubHTTPError, repository: str) -> tuple[str, str]:
    status = error.response.status_code if error.response is not None else 0
    if status == 401:
        return "The hub does not know the token.", _LOGIN
    if status == 403:
        return (
            f"The token may not write to {plain(repository, 100)}.",
            "Give a name of your own, or a token that may write.",
        )
    said = plain(error.server_message or str(error), 300)
    return f"The hub refused {plain(repository, 100)} (status {status}): {said}", ""
