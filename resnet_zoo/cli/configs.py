"""Finding config files: a path, or the bare name of one that is shipped (``r20_cifar10``, ``hardware/8gpu``)."""

from __future__ import annotations

from pathlib import Path

from resnet_zoo.errors import MissingData, nearest_names, unknown_name

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_config_dir() -> Path:
    """The folder of shipped configs: inside the package when installed, beside it in a checkout."""
    installed = _PACKAGE / "configs"
    return installed if installed.is_dir() else _PACKAGE.parent / "configs"


def shipped_configs() -> dict[str, Path]:
    """Every shipped config by the name it can be asked for, without its ``.yaml``."""
    folder = shipped_config_dir()
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))
    }


def find_config(given: str) -> Path:
    """The file behind ``--config GIVEN``.

    A file that exists wins over a shipped name, so that nobody's own file is ever hidden.

    Raises:
        MissingData: ``given`` looks like a path (a folder part or a YAML ending) and there is no such file.
        UnknownName: ``given`` is a bare name and nothing of that name is shipped.
    """
    path = Path(given)
    if path.is_file():
        return path
    if path.is_dir():
        raise MissingData(f"--config {given}: this is a folder, not a YAML file.")
    shipped = shipped_configs()
    name = given.removesuffix(".yaml").removesuffix(".yml")
    for candidate in (name, name.removeprefix("configs/")):
        if candidate in shipped:
            return shipped[candidate]
    near = nearest_names(given, shipped)
    next_step = "docs/recipes.md has a table of all." if near else f"Shipped configs: {', '.join(shipped)}."
    message = unknown_name("config", given, shipped, next_step)
    if "/" in given or given != name:
        raise MissingData(f"--config {given}: no such file, and {message}")
    raise message
