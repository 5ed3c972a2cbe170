"""Malformed presets: each is an experiment, or one clear error within 50 ms."""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.config.fields import FieldSpec
from engine.config.presets import find_preset, list_presets, load_preset
from engine.config.run_config import REGISTRIES, RunConfig, fields_of
from engine.errors import ConfigError, PresetError, UserError

QUICK_GENERATED, QUICK_MUTATED = 100, 100
GENERATED, MUTATED = 8000, 2000
MOST_SECONDS = 0.05
LINE = re.compile(r"\(at line \d+\b")


def answer_to(content: bytes, path: Path) -> RunConfig | UserError:
    """The configuration of a preset with this content, or its error."""
    path.write_bytes(content)
    try:
        return load_preset(find_preset(str(path)))
    except (PresetError, ConfigError) as error:
        return error


def says_where(error: UserError) -> bool:
    """Whether an error names a line, or a field in each of its sentences."""
    if isinstance(error, ConfigError):
        return all(problem.field and problem.message for problem in error.problems)
    return LINE.search(str(error)) is not None


def computed(action: Callable[[], object]) -> float:
    """CPU seconds of an action, without those of other threads."""
    begin = time.thread_time()
    action()
    return time.thread_time() - begin


def is_answered(content: bytes, path: Path) -> None:
    """A preset is loaded, or refused with a place, within the time limit."""

    def answer() -> object:
        nonlocal given
        given = answer_to(content, path)
        return given

    given: RunConfig | UserError
    seconds = computed(answer)
    if isinstance(given, RunConfig):
        assert RunConfig.parse(given.values()) == given
    else:
        assert says_where(given), str(given)
    if seconds > MOST_SECONDS:  # other processes may have used the CPU
        seconds = median(computed(answer) for _ in range(5))
    assert seconds <= MOST_SECONDS, f"{seconds:.3f} s: {given}"


def toml(value: Any) -> str:
    """A value as TOML, as far as TOML has it."""
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{toml(str(key))} = {toml(part)}" for key, part in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    if isinstance(value, Raw):
        return value
    return json.dumps(value, ensure_ascii=False)


class Raw(str):
    """Text that is written into the file unquoted."""


def document(sections: Mapping[str, Any]) -> bytes:
    """A preset: values before sections, as TOML requires."""
    tables = {name: part for name, part in sections.items() if isinstance(part, dict)}
    lines = [
        f"{toml(name)} = {toml(part)}" for name, part in sections.items() if name not in tables
    ]
    for name, part in tables.items():
        lines += [
            f"[{toml(name)}]",
            *(f"{toml(key)} = {toml(value)}" for key, value in part.items()),
        ]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


STRANGE = st.one_of(
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, 10**30, 10**400, -1, 0]),
    st.floats(),
    st.text(max_size=40),
    st.text(alphabet="[]{}\"'\\\x00\x1b\u202e\ud800\n=.#", max_size=10),
    st.sampled_from(["..", "/etc/passwd", "~", "x" * 3000, "nan", "none", "", "🙂" * 200]),
    st.sampled_from(
        [
            Raw(text)
            for text in (
                "1979-05-27", "07:32:00", "1979-05-27T07:32:00-08:00", "0x" + "f" * 5000,
                "9" * 5000, "1e999", "-inf", "[" * 2000, "{a = " * 500, "'''", '"""', "0o8", "+",
            )
        ]
    ),
)  # fmt: skip
ANY = st.recursive(
    STRANGE,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@lru_cache(maxsize=4096)
def fitting(spec: FieldSpec) -> st.SearchStrategy[Any]:
    """Valid values of a field."""
    low = spec.minimum if spec.minimum is not None else spec.exclusive_minimum
    high = spec.maximum if spec.maximum is not None else spec.exclusive_maximum
    match spec.kind:
        case "bool":
            return st.booleans()
        case "int":
            return st.integers(int(low or 0), int(high if high is not None else 10_000))
        case "float":
            return st.floats(low or 0.0, high if high is not None else 1e3)
        case "choice":
            return st.sampled_from(spec.choices)
        case "list" if spec.choices:
            return st.lists(st.sampled_from(spec.choices), max_size=4)
        case "list":
            return st.lists(
                st.integers(1, 64) if spec.item == "int" else st.text(max_size=9), max_size=4
            )
        case "mapping":
            values = st.sampled_from(spec.suggestions) if spec.suggestions else st.text(max_size=9)
            return st.dictionaries(st.text(max_size=9), values, max_size=4)
        case _:
            return st.text(max_size=30)


@st.composite
def presets(draw: st.DrawFn) -> bytes:
    """Experiments of all kinds with mostly valid values."""
    sections: dict[str, Any] = {}
    task = draw(st.sampled_from(sorted(REGISTRIES["task"])))
    kinds = {
        "task": task,
        "model": draw(st.sampled_from([*REGISTRIES["task"][task].models, "mlp"])),
    }
    for name in REGISTRIES:
        kind = kinds.get(name) or draw(st.sampled_from(sorted(REGISTRIES[name])))
        sections[name] = {"kind": kind}
    specs = [spec for spec in fields_of(sections).values() if spec.key != "kind"]
    for spec in draw(
        st.lists(st.sampled_from(specs), max_size=8, unique_by=lambda spec: spec.name)
    ):
        *parents, key = spec.name.split(".")
        part = sections
        for parent in parents:
            part = part.setdefault(parent, {})
        part[key] = draw(ANY if draw(st.integers(0, 9)) == 0 else fitting(spec))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*sections, "extra"]))
        if draw(st.booleans()) and isinstance(sections.get(name), dict):
            sections[name] = sections[name] | {draw(st.text(max_size=20)): draw(ANY)}
        else:
            sections[name] = draw(ANY)
    return document(sections)


def check_generated(folder: Path, count: int) -> None:
    """Check ``count`` presets generated by hypothesis."""

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(presets())
    def check(content: bytes) -> None:
        is_answered(content, folder / "generated.toml")

    check()


REPLACEMENTS = (
    "true", "-1", "0", "1e999", "nan", "''", '"text"', "[]", "[1, [2]]", "{}", "{a = 1}",
    "1979-05-27", "99999999999999999999", "9" * 5000, "0x" + "f" * 4000, "[" * 1500, "=", "",
    '"\\u0000"', '"' + "x" * 5000 + '"', "a.b.c", '"\\ud800"', "[" + "1," * 2000 + "]",
)  # fmt: skip


def delete_lines(lines: list[str], chance: random.Random) -> None:
    for _ in range(chance.randint(1, 3)):
        if lines:
            del lines[chance.randrange(len(lines))]


def replace_value(lines: list[str], chance: random.Random) -> None:
    fields = [i for i, line in enumerate(lines) if "=" in line]
    if fields:
        place = chance.choice(fields)
        lines[place] = f"{lines[place].partition('=')[0]}= {chance.choice(REPLACEMENTS)}"


def rename_key(lines: list[str], chance: random.Random) -> None:
    place = chance.randrange(len(lines))
    cut = chance.randrange(len(lines[place]) + 1)
    lines[place] = (
        lines[place][:cut]
        + chance.choice(["x", ".", "[", "\t", "é", "#", '"'])
        + lines[place][cut:]
    )


def repeat_lines(lines: list[str], chance: random.Random) -> None:
    begin = chance.randrange(len(lines))
    lines[chance.randrange(len(lines)) :] = lines[
        begin : begin + chance.randint(1, 200)
    ] * chance.choice([1, 9])


def swap_lines(lines: list[str], chance: random.Random) -> None:
    chance.shuffle(lines)


def add_many(lines: list[str], chance: random.Random) -> None:
    lines += [f"field{number} = {number}" for number in range(chance.randint(1, 300))]


def nest(lines: list[str], chance: random.Random) -> None:
    lines += [
        f"epochs{'.a' * chance.randint(1, 400)} = 1",
        f"[{'.'.join('abc' * chance.randint(1, 60))}]",
    ]


CHANGES = (
    delete_lines,
    replace_value,
    replace_value,
    rename_key,
    repeat_lines,
    swap_lines,
    add_many,
    nest,
)
SHIPPED = [preset.path for preset in list_presets() if preset.shipped]


def mutated(seed: int) -> bytes:
    """A shipped preset with random changes."""
    chance = random.Random(seed)
    content = chance.choice(SHIPPED).read_bytes()
    if seed % 4 == 0:  # bytes
        changed = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        return bytes(changed[: chance.choice([None, chance.randrange(len(changed))])])
    lines = content.decode().splitlines()
    for _ in range(chance.randint(1, 3)):
        if lines:
            chance.choice(CHANGES)(lines, chance)
    return "\n".join(lines).encode()


@pytest.mark.harm("presets that were thought up or changed at random", QUICK_GENERATED)
def test_a_preset_that_is_thought_up_is_read_or_refused_with_a_place(tmp_path: Path) -> None:
    check_generated(tmp_path, QUICK_GENERATED)


@pytest.mark.harm("presets that were thought up or changed at random", QUICK_MUTATED)
def test_a_preset_that_is_changed_is_read_or_refused_with_a_place(tmp_path: Path) -> None:
    for seed in range(QUICK_MUTATED):
        is_answered(mutated(seed), tmp_path / "changed.toml")


@pytest.mark.harm("presets that were thought up or changed at random", GENERATED)
@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_thousands_of_presets_that_are_thought_up(tmp_path: Path) -> None:
    check_generated(tmp_path, GENERATED)


@pytest.mark.harm("presets that were thought up or changed at random", MUTATED)
@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_thousands_of_presets_that_are_changed(tmp_path: Path) -> None:
    for seed in range(QUICK_MUTATED, QUICK_MUTATED + MUTATED):
        is_answered(mutated(seed), tmp_path / "changed.toml")
