"""Names that torch, Lightning and argparse do not promise to keep, and that this package uses all the same.

Each has a row here: where it is used, how to tell that it is still what it was, and what would break. A new use of a
private name fails the first test until it has a row. ``tests/callbacks/test_lightning_signals.py`` holds what is
replaced, ``tests/callbacks/test_lightning_layout.py`` what is read from checkpoints.
"""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer import call
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
from lightning.pytorch.utilities import combined_loader, rank_zero_only
from torch import nn
from torch.utils.data import DataLoader

import resnet_zoo
from resnet_zoo.callbacks import lightning_source

PACKAGE = Path(resnet_zoo.__file__).parent
PUBLIC = {"_asdict", "_replace", "_exit"}
"""Documented in spite of their underscore: of named tuples, and of ``os``."""


class Row(NamedTuple):
    """A foreign name, the files that use it, whether it is still what it was, and what it is for."""

    name: str
    files: tuple[str, ...]
    holds: Callable[[], bool]
    breaks: str


def _calls(function: Callable[..., object], text: str) -> bool:
    return text in inspect.getsource(function)


def _iterator_is_kept() -> bool:
    loader = DataLoader([0, 1], num_workers=1, persistent_workers=True)  # type: ignore[arg-type,var-annotated]
    assert loader._iterator is None
    iter(loader)
    try:
        return loader._iterator is not None
    finally:
        loader._iterator._shutdown_workers()  # type: ignore[attr-defined, union-attr]


def _multiplication_is_in_place() -> bool:
    gradients = [torch.ones(2), torch.full((1,), 3.0)]
    torch._foreach_mul_(gradients, 2.0)
    return [gradient.tolist() for gradient in gradients] == [[2.0, 2.0], [6.0]]


def _resampling_is_that_of_interpolate(mode: str) -> bool:
    image, out = torch.rand(1, 3, 9, 12), torch.empty(1, 3, 4, 5)
    getattr(torch.ops.aten, f"_upsample_{mode}2d_aa").out(image, out.shape[2:], False, None, None, out=out)
    expected = nn.functional.interpolate(image, out.shape[2:], mode=mode, antialias=True)
    return torch.equal(out, expected)


def _storage_has_a_number() -> bool:
    first, second = torch.ones(4), torch.ones(4)
    numbers = [each.untyped_storage()._cdata for each in (first, first[1:], second)]
    return numbers[0] == numbers[1] != numbers[2]


def _ddp_takes_its_options_late() -> bool:
    strategy = DDPStrategy()
    return (
        (strategy._ddp_kwargs, strategy._ddp_comm_hook) == ({}, None)
        and _calls(DDPStrategy._setup_model, "**self._ddp_kwargs")
        and _calls(DDPStrategy._register_ddp_hooks, "ddp_comm_hook=self._ddp_comm_hook")
    )


def _with_an_unsaved_buffer() -> nn.Module:
    module = nn.Module()
    module.register_buffer("saved", torch.zeros(1))
    module.register_buffer("unsaved", torch.zeros(1), persistent=False)
    return module


OF_THE_LEAN_LOOP = {
    "lean_loop": (
        "_DataFetcher", "_DataLoaderIterDataFetcher", "_TrainingEpochLoop", "_broadcast_sigterm_tensor",
        "_first_loop_iter", "_logger_connector", "_should_accumulate", "_skip_next_val", "_start_profiler",
        "_stop_profiler",
    ),
    "lean_optimization": (
        "_AutomaticOptimization", "_block_parallel_sync_behavior", "_should_accumulate", "_skip_backward",
    ),
    "step_hooks": ("_data_connector", "_datahook_selector"),
}  # fmt: skip
"""By file. ``callbacks/lightning_source.py`` says whether they are what they were, and the loop asks it."""

ROWS = (
    Row(
        "_BatchNorm", ("callbacks/sync_batch_norm.py",),
        lambda: issubclass(nn.BatchNorm2d, nn.modules.batchnorm._BatchNorm),
        "sync_batchnorm on CPUs",
    ),
    Row(
        "_check_input_dim", ("callbacks/sync_batch_norm.py",),
        lambda: _calls(nn.modules.batchnorm._BatchNorm.forward, "self._check_input_dim(input)"),
        "sync_batchnorm on CPUs would raise NotImplementedError, or not look at shapes",
    ),
    Row(
        "_NormBase",
        ("optim/parameter_groups.py", "conformance/case.py", "activation_checkpointing/earlier_buffers.py"),
        lambda: issubclass(nn.BatchNorm2d, nn.modules.batchnorm._NormBase)
        and issubclass(nn.InstanceNorm2d, nn.modules.batchnorm._NormBase),
        "which parameters are weight-decayed, and statistics of batches whose activations are computed twice",
    ),
    Row(
        "_foreach_norm", ("callbacks/non_finite_skip.py",),
        lambda: [float(n) for n in torch._foreach_norm([torch.tensor([3.0, 4.0]), torch.ones(1)])] == [5, 1],
        "non_finite.skip",
    ),
    Row(
        "_foreach_mul_", ("callbacks/bad_images.py",), _multiplication_is_in_place,
        "gradients of updates in which images could not be read",
    ),
    *(
        Row(
            f"_upsample_{mode}2d_aa", ("data/crops.py",), partial(_resampling_is_that_of_interpolate, mode),
            "resizing of every crop",
        )
        for mode in ("bilinear", "bicubic")
    ),
    Row(
        "_cdata", ("cli/timing/tensor_memory.py",), _storage_has_a_number,
        "the estimate of 'benchmark batch' where there is no GPU",
    ),
    *(
        Row(name, ("cli/ddp_options.py",), _ddp_takes_its_options_late, "the options below 'ddp'")
        for name in ("_ddp_kwargs", "_ddp_comm_hook")
    ),
    *(
        Row(
            name, (f"callbacks/{file}.py",), lambda: not lightning_source.changed(),
            "a few hundred microseconds a step: trainings take Lightning's own loop",
        )
        for file, names in OF_THE_LEAN_LOOP.items()
        for name in names
    ),
    Row(
        "not callable", ("callbacks/idle_hooks.py",),
        lambda: _calls(call._call_callback_hooks, "if callable(fn):")
        and _calls(call._call_lightning_module_hook, "if not callable(fn):"),
        "empty hooks that are left out would be called",
    ),
    Row(
        "_non_persistent_buffers_set", ("callbacks/state_trace.py",),
        lambda: _with_an_unsaved_buffer()._non_persistent_buffers_set == {"unsaved"},
        "verify-resume would not look for state in buffers that are not saved",
    ),
    Row(
        "_dynamo", ("conformance/execution.py",), lambda: callable(torch._dynamo.reset),
        "the rule 'compile' of check-backbone",
    ),
    Row(
        "_iterator",
        ("data/workers.py", "data/loaders.py", "data/benchmark/peers.py", "data/benchmark/contenders.py"),
        _iterator_is_kept,
        "worker processes are not ended and outlive the training",
    ),
    Row(
        "_iterator", ("data/loaders.py",),
        lambda: _calls(combined_loader._shutdown_workers_and_reset_iterator, "dataloader._iterator = None"),
        "Lightning does not end the workers of our loader after a crash",
    ),
    Row(
        "_shutdown_workers", ("data/workers.py", "data/benchmark/peers.py"),
        lambda: hasattr(torch.utils.data.dataloader._MultiProcessingDataLoaderIter, "_shutdown_workers"),
        "worker processes are not ended",
    ),
    Row(
        "_timeout", ("cli/training_cli.py",),
        lambda: _calls(DDPStrategy, 'kwargs: dict[str, Any] = {"timeout": self._timeout}'),
        "rank_timeout for the ranks that Lightning starts",
    ),
    Row(
        "_active_loop", ("callbacks/progress.py",), lambda: isinstance(Trainer._active_loop, property),
        "the progress lines of evaluations",
    ),
    Row(
        "_trainer", ("classifier.py",), lambda: LightningModule()._trainer is None,
        "a model without a trainer could not be saved or configured",
    ),
    Row(
        "_parse_ckpt_path", ("cli/training_cli.py",),
        lambda: _calls(LightningCLI.parse_arguments, "self._parse_ckpt_path()")
        or _calls(LightningCLI.__init__, "self._parse_ckpt_path()"),
        "a checkpoint's hyper-parameters would silently win over the command line",
    ),
    Row(
        "_actions", ("cli/training_parser.py",),
        lambda: "seed" in [action.dest for action in _parser_with_seed()._actions],
        "the nearest option in messages about unknown ones",
    ),
    Row(
        "_option_string_actions", ("cli/parser.py", "cli/verify_resume.py"),
        lambda: "--help" in argparse.ArgumentParser()._option_string_actions,
        "the nearest option in messages about unknown ones, and the options of verify-resume",
    ),
    Row(
        "_SignalConnector", ("callbacks/lightning_signals.py",), lambda: inspect.isclass(_SignalConnector),
        "stopping by signals",
    ),
    Row(
        "_TrainingEpochLoop", ("callbacks/lightning_signals.py",),
        lambda: inspect.isclass(_TrainingEpochLoop), "stopping by signals",
    ),
    Row(
        "val_check_batch", ("callbacks/checkpoints.py",),
        lambda: _calls(_FitLoop.setup_data, "trainer.val_check_batch ="),
        "checkpoints just before a validation within an epoch would resume without it",
    ),
    Row(
        '"rank"', ("loggers/rank.py",),
        lambda: isinstance(rank_zero_only.rank, int),  # type: ignore[attr-defined]
        "all ranks would write metrics.csv and start W&B",
    ),
)  # fmt: skip


def _parser_with_seed() -> LightningArgumentParser:
    parser = LightningArgumentParser()
    parser.add_argument("--seed", type=int)
    return parser


def _private_names_used(tree: ast.Module) -> set[str]:
    """Private attributes and imported private names; dunder names are Python's."""
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.startswith("_") and not name.startswith("__")}


def _names_defined(tree: ast.Module) -> set[str]:
    """Functions, classes, variables, and what is assigned to attributes of ``self`` and ``cls``."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names |= {node.attr} if getattr(node.value, "id", "") in ("self", "cls") else set()
    return names


def test_every_private_name_of_others_has_a_row() -> None:
    trees = {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
    }
    ours = set().union(*map(_names_defined, trees.values()))
    listed = {(row.name, file) for row in ROWS for file in row.files}
    missing = sorted(
        f"{name} in {file}"
        for file, tree in trees.items()
        for name in _private_names_used(tree) - ours - PUBLIC
        if (name, file) not in listed
    )
    assert not missing, f"private names of other packages without a row in {Path(__file__).name}: {missing}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.strip('"'))
def test_a_name_is_still_what_it_was(row: Row) -> None:
    for file in row.files:
        text = (PACKAGE / file).read_text(encoding="utf-8")
        assert row.name in text, f"{file} does not use {row.name} any more: its row here can go"
    assert row.holds(), f"{row.name} is not what it was, so this would break: {row.breaks}"
