"""A key that nothing has: where it was written, and which one was meant."""

from __future__ import annotations

import importlib
from typing import Any

from jsonargparse import ArgumentParser

from resnet_zoo.cli.arguments import Arguments, lookup
from resnet_zoo.cli.config_files import KeyPath, parse_scalar
from resnet_zoo.cli.configs import shipped_configs
from resnet_zoo.errors import InvalidValue, UnknownName, UserMistake, nearest_names

ELSEWHERE_CALLED = {
    "amp": "precision",
    "arch": "model.backbone",
    "batch_size": "data.global_batch_size",
    "dataset": "data",
    "epochs": "trainer.max_epochs",
    "gpus": "trainer.devices",
    "learning_rate": "model.optimizer.lr",
    "lr": "model.optimizer.lr",
    "momentum": "model.optimizer.momentum",
    "opt": "model.optimizer",
    "output_dir": "run_dir",
    "pretrained": "model.weights",
    "scheduler": "model.lr_schedule",
    "seed": "seed_everything",
    "wd": "model.optimizer.weight_decay",
    "weight_decay": "model.optimizer.weight_decay",
    "workers": "data.num_workers",
}
"""What other training scripts call an option, and its key here."""


def unknown_argument(full_key: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """An argument that a class (backbone, data set, callback) does not have."""
    key = full_key.rpartition(".")[2]
    for option in arguments.options:
        name = option.partition("=")[0].removeprefix("--")
        if name.rpartition(".")[2] == key:
            owner = name.rpartition(".")[0].removesuffix(".init_args")
            return _no_such_key(
                "--" + name, key, _class_of(arguments, tuple(owner.split("."))), "command line"
            )
        if class_path := _class_with_argument(parse_scalar(option.partition("=")[2]), key):
            return _no_such_key(f"--{name}: {key}", key, class_path, "command line")
    for path in arguments.config.paths_ending_in(key):
        if len(path) >= 2 and path[-2] in ("init_args", "dict_kwargs"):
            shown = ".".join(path[:-2] + path[-1:])
            where = str(arguments.config.origin_of(path))
            return _no_such_key(shown, key, _class_of(arguments, path[:-2]), where)
    return unknown_key(full_key, arguments, known)


def _class_with_argument(value: Any, key: str) -> str | None:
    """The class that is given an argument of this name somewhere within a value, as in a list of augmentations."""
    if isinstance(value, list):
        return next(filter(None, (_class_with_argument(each, key) for each in value)), None)
    if not isinstance(value, dict):
        return None
    if key in (value.get("init_args") or {}):
        return str(value.get("class_path"))
    return _class_with_argument(list(value.values()), key)


def _class_of(arguments: Arguments, path: KeyPath) -> str | None:
    option = arguments.option(".".join(path))
    configured = lookup(arguments.config.values, path)
    if option is not None:
        return option
    return configured.get("class_path") if isinstance(configured, dict) else None


def _no_such_key(shown: str, key: str, class_path: str | None, where: str) -> UserMistake:
    allowed = accepted_arguments(class_path) if class_path else []
    short = (class_path or "").rpartition(".")[2]
    message = f"{where}: unknown key {shown!r}."
    nearest = nearest_names(key, allowed, count=1)
    if nearest:
        message += f" Did you mean {nearest[0]!r}?"
    if allowed:
        message += f" {short} accepts: {', '.join(allowed)}."
    elif class_path:
        message += f" {short} accepts no arguments."
    return UnknownName(message)


def accepted_arguments(class_path: str) -> list[str]:
    """The names of the arguments of the class or function at an import path, those of its base classes included."""
    parser = ArgumentParser(exit_on_error=False)
    try:
        module, _, name = class_path.rpartition(".")
        component: Any = getattr(importlib.import_module(module), name)
        add = parser.add_class_arguments if isinstance(component, type) else parser.add_function_arguments
        names = [name.partition(".")[0] for name in add(component, None, fail_untyped=False)]
        return [name for name in names if name != "params"]  # an optimizer's, never given in a config
    except Exception:  # an error message must not fail over its own decoration
        return []


def unknown_key(key: str, arguments: Arguments, known: list[str]) -> UserMistake:
    """A key of a config that no group has; ``key`` may run on below the part that is wrong."""
    parts = key.split(".")
    prefixes = _with_groups(known)
    wrong = next((n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) not in prefixes), len(parts))
    path = tuple(parts[:wrong])
    where = arguments.config.origin_of(path) if path in arguments.config.origins else None
    shown = ".".join(path)
    return UnknownName(f"{where or 'command line'}: unknown key {shown!r}.{_did_you_mean(path, prefixes)}")


def _with_groups(known: list[str]) -> set[str]:
    """The dotted keys, and of each all that stand before one of its dots."""
    return {".".join(name.split(".")[:length]) for name in known for length in range(1, name.count(".") + 2)}


def _did_you_mean(path: KeyPath, prefixes: set[str]) -> str:
    siblings = {p for p in prefixes if p.count(".") == len(path) - 1 and p.split(".")[:-1] == list(path[:-1])}
    by_last_part = {name.rpartition(".")[2]: name for name in siblings}
    nearest = nearest_names(path[-1], by_last_part, count=1)
    if nearest:
        return f" Did you mean {by_last_part[nearest[0]]!r}?"
    elsewhere = sorted(p for p in prefixes if p.rpartition(".")[2] == path[-1])
    if path[-1].replace("-", "_") in ELSEWHERE_CALLED:
        elsewhere = [ELSEWHERE_CALLED[path[-1].replace("-", "_")]]
    if elsewhere:
        return f" Did you mean {elsewhere[0]!r}?"
    group = ".".join(path[:-1])
    return (
        f" Keys of {group!r}: {', '.join(sorted(by_last_part))}."
        if group and by_last_part
        else (f" Known: {', '.join(sorted(siblings))}." if siblings else "")
    )


def where_set(path: KeyPath, arguments: Arguments) -> str:
    """Where a key was set: the command line, or a file and line."""
    if arguments.option(".".join(path)) is not None:
        return "command line"
    return str(arguments.config.origin_of(path) or "command line")


def unrecognized(words: str, known: list[str]) -> UserMistake:
    """Words of the command line that are no option of the parser."""
    first = words.split(maxsplit=1)[0] if words.split() else words
    key = first.partition("=")[0].lstrip("-")
    if not first.startswith("-"):
        is_config = first in shipped_configs() or first.endswith((".yaml", ".yml"))
        meant = f" Did you mean --config {first}?" if is_config else " Options are written --key value."
        return InvalidValue(f"command line: {first!r} is no option.{meant}")
    prefixes = _with_groups(known)
    suggestion = _did_you_mean(tuple(key.split(".")), prefixes)
    return UnknownName(f"command line: unknown key {'--' + key!r}.{suggestion}")
