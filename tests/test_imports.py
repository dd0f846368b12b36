"""Who may import whom. Each room of the package names the rooms and libraries it may use, and nothing points back."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "resnet_zoo"

# Room: (rooms of the package it may import, libraries it may import). The standard library is open to all, and so
# is 'errors'. This is the house from the ground up: a room may only stand on rooms above it in this list.
LIBRARIES_FOR_TENSORS = {"torch", "jaxtyping", "numpy"}
LIBRARIES_FOR_IMAGES = LIBRARIES_FOR_TENSORS | {"torchvision", "lightning", "PIL"}
ARROWS: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "cores": (set(), set()),
    "cache": (set(), set()),
    "registry": (set(), set()),
    "runs": (set(), set()),
    "metrics": (set(), {"torch"}),
    "optim": (set(), {"torch"}),
    "safe_load": (set(), {"torch"}),
    "complexity": (set(), {"torch"}),
    "activation_checkpointing": (set(), {"torch"}),
    "backbones": ({"registry", "complexity"}, LIBRARIES_FOR_TENSORS),
    "weights": ({"registry", "backbones", "safe_load", "metrics"}, LIBRARIES_FOR_TENSORS | {"torchvision"}),
    "model": ({"registry", "backbones", "weights"}, LIBRARIES_FOR_TENSORS),
    "analysis": ({"registry", "complexity"}, LIBRARIES_FOR_TENSORS),
    "conformance": ({"registry", "backbones", "complexity", "model"}, LIBRARIES_FOR_TENSORS),
    "data": ({"cache", "cores", "runs"}, LIBRARIES_FOR_IMAGES | {"fsspec"}),
    "callbacks": ({"metrics", "runs", "safe_load"}, {"torch", "lightning", "numpy"}),
    "loggers": ({"metrics", "runs"}, {"torch", "lightning", "wandb", "yaml"}),
    "classifier": (
        {"activation_checkpointing", "backbones", "data", "metrics", "model", "optim", "registry", "weights"},
        {"torch", "lightning"},
    ),
    "report": ({"runs"}, {"matplotlib"}),
    "experiments": (
        {
            "analysis",
            "classifier",
            "complexity",
            "data",
            "metrics",
            "model",
            "registry",
            "report",
            "runs",
            "safe_load",
            "weights",
        },
        {"torch", "lightning", "yaml"},
    ),
}
# Modules at the top of the package that are part of a room named otherwise.
PART_OF = {
    "builders": "registry",
    "entry": "registry",
    "plugins": "registry",
    "export_formats": "weights",
    "ledger": "metrics",
    "ranks": "metrics",
    "precision": "optim",
    "compiled_training": "classifier",
    "compiling": "classifier",
    "exact_evaluation": "classifier",
    "lean_module": "classifier",
    "train_error_watch": "classifier",
    "losses": "classifier",
}
# The classifier reads batches; it knows no data set.
ONLY_MODULES = {("classifier", "data"): {"resnet_zoo.data.batch"}}


def room_of(top: str) -> str:
    """The room that a module or folder at the top of the package belongs to."""
    return PART_OF.get(top, top)


def sources(room: str | None = None) -> list[Path]:
    """The package's files, or those of one room."""
    files = {
        path: path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sorted(PACKAGE.rglob("*.py"))
    }
    return [path for path, top in files.items() if room in (None, room_of(top))]


def rooms() -> list[str]:
    """The rooms that exist: modules and folders at the top of the package."""
    tops = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources()}
    return sorted({room_of(top) for top in tops} - {"__init__", "__main__", "cli"})


def imported_modules(path: Path) -> Iterator[tuple[int, str]]:
    """The line and full name of every module a file imports, in functions and type checks as well."""
    package = (path.parent / "_").relative_to(PACKAGE.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            if module == PACKAGE.name:
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, module


def forbidden(room: str, module: str) -> bool:
    """Whether ``room`` may not import ``module``."""
    allowed_rooms, allowed_libraries = ARROWS[room]
    top, *rest = module.split(".")
    if top != PACKAGE.name:
        return top not in sys.stdlib_module_names and top not in allowed_libraries
    target = room_of(rest[0]) if rest else ""
    if target in ("errors", room, "__version__"):
        return False
    only = ONLY_MODULES.get((room, target))
    return target not in allowed_rooms or (only is not None and module not in only)


@pytest.mark.parametrize("room", rooms())
def test_arrows(room: str) -> None:
    assert room in ARROWS, f"say in tests/test_imports.py what the new room {room!r} may import"
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports {module}"
        for path in sources(room)
        for line, module in imported_modules(path)
        if forbidden(room, module)
    ]
    assert not found, "\n".join(found)


def test_the_house_has_no_stairs_in_circles() -> None:
    order = list(ARROWS)
    for position, (room, (allowed_rooms, _)) in enumerate(ARROWS.items()):
        assert allowed_rooms <= set(order[:position]), f"{room} may only import rooms listed before it"


def test_nothing_imports_the_command_line() -> None:
    found = [
        f"{path.relative_to(PACKAGE.parent)}:{line}"
        for path in sources()
        for line, module in imported_modules(path)
        if module.startswith("resnet_zoo.cli") and "cli" not in path.parts and path.name != "__main__.py"
    ]
    assert not found, f"only the command line itself may import resnet_zoo.cli: {found}"


def test_the_rules_notice_an_arrow_that_points_back() -> None:
    assert forbidden("backbones", "resnet_zoo.classifier")
    assert forbidden("backbones", "lightning.pytorch")
    assert forbidden("registry", "torch")
    assert forbidden("classifier", "resnet_zoo.data.cifar")
    assert not forbidden("classifier", "resnet_zoo.data.batch")
    assert not forbidden("data", "torchvision.io")


def test_light_rooms_import_no_torch() -> None:
    files = [path for room in ("errors", "registry", "runs") for path in sources(room)]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in files]
    program = (
        f"import sys, importlib\nfor name in {names!r}: importlib.import_module(name)\n"
        "print(*sorted({'torch', 'torchvision', 'lightning', 'jsonargparse', 'numpy'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_every_library_is_declared() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=\[ ]", line)[0].lower() for line in project["dependencies"]}
    spelled = {"PIL": "pillow", "yaml": "pyyaml"}
    tops = {module.split(".")[0] for path in sources() for _, module in imported_modules(path)}
    tops -= {PACKAGE.name, *sys.stdlib_module_names}
    assert {spelled.get(top, top) for top in tops} <= declared
