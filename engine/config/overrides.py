"""From texts to values and from validation errors to sentences."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import tomlkit
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.config.fields import FieldSpec
from engine.errors import Problem
from engine.files import safe_toml
from engine.files.sanitize import plain
from engine.files.slugs import NAME_PATTERN, NAME_RULE

Tree = dict[str, Any]

NO_FIELD = "no such field"
"""The beginning of what is said of a field that does not exist."""
_PAIR_ENDS = re.compile(r",(?=[^,=]+=)")
_LISTED = 8
"""Most fields of a section that are listed where no field is alike."""
_COMPARED = 5
"""Most fields that do not exist for which one that does is suggested."""


def parse_value(text: str, spec: FieldSpec | None) -> Any:
    """The value that ``text`` stands for: TOML where it is TOML, else the text itself.

    Text fields keep what was typed (``data.path=2024`` is a path), lists also come as ``a,b``, and
    mappings as ``a=1,b=2``.
    """
    if spec is not None and spec.kind == "text" and not text.startswith(('"', "'")):
        return text
    if spec is not None and spec.kind == "list" and not text.lstrip().startswith("["):
        return [_toml(part.strip()) for part in text.split(",") if part.strip()]
    if spec is not None and spec.kind == "mapping" and not text.lstrip().startswith("{"):
        return _pairs(text)
    return _toml(text)


def _pairs(text: str) -> Any:
    """Return the mapping of ``a=1,b=2``; the text itself where it is none."""
    pairs = [part.partition("=") for part in _PAIR_ENDS.split(text) if part.strip()]
    if not all(equals and name.strip() for name, equals, _ in pairs):
        return text
    return {name.strip(): value.strip() for name, _, value in pairs}


def text_of(value: Any, spec: FieldSpec) -> str:
    """The text that :func:`parse_value` reads as ``value``: short where possible, else TOML."""
    if value is None:
        return "none" if spec.optional else ""
    short = _short(value)
    if _same(parse_value(short, spec), value) and not (spec.optional and short in ("", "none")):
        return short
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update(value)
        return str(table.as_string())
    return str(tomlkit.item(value).as_string())


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(_short, value))
    if isinstance(value, Mapping):
        return ",".join(f"{name}={text}" for name, text in value.items())
    return str(value)


def _same(one: Any, other: Any) -> bool:
    """Equal in kind too: ``"1"``, ``1`` and ``True`` differ."""
    if isinstance(one, list) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def assignments(
    base: Mapping[str, Any], target: Mapping[str, Any], fields: Mapping[str, FieldSpec]
) -> list[str]:
    """The ``field=value`` texts that make ``target`` of ``base``, both with all their values.

    ``fields`` are those of ``target``. A section of another kind starts afresh, so what differs
    from its defaults is given.
    """
    fresh = {name for name in target if _kind(base, name) != _kind(target, name)}
    given = []
    for name, spec in fields.items():
        new = look_up(target, name)
        old = _plain_default(spec) if name.split(".")[0] in fresh else look_up(base, name)
        if new != old:
            given.append(f"{name}={text_of(new, spec)}")
    return given


def look_up(values: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name, ``None`` where there is none."""
    part: Any = values
    for key in name.split("."):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part


def _kind(values: Mapping[str, Any], section: str) -> Any:
    return look_up(values, f"{section}.kind")


def _plain_default(spec: FieldSpec) -> Any:
    return list(spec.default) if isinstance(spec.default, tuple) else copy(spec.default)


def _toml(text: str) -> Any:
    try:
        return safe_toml.loads(f"value = {text}")["value"]
    except (safe_toml.TomlError, KeyError):
        return text


def apply_override(
    values: Tree, assignment: str, fields: Mapping[str, FieldSpec], problems: list[Problem]
) -> None:
    """Set one ``field=value`` in ``values``; what is wrong is added to ``problems``."""
    name, equals, text = assignment.partition("=")
    name = name.strip()
    if not equals or not name:
        problems.append(Problem("", f"{plain(assignment)!r} is not of the form field=value"))
        return
    spec = fields.get(name)
    if spec is None and (mapping := _mapping_of(name, fields)):
        key = name.removeprefix(f"{mapping}.").strip("\"'")
        known = look_up(values, mapping)
        pair = (dict(known) if isinstance(known, Mapping) else {}) | {key: text.strip()}
        apply_override(values, f"{mapping}={text_of(pair, fields[mapping])}", fields, problems)
        return
    if spec is None:
        problems.append(Problem(plain(name), _unknown(name, fields)))
        return
    *sections, key = name.split(".")
    part = values
    for section in sections:
        found = part.get(section) or {}
        if not isinstance(found, Mapping):
            return  # what is no section is refused as a whole
        part[section] = dict(found)
        part = part[section]
    if key == "kind" and part.get("kind") != text:
        part.clear()
    if spec.optional and text in ("", "none"):
        part.pop(key, None)
    else:
        part[key] = parse_value(text, spec)


def _mapping_of(name: str, fields: Mapping[str, FieldSpec]) -> str:
    """Return the mapping that has the entry ``name``, such as ``data.columns.zip``."""
    found = (n for n, spec in fields.items() if spec.kind == "mapping" and name.startswith(f"{n}."))
    return next(found, "")


def problems_of(
    error: ValidationError, values: Mapping[str, Any], fields: Mapping[str, FieldSpec]
) -> list[Problem]:
    """One problem for each field that pydantic refused, in the order of the fields."""
    found: dict[str, Problem] = {}
    for details in error.errors(include_url=False):
        name = _name(details)
        # To look for what is alike takes a millisecond or three each.
        known = fields if len(found) < _COMPARED else {}
        if name not in found:
            found[name] = Problem(plain(name), _sentence(name, details, fields, known))
    return list(found.values())


def _name(details: ErrorDetails) -> str:
    parts = [str(part) for part in details["loc"] if not isinstance(part, int)]
    parts += [str(details.get("ctx", {}).get("field", ""))]
    return ".".join(filter(None, parts))


class _Given(reprlib.Repr):
    """Values as they stand in a file: at most so many of them, and so much of each."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxdict = 60
        self.maxstring = self.maxother = 500

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 1000 else "a number of many digits"


_given = _Given().repr


def _sentence(
    name: str,
    details: ErrorDetails,
    fields: Mapping[str, FieldSpec],
    known: Mapping[str, FieldSpec],
) -> str:
    """Return the problem; for an unknown field, with the nearest of the ``known``."""
    if details["type"] == "extra_forbidden":
        return _unknown(name, known)
    spec = fields.get(name)
    if details["type"] == "missing":
        return f"is missing; {spec.allowed}" if spec else "is missing"
    if details["type"] in ("section", "unknown_kind", "mismatch", "not_allowed"):
        return details["msg"]
    if details["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a section, not {plain(_given(details['input']), 60)}"
    given = plain(_given(details["input"]), 60)
    if details.get("ctx", {}).get("pattern") == f"^{NAME_PATTERN}$":
        return f"{given} is not allowed; {NAME_RULE}"
    if spec is None or (spec.kind == "text" and isinstance(details["input"], str)):
        return f"{given} is not allowed: {plain(details['msg'])}"
    usual = "" if spec.default is None else f" (default {_shown(spec.default)})"
    return f"{given} is not allowed; {spec.allowed}{usual}"


def _unknown(name: str, fields: Mapping[str, FieldSpec]) -> str:
    """There is no such field; what was meant is named, else what its section has."""
    section, _, key = name.rpartition(".")
    own = [other for other in fields if other.startswith(f"{section}.")]
    if meant := _meant(name, key, own, fields):
        return f"{NO_FIELD}; did you mean {meant}?"
    if not own:
        return NO_FIELD
    keys = [other.removeprefix(f"{section}.") for other in own]
    return f"{NO_FIELD}; {section} has {', '.join(keys[:_LISTED])}{', …' * (len(keys) > _LISTED)}"


def _meant(name: str, key: str, own: Sequence[str], fields: Iterable[str]) -> str:
    """Return the field that an unknown one stands for; empty where that is doubtful.

    It is one of this key in another section, else the nearest of its ``own`` section, else the one
    of these initials, such as ``lr``.
    """
    keys = {other: other.rpartition(".")[2] for other in fields}
    elsewhere = [other for other, its in keys.items() if its == key]
    if len(elsewhere) == 1:
        return elsewhere[0]
    near = difflib.get_close_matches(key, [keys[other] for other in own], 1, 0.65)
    if near:
        return next(other for other in own if keys[other] == near[0])
    short = {other: "".join(word[:1] for word in its.split("_")) for other, its in keys.items()}
    among = [other for other in own or keys if short[other] == key and keys[other] != key]
    if len(among) == 1:
        return among[0]
    return next(iter(difflib.get_close_matches(name, [] if own else keys, n=1, cutoff=0.5)), "")


def _shown(value: Any) -> str:
    return (
        {True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
    )
