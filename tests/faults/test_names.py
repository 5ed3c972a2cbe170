"""Names that lead elsewhere: nothing outside the program's folder is read, created or changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from engine.config.presets import delete_preset, find_preset, list_presets, load_preset, save_preset
from engine.config.run_config import RunConfig
from engine.data.load import load_data
from engine.errors import RunError, UserError
from engine.files.paths import presets_folder, queue_folder, runs_folder, sweeps_folder
from engine.files.slugs import is_name, to_name
from engine.queue import entries
from engine.runs.annotations import (
    LONGEST_NOTE,
    LONGEST_TAG,
    Annotations,
    read_annotations,
    to_tags,
    write_annotations,
)
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.listing import list_runs
from engine.runs.trash import discard, empty, restore, trash_folder
from engine.sweep.directory import SweepConfig, SweepDirectory, all_sweeps
from tui.__main__ import main

HARM = "names that lead out of their folder"
NAMES = [
    "..", ".", "../outside", "../../outside", "a/../../outside", "/tmp/outside", "/etc/passwd",
    "~", "~/outside", "~root", "a/b", "a\\b", "..\\outside", "C:\\x", "\\\\host\\x",
    "file:///etc/passwd", "%2e%2e%2foutside", "\x00", "a\x00b", "x" * 65, "x" * 300, "x" * 5000,
    "é", "日本", "🙂", "\u202eexe", "\uff0e\uff0e", "\ud800", ".hidden", ".trash", "-rf", "--help",
    "CON", "nul:", "aux|", "a b", " a", "a ", "a\n", "\n", "\t", "a\r", "", " ", "*", "[a]",
    "$(touch outside)", "`touch outside`", ";touch outside", "\x1b[2J",
]  # fmt: skip
QUICK = 5
ROOT = Path(__file__).resolve().parents[2]
_CHANGES = {
    "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.listdir",
    "os.scandir", "os.truncate", "os.chmod", "os.utime", "os.mkfifo", "shutil.rmtree",
}  # fmt: skip


class _Watch:
    """Records the paths that this process opens, lists or changes while it is active."""

    def __init__(self) -> None:
        self.places: list[str] | None = None

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.places is not None and event in _CHANGES:
            some = arguments[:2] if event in ("os.rename", "os.link") else arguments[:1]
            self.places += [os.fsdecode(one) for one in some if isinstance(one, str | bytes | Path)]


_watch = _Watch()
sys.addaudithook(_watch.hear)  # an audit hook cannot be removed, so there is only one


@contextmanager
def nothing_outside(root: Path) -> Iterator[None]:
    """Fail if a path is touched that is neither below ``root`` nor a part of the program."""
    own = [root, ROOT, Path(sys.prefix), Path(sys.base_prefix), Path("/proc"), Path("/dev/null")]
    _watch.places = []
    try:
        yield
    finally:
        touched, _watch.places = _watch.places, None
    strangers = {
        place
        for place in (os.path.realpath(one) for one in touched if "\x00" not in one)
        if not any(Path(place).is_relative_to(os.path.realpath(part)) for part in own)
    }
    assert not strangers


def config(name: str = "run") -> RunConfig:
    return RunConfig.parse(
        {
            "name": name,
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "builtin", "name": "iris"},
            "model": {"kind": "mlp"},
        }
    )


def refused(action: Callable[[], object]) -> None:
    """The action raises a readable error."""
    with pytest.raises(UserError) as error:
        action()
    str(error.value).encode(errors="replace")


def save_a_preset(name: str) -> None:
    refused(lambda: save_preset(name, config()))
    refused(lambda: save_preset(name, config(), replace=True))
    assert all(preset.shipped for preset in list_presets())


def name_a_run(name: str) -> None:
    refused(lambda: RunDirectory.create(runs_folder(), config(name)))
    assert not all_runs(runs_folder())


def name_a_run_roughly(name: str) -> None:
    run = RunDirectory.create(runs_folder(), config(to_name(name)))
    assert run.path.parent == runs_folder()
    assert is_name(run.id)
    assert run.config.read().name == to_name(name)


def open_a_run(name: str) -> None:
    RunDirectory.create(runs_folder(), config())
    refused(lambda: RunDirectory.open(runs_folder(), name))


def name_a_sweep(name: str) -> None:
    def make() -> None:
        try:
            values = config().values()
            made = SweepConfig(name=name, base=values, space={"train.learning_rate": "0.1,1"})
        except ValueError as error:
            raise RunError("no name") from error
        SweepDirectory.create(sweeps_folder(), made)

    refused(make)
    assert not all_sweeps(sweeps_folder())


def open_a_sweep(name: str) -> None:
    refused(lambda: SweepDirectory.open(sweeps_folder(), name))


def leave_the_queue(name: str) -> None:
    run = entries.add(config())
    refused(lambda: entries.remove(name))
    assert [entry.run.id for entry in entries.entries()] == [run.id]


def tag_a_run(name: str) -> None:
    run = RunDirectory.create(runs_folder(), config())
    before = sorted(run.path.iterdir())
    write_annotations(run, Annotations(to_tags([name, "kept"]), name[:LONGEST_NOTE]))
    noted = read_annotations(run)
    assert "kept" in noted.tags
    assert all(tag.isprintable() and len(tag) <= LONGEST_TAG for tag in noted.tags)
    assert sorted(run.path.iterdir()) == sorted({*before, run.annotations})


def lie_in_a_folder(name: str) -> None:
    """A file or folder of that name, if it can exist, is neither a preset nor a run."""
    for folder, end in ((runs_folder(), ""), (presets_folder(), ".toml"), (queue_folder(), "")):
        folder.mkdir(parents=True)
        place = folder / (name + end)
        if place.parent == folder and name not in ("", ".", ".."):
            with suppress(OSError, ValueError):
                place.mkdir()
                (place / "config.toml").write_text("")
    assert not all_runs(runs_folder())
    assert not list_runs(runs_folder())
    assert all(preset.shipped for preset in list_presets())
    assert not entries.entries()


def status(*arguments: str) -> int | str | None:
    """The exit status of the program."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


def give_to_a_command(name: str) -> None:
    run = RunDirectory.create(runs_folder(), config())
    for command in (["stop"], ["show"], ["report"], ["queue", "remove"]):
        assert status(*command, name) == (0 if name == "--help" else 2), command
    for option in ("--put", "--restore"):
        assert status("trash", f"{option}={name}") == 2, option
    assert all_runs(runs_folder()) == [run] or [one.id for one in all_runs(runs_folder())] == [
        run.id
    ]


DOORS = (
    save_a_preset, name_a_run, name_a_run_roughly, open_a_run, name_a_sweep, open_a_sweep,
    leave_the_queue, tag_a_run, lie_in_a_folder, give_to_a_command,
)  # fmt: skip


def read_a_preset(path: str) -> None:
    load_preset(find_preset(f"./{path}.toml"))


def with_values(section: str, **values: Any) -> RunConfig:
    kind = {"file": "text_classification", "image_folder": "image_classification"}[section]
    model = {"kind": "transformer"} if kind == "text_classification" else {"kind": "cnn"}
    data = {"kind": section} | values
    return RunConfig.parse({"task": {"kind": kind}, "data": data, "model": model})


def load(made: RunConfig) -> None:
    """Load the data as in a run, whose paths are absolute."""
    run = RunDirectory.create(runs_folder(), made)
    load_data(run.config.read().data)


def load_files(path: str) -> None:
    load(with_values("file", path=path))


def load_a_pattern(path: str) -> None:
    load(with_values("file", path=f"nothing{path}/**/*.csv"))


def load_validation_files(path: str) -> None:
    rows = Path(str(files("sklearn") / "datasets" / "data" / "iris.csv"))
    load(with_values("file", path=str(rows), validation_path=path or "nothing"))


def load_images(path: str) -> None:
    load(with_values("image_folder", path=path))


def begin_with_a_model(path: str) -> None:
    from engine.models.language.text_tokenizer import load_tokenizer

    values = with_values("file", path="x").values() | {
        "model": {"kind": "transformer", "path": path or "."}
    }
    load_tokenizer(RunConfig.parse(values).anchored().model)  # type: ignore[arg-type]


PATHS = (
    read_a_preset, load_files, load_a_pattern, load_validation_files, load_images,
    begin_with_a_model,
)  # fmt: skip


@pytest.fixture
def root(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that may be touched; the folders around it belong to other users."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "config.toml").write_text("secret")
    home.mkdir()
    return home


@pytest.mark.harm(HARM, QUICK)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_name_that_leads_elsewhere_touches_nothing_there(door: Any, root: Path) -> None:
    for number, name in enumerate(NAMES[:: len(NAMES) // QUICK]):
        place = root / str(number)
        with pytest.MonkeyPatch.context() as changes, nothing_outside(root):
            changes.setenv("DLTUI_HOME", str(place))
            door(name)


@pytest.mark.harm(HARM, 1)
@pytest.mark.faults
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_each_name_at_each_door(door: Any, name: str, root: Path) -> None:
    with nothing_outside(root):
        door(name)
    assert [path.name for path in root.parent.iterdir()].count("outside") == 1
    assert (root.parent / "outside" / "config.toml").read_text() == "secret"


def lead_nowhere(door: Any, names: list[str], root: Path) -> None:
    with pytest.MonkeyPatch.context() as changes:
        changes.setenv("HOME", str(root))
        for name in names:
            refused(lambda name=name: door(name))


@pytest.mark.harm("paths that lead nowhere", 3)
@pytest.mark.parametrize("door", PATHS, ids=lambda door: door.__name__)
def test_a_path_that_leads_nowhere_is_refused(door: Any, root: Path) -> None:
    lead_nowhere(door, ["\x00", "x" * 300, "~nobody"], root)


@pytest.mark.harm("paths that lead nowhere", len(NAMES))
@pytest.mark.faults
@pytest.mark.parametrize("door", PATHS, ids=lambda door: door.__name__)
def test_each_path_that_leads_nowhere(door: Any, root: Path) -> None:
    lead_nowhere(door, NAMES, root)


@pytest.fixture
def elsewhere(tmp_path: Path) -> RunDirectory:
    """A run in a folder of another user."""
    return RunDirectory.create(tmp_path / "outside", config())


def content(folder: Path) -> dict[str, bytes]:
    """The content of all files below a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_link_to_a_run_elsewhere_is_no_run(root: Path, elsewhere: RunDirectory) -> None:
    runs_folder().mkdir()
    (runs_folder() / "linked").symlink_to(elsewhere.path)
    own = RunDirectory.create(runs_folder(), config())
    before = content(elsewhere.path)

    with nothing_outside(root):
        assert [run.id for run in all_runs(runs_folder())] == [own.id]
        assert [row.run.id for row in list_runs(runs_folder())] == [own.id]
        refused(lambda: RunDirectory.open(runs_folder(), "linked"))
    assert content(elsewhere.path) == before


def test_what_a_deleted_run_leads_to_stays(
    root: Path, elsewhere: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)  # the deleted run is given as a relative path
    run = RunDirectory.create(runs_folder(), config())
    (run.path / "model").symlink_to(elsewhere.path)
    (run.checkpoints / "step-000000001").symlink_to(elsewhere.path)
    before = content(elsewhere.path)

    with nothing_outside(root):
        restore(discard(run))
        discard(run)
        assert empty(runs_folder()) == 1
    assert not list(trash_folder(runs_folder()).iterdir())
    assert content(elsewhere.path) == before


def test_a_preset_that_is_a_link_is_replaced_and_deleted_alone(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "mine.toml"
    outside.write_text("title = 'of someone else'")
    presets_folder().mkdir()
    link = presets_folder() / "mine.toml"
    link.symlink_to(outside)

    save_preset("mine", config(), replace=True)
    assert not link.is_symlink()
    link.unlink()
    link.symlink_to(outside)
    delete_preset(find_preset("mine"))
    assert not link.is_symlink()
    assert outside.read_text() == "title = 'of someone else'"


def test_a_run_is_made_beside_a_link_of_its_name(root: Path, elsewhere: RunDirectory) -> None:
    before = content(elsewhere.path)
    sweeps_folder().mkdir()
    (sweeps_folder() / "linked").symlink_to(elsewhere.path)
    space = {"train.learning_rate": "0.1,1"}
    made = SweepConfig(name="linked", base=config().values(), space=space)

    refused(lambda: SweepDirectory.create(sweeps_folder(), made))
    assert content(elsewhere.path) == before
