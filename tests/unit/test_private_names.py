"""The private names of other packages stand in one module each, and are what we take them for."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.notifications import Notification, Notify
from textual.widgets import Label
from textual.widgets._toast import Toast
from torch import nn

import tui
from engine import torch_private
from tui.terminal import textual_private

ROOT = Path(__file__).parents[2]
HOMES = {
    "torch": "engine/torch_private.py",
    "peft": "",
    "transformers": "engine/text/transformers_private.py",
    "textual": "tui/terminal/textual_private.py",
    "sklearn": "engine/baselines/fitted_trees.py",
}
"""By package, the one module that may use its private names."""
NAME = re.compile(r"[\w.]+")


def private_names(path: Path) -> Iterator[tuple[str, str]]:
    """Package and private name, for every use of one by its package's name or by an import."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            names = [text] if NAME.fullmatch(text := ast.unparse(node)) else []
        else:
            continue
        for name in names:
            package, *rest = name.split(".")
            if any(map(is_private, rest)):
                yield package, name


def is_private(name: str) -> bool:
    """Return whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")


@cache
def used_private_names() -> list[tuple[str, str, str]]:
    """Package, private name and file, for every use in the program."""
    return [
        (package, name, str(path.relative_to(ROOT)))
        for folder in ("engine", "tui")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for package, name in private_names(path)
    ]


@pytest.mark.parametrize("package", HOMES)
def test_private_names_of_a_package_stand_in_one_module(package: str) -> None:
    elsewhere = [
        f"{path}: {name}"
        for owner, name, path in used_private_names()
        if owner == package and path != HOMES[package]
    ]
    assert not elsewhere


PYTHON = {"os._exit", "atexit._run_exitfuncs", "tile._replace"}
"""Names of the standard library that begin with an underscore and are documented, or have no like.
"""
CALLS = {"getattr", "hasattr", "setattr"}


def private_attributes(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Private attributes of other objects than ``self``, and the whole expression of each.

    Of calls, all names are yielded.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if is_private(node.attr) and ast.unparse(node.value) not in ("self", "cls"):
                yield node.attr, ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
            for name in node.args[1:2]:
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value, ast.unparse(node)


def names_made(tree: ast.AST) -> Iterator[str]:
    """Names that a module gives to functions, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id


def test_private_attributes_of_other_packages_objects_stand_in_these_modules() -> None:
    trees = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for folder in ("engine", "tui")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    ours = {name for tree in trees.values() for name in names_made(tree)}
    elsewhere = [
        f"{path}: {whole}"
        for path, tree in trees.items()
        if path not in HOMES.values()
        for name, whole in private_attributes(tree)
        if re.match("_[a-z]", name) and name not in ours and whole not in PYTHON
    ]
    assert not elsewhere


@cache
def own_private_names(kind: type) -> set[str]:
    """Private names in the source of a class: its methods, and attributes of ``self``."""
    names = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind)))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            names.add(node.attr)
    return {name for name in names if re.match("_[a-z]", name)}


def classes_on_textual() -> Iterator[type]:
    """All classes of the user interface that are derived from one of Textual's."""
    for found in pkgutil.walk_packages(tui.__path__, "tui."):
        if found.name != "tui.__main__":
            for kind in vars(import_module(found.name)).values():
                if inspect.isclass(kind) and kind.__module__ == found.name:
                    yield kind


def test_no_class_uses_or_hides_a_private_name_of_textual() -> None:
    """Hidden by accident, such a name breaks a widget in ways that only some versions show."""
    clashes = []
    for kind in classes_on_textual():
        if kind.__module__ != textual_private.__name__:
            bases = [base for base in kind.__mro__ if base.__module__.startswith("textual.")]
            foreign = {name for base in bases for name in own_private_names(base)}
            clashes += [f"{kind.__name__}.{n}" for n in own_private_names(kind) & foreign]
    assert not clashes


def test_a_change_is_painted_when_it_is_asked_for() -> None:
    class Counter(App[None]):
        def compose(self) -> ComposeResult:
            yield Label("0")

    async def run() -> None:
        app = Counter()
        async with app.run_test(size=(20, 3)) as pilot:
            await pilot.pause()
            label = app.query_one(Label)
            label.update("1")
            textual_private.request_paint(label)
            textual_private.paint(app.screen)
            first = app.screen._compositor.render_strips()[0]
            assert first.text.startswith("1")

    asyncio.run(run())


def test_scroll_bars_follow_a_size() -> None:
    class Lines(App[None]):
        def compose(self) -> ComposeResult:
            yield VerticalScroll(Label("a line\n" * 20))

    async def run() -> None:
        app = Lines()
        async with app.run_test(size=(20, 5)) as pilot:
            await pilot.pause()
            box = app.query_one(VerticalScroll)
            textual_private.update_scroll_bars(box, Size(10, 100))
            assert box.vertical_scrollbar.window_virtual_size == 100

    asyncio.run(run())


def test_a_message_is_forgotten_before_its_time() -> None:
    async def run() -> None:
        app = App[None]()
        async with app.run_test(notifications=True) as pilot:
            kept, dropped = (Notification(text, timeout=60) for text in ("kept", "dropped"))
            for notification in (kept, dropped):
                app.post_message(Notify(notification))
            await pilot.pause()
            textual_private.forget(app, dropped)
            await pilot.pause()
            assert [toast._notification.message for toast in app.screen.query(Toast)] == ["kept"]

    asyncio.run(run())


def test_sequences_reach_the_terminal_and_exceptions_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "write", lambda driver, data: written.append(data))
    reported: list[Exception] = []

    class Failing(textual_private.TerminalApp[None]):
        def report(self, error: Exception) -> None:
            reported.append(error)

        def on_mount(self) -> None:
            textual_private.write_sequence(self, "\x1b[22;0t")
            raise ZeroDivisionError

    async def run() -> None:
        with pytest.raises(ZeroDivisionError):
            async with Failing().run_test():
                pass

    asyncio.run(run())
    assert "\x1b[22;0t" in written
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_optimizers_are_made_used_and_saved_without_torch_s_compiler() -> None:
    """Importing it takes longer than importing torch."""
    program = (
        "import sys, torch\n"
        "from engine.torch_private import SGD, AdamW\n"
        "for kind, options in ((AdamW, {'fused': True}), (SGD, {'lr': 0.1})):\n"
        "    weight = torch.nn.Parameter(torch.ones(2))\n"
        "    optimizer = kind([weight], **options)\n"
        "    weight.sum().backward(); optimizer.step()\n"
        "    optimizer.load_state_dict(optimizer.state_dict()); optimizer.step()\n"
        "    print('torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\nFalse\n"


@pytest.mark.parametrize(
    ("ours", "torchs", "options"),
    [
        (torch_private.AdamW, torch.optim.AdamW, {"fused": True, "weight_decay": 0.3}),
        (torch_private.AdamW, torch.optim.AdamW, {"foreach": True}),
        (torch_private.SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    ],
)
def test_updates_are_those_of_torch_to_the_last_bit(
    ours: Any, torchs: Any, options: dict[str, Any]
) -> None:
    def trained(kind: Any) -> torch.Tensor:
        weight = nn.Parameter(torch.linspace(-1, 1, 7))
        optimizer = kind([weight], lr=0.1, **options)
        for power in (1, 2, 3):
            optimizer.zero_grad()
            (weight**power).sum().backward()
            optimizer.step()
        return weight.detach()

    assert torch.equal(trained(ours), trained(torchs))


def test_the_functions_over_many_tensors_do_what_their_names_say() -> None:
    def tensors() -> list[torch.Tensor]:
        return [torch.tensor([3.0, 4.0]), torch.tensor([6.0])]

    changed = tensors()
    torch_private.foreach_mul_(changed, 2.0)
    torch_private.foreach_div_(changed, 4.0)
    torch_private.foreach_add_(changed, 1)
    assert [t.tolist() for t in changed] == [[2.5, 3.0], [4.0]]
    torch_private.foreach_copy_(changed, tensors())
    assert [float(norm) for norm in torch_private.foreach_norm(changed)] == [5.0, 6.0]


def test_the_fused_kernel_makes_the_update_of_adamw() -> None:
    weight, mean, square = torch.tensor([1.0]), torch.zeros(1), torch.zeros(1)
    torch_private.fused_adamw_(
        [weight], [torch.tensor([0.5])], [mean], [square], [], [torch.tensor(1.0)],
        lr=0.1, beta1=0.9, beta2=0.99, weight_decay=0.5, eps=0.0,
        amsgrad=False, maximize=False, grad_scale=None, found_inf=None,
    )  # fmt: skip
    # Decay by lr x weight_decay, then a first step of the size of the rate (Loshchilov & Hutter).
    assert weight.item() == pytest.approx(1 - 0.1 * 0.5 - 0.1)
    assert (mean.item(), square.item()) == (pytest.approx(0.05), pytest.approx(0.0025))


def test_onednn_says_whether_it_has_bfloat16() -> None:
    """Ask in a process of its own: the set of instructions is read once in a process."""
    script = "from engine.torch_private import onednn_has_bfloat16 as has; print(has())"
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_all_batch_norms_have_one_base() -> None:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    assert all(issubclass(kind, torch_private.BatchNorm) for kind in kinds)
    assert not issubclass(nn.LayerNorm, torch_private.BatchNorm)


def test_fake_tensors_have_shapes_and_take_no_memory() -> None:
    seen = []

    class Watch(torch_private.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(function)
            return function(*args, **(kwargs or {}))

    with torch_private.FakeTensorMode(), Watch():
        product = torch.empty(1 << 30, 4) @ torch.empty(4, 8)
    assert product.shape == (1 << 30, 8)
    assert torch.ops.aten.mm.default in seen


def test_storages_without_content_are_told_apart() -> None:
    with torch_private.FakeTensorMode():
        one, other = torch.empty(3), torch.empty(3)
    first, second = (torch_private.memory_of(part.untyped_storage()) for part in (one, other))
    assert first != second
    assert torch_private.memory_of(one[1:].untyped_storage()) == first


def test_writes_into_a_tensor_are_counted_through_its_views() -> None:
    tensor = torch.ones(3)
    before = torch_private.writes_into(tensor)
    tensor[1:].mul_(2)
    assert torch_private.writes_into(tensor) == before + 1


def test_operations_have_a_name_and_say_whether_they_change_their_arguments() -> None:
    fill, add = torch.ops.aten.fill_.Scalar, torch.ops.aten.add.Tensor
    assert (torch_private.operation_name(fill), torch_private.operation_name(add)) == (
        "fill_", "add",
    )  # fmt: skip
    assert torch_private.changes_arguments(fill)
    assert not torch_private.changes_arguments(add)


def test_trees_are_walked_mapped_and_put_together_again() -> None:
    tree = {"a": [1, 2], "b": (3,)}
    assert list(torch_private.tree_iter(tree)) == torch_private.tree_leaves(tree) == [1, 2, 3]
    assert torch_private.tree_map(lambda n: n + 1, tree) == {"a": [2, 3], "b": (4,)}
    assert torch_private.tree_map_only(int, str, tree)["b"] == ("3",)
    leaves, shape = torch_private.tree_flatten_with_path(tree)
    assert torch_private.tree_unflatten([leaf for _, leaf in leaves], shape) == tree
