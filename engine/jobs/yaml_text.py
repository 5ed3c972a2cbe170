"""YAML that people can read: keys in their order, long texts as blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """One that writes texts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def documents(*contents: Mapping[str, Any]) -> str:
    """One document for each of ``contents``."""
    return str(
        yaml.dump_all(contents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    )
