"""Data sets of the hub as tables that are mapped from the disk. No code of theirs is run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from huggingface_hub import get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from engine.config.data.hub import HubConfig
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.hub_reach import offline_where_unreachable
from engine.reports.note import Note

datasets.disable_progress_bars()

_VALIDATION = ("validation", "valid", "val", "dev", "validation_matched")
_TEST = ("test", "testing")
_BUILTIN = "Built-in data needs no network: data.kind=builtin."


def load_from_hub(config: HubConfig) -> RawData:
    """The splits of a data set, with the names of its classes; raises :class:`DataError`."""
    if not config.name.strip():
        raise DataError("data.name: no data set is chosen.", "Give its name on the hub.")
    found = _download(config)
    names = {
        TRAIN: _split(found, config, "train_split", ()),
        VALIDATION: _split(found, config, "validation_split", _VALIDATION),
        TEST: _split(found, config, "test_split", _TEST),
    }
    splits = {split: _table(found[name]) for split, name in names.items() if name}
    unused = [plain(name, 40) for name in found if name not in names.values()]
    notes = [_unused(unused)] if unused else []
    return RawData(splits, tuple(notes))


def _unused(names: Sequence[str]) -> Note:
    text = f"not used: the {'split' if len(names) == 1 else 'splits'} {', '.join(names)}"
    return Note(text, change="data.train_split", kind="dropped")


def _download(config: HubConfig) -> datasets.DatasetDict:
    try:
        with nullcontext() if Path(config.name).is_dir() else offline_where_unreachable():
            return datasets.load_dataset(
                config.name, config.config or None, revision=config.revision
            )
    except (
        OSError, ValueError, RuntimeError, KeyError, TypeError, NotImplementedError,
        datasets.exceptions.DatasetsError, HfHubHTTPError, pa.ArrowException,
    ) as error:  # fmt: skip
        raise DataError(*_reason(config, error)) from error


def _reason(config: HubConfig, error: BaseException) -> tuple[str, str]:
    """Return the error message and the advice for a failed download."""
    name = plain(config.label)
    said = [_one_line(cause) for cause in _causes(error)]
    text = " ".join(said).lower()
    status = {
        getattr(getattr(cause, "response", None), "status_code", None) for cause in _causes(error)
    }
    if "gated" in text or 403 in status:
        return (
            f"data.name: the hub gives {name} only to those who accepted its terms.",
            "Accept them on its page and set HF_TOKEN.",
        )
    if ("invalid" in text and "token" in text) or "invalid username or password" in text:
        return f"The hub rejects HF_TOKEN for {name}.", "Set it anew, or unset it."
    if isinstance(error, HFValidationError):
        return f"data.name: {name!r} cannot be a name on the hub: {plain(said[0])}", ""
    if "builderconfig" in text or "config name is missing" in text:
        return f"data.config: {name} has several configurations: {plain(said[0], 400)}", ""
    if _is_unreachable(error, text):
        offline = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("HF_DATASETS_OFFLINE")
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        return f"data.name: {name} is not on this machine, and {why}.", _BUILTIN
    absent = isinstance(error, datasets.exceptions.DatasetNotFoundError)
    if absent or status & {401, 404}:
        # The hub answers alike for what does not exist and for what one may not see.
        token = "it is private, or HF_TOKEN is wrong" if get_token() else "it is private"
        return (
            f"data.name: there is no data set {name} on the hub, or {token}.",
            "Look for a slip in the name (owner/name), or set HF_TOKEN.",
        )
    if "dataset scripts" in text:
        return f"data.name: {name} needs custom code, which is never run here.", ""
    return f"data.name: {name} cannot be loaded: {plain(said[-1], 300)}", ""


def _is_unreachable(error: BaseException, text: str) -> bool:
    signs = ("offline", "couldn't reach", "couldn't find cache", "connection", "resolve host")
    return any(isinstance(cause, ConnectionError) for cause in _causes(error)) or any(
        sign in text for sign in signs
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:1000] or type(error).__name__


def _split(
    found: datasets.DatasetDict, config: HubConfig, field: str, usual: tuple[str, ...]
) -> str:
    """The name of a split as given, or by its usual names; empty where there is none."""
    wanted = str(getattr(config, field))
    if wanted == "none" and usual:
        return ""
    if not wanted:
        return next((name for name in usual if name in found), "")
    if wanted not in found:
        raise DataError(
            f"data.{field}: {plain(config.label)} has no split {plain(wanted, 40)!r}.",
            f"There is {', '.join(plain(name, 40) for name in found)}.",
        )
    return wanted


def _table(dataset: Any) -> pa.Table:
    """The rows, still on the disk, with what the data set notes about its columns."""
    return dataset.data.table.replace_schema_metadata(dataset.features.arrow_schema.metadata)
