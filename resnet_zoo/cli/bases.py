"""Configs that build on another: ``base: r50_imagenet_fast_16`` at the top of a file, and below it what differs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from resnet_zoo.cli.config_files import Config, merge, read_config
from resnet_zoo.cli.configs import find_config
from resnet_zoo.errors import InvalidValue, MissingData, UnknownName

KEY = "base"


def read_with_bases(given: str, prepare: Callable[[Config], None]) -> tuple[Config, Path]:
    """Read a config and all that it builds on, each laid over its base as a later ``--config`` over an earlier.

    Args:
        given: path or shipped name.
        prepare: called with every file's own config, before it is merged.

    Returns:
        the merged config without the key ``base``, and the path of the file that was asked for.

    Raises:
        InvalidValue: a file is not valid, or stands among its own bases.
        MissingData: there is no such file.
        UnknownName: nothing of that name is shipped.
    """
    path = find_config(given)
    config = _read(path, given if path.as_posix() == given else path.as_posix(), prepare, ())
    config.left_behind.clear()  # a file that builds on another says itself what differs
    return config, path


def _read(path: Path, shown_as: str, prepare: Callable[[Config], None], above: tuple[Path, ...]) -> Config:
    chain = (*above, path.resolve())
    if path.resolve() in above:
        raise InvalidValue(
            f"configs build on each other in a circle: {' -> '.join(file.name for file in chain)}. One of them must "
            f"stand without {KEY!r}."
        )
    config = read_config(path, shown_as=shown_as)
    name, origin = config.values.pop(KEY, None), config.origins.pop((KEY,), None)
    prepare(config)
    if name is None:
        return config
    if not isinstance(name, str):
        raise InvalidValue(f"{origin}: {KEY!r} is the name or the path of one config, not {name!r}.")
    try:
        base = _find(name, path)
    except (MissingData, UnknownName) as error:
        raise type(error)(f"{origin}: {error}") from error
    return merge(_read(base, base.as_posix(), prepare, chain), config)


def _find(name: str, below: Path) -> Path:
    """A file beside the one that names it, or else whatever ``--config`` would find."""
    for candidate in (below.parent / name, below.parent / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    return find_config(name)
