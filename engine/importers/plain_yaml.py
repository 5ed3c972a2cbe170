"""Files of settings in YAML: plain values, without objects of Python and without references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LARGEST = 1 << 20


class PlainYamlError(ValueError):
    """A file is not plain YAML with named values."""


class _Plain(yaml.SafeLoader):  # type: ignore[misc]
    """Without references, by which a small file can name a huge tree."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("references are not read")
        return super().compose_node(parent, index)


def read_plain_yaml(path: Path) -> dict[str, Any]:
    """Read the named values of a file. Raises ``OSError`` and :class:`PlainYamlError`."""
    if path.stat().st_size > _LARGEST:
        raise PlainYamlError("it is larger than 1 MB")
    try:
        values = yaml.load(path.read_bytes(), Loader=_Plain)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise PlainYamlError("it has more than plain values") from error
    if not isinstance(values, dict):
        raise PlainYamlError("it has no names")
    return {str(name): value for name, value in values.items()}
