"""Single facts of a run, each as one cell of a table; None where its directory does not know. Standard library only."""

from __future__ import annotations

import math
from typing import Any

from resnet_zoo.report.curves import Curve
from resnet_zoo.report.numbers import written
from resnet_zoo.report.run_data import RunData, entry
from resnet_zoo.report.run_figures import UNFINISHED, convergence_words, written_epoch
from resnet_zoo.runs import EvaluationResult

TIMES = "\N{MULTIPLICATION SIGN}"
_VERSIONS = ("resnet-zoo", "torch", "torchvision", "lightning", "python")


def backbone(run: RunData) -> str | None:
    """Its name; the arguments are in the config."""
    configured = entry(run.config, "model", "backbone")
    name = entry(run.record, "backbone", "name") or entry(run.config, "model", "backbone", "class_path")
    return name or (configured if isinstance(configured, str) else None)


def data(run: RunData) -> str | None:
    """The data set, with the images in its splits."""
    name = entry(run.record, "data", "class") or entry(run.config, "data", "class_path")
    if name is None:
        return None
    counts = entry(run.record, "data", "num_samples")
    splits = (
        ", ".join(f"{written(count)} {split}" for split, count in counts.items())
        if isinstance(counts, dict)
        else ""
    )
    return f"{name} ({splits})" if splits else str(name)


def batch(run: RunData) -> str | None:
    """Images per update, and how they are made up."""
    size = entry(run.record, "batch", "global") or entry(run.config, "data", "init_args", "global_batch_size")
    if size is None:
        return None
    share, ranks = entry(run.record, "batch", "per_rank"), entry(run.record, "world_size")
    accumulated = entry(run.record, "accumulate_grad_batches") or 1
    if share is None or ranks is None or (ranks == 1 and accumulated == 1):
        return written(size)
    return f"{written(size)} = {share} images {TIMES} {ranks} processes {TIMES} {accumulated} accumulated"


def epochs(run: RunData) -> str | None:
    """Epochs and updates made."""
    if not run.table.rows:
        return None
    return f"{written(round(run.curves.epochs, 2))} ({written(run.curves.updates)} updates)"


def validation_best(run: RunData) -> str | None:
    """The least validation error, and when it was first reached."""
    return _least(run.validation_error)


def averaged_validation_best(run: RunData) -> str | None:
    """The same of the moving average of the weights."""
    return _least(run.averaged_validation_error)


def _least(curve: Curve) -> str | None:
    errors = [(error, epoch) for epoch, error in zip(*curve, strict=True) if math.isfinite(error)]
    if not errors:
        return None
    error, epoch = min(errors)
    return f"{error:.2f} % (epoch {written_epoch(epoch)})"


def validation_last(run: RunData) -> str | None:
    """The validation error at the end."""
    return _final(run.validation_error)


def averaged_validation_last(run: RunData) -> str | None:
    """The same of the moving average of the weights."""
    return _final(run.averaged_validation_error)


def _final(curve: Curve) -> str | None:
    return f"{curve.y[-1]:.2f} %" if curve.y else None


def _score(result: EvaluationResult) -> str:
    """Top-1 with its count, and of which weights if it is not of those that were trained."""
    of = " of the moving average" if result.weights == "ema" else ""
    return f"top-1{of} {result.top1:.2f} % ({result.correct1:,} of {result.evaluated:,})"


def convergence(run: RunData) -> str | None:
    """What the convergence rule says, in short; nothing of a mere evaluation."""
    found = run.convergence
    if found is None or not math.isfinite(found.spread):
        return convergence_words(run) if run.table.rows else None
    when = "not converged" if found.epoch is None else f"epoch {written_epoch(found.epoch)}"
    so_far = " so far" if run.status.kind in UNFINISHED else ""
    return f"{when}{so_far} (spread {written(round(found.spread, 2))} points)"


def summary(run: RunData) -> str:
    """The run in a line: how it ended, and what it reached."""
    best, result = validation_best(run), run.results.get("test.json")
    parts = [
        run.status.sentence,
        f"best validation error {best}" if best else "",
        f"test {_score(result)}" if result else "",
        f"convergence: {convergence(run)}" if run.convergence is not None else "",
    ]
    return f"{run.label}: {'; '.join(filter(None, parts))}"


def last_training(run: RunData) -> str | None:
    """The running training error of the last epoch."""
    accuracy = run.curves.training("train/top1").y
    return f"{100.0 - accuracy[-1]:.2f} %" if accuracy else None


def device(run: RunData) -> str | None:
    """What it ran on, as far as it was written down."""
    recorded = entry(run.record, "device")
    if recorded is not None:
        return str(recorded)
    accelerator = entry(run.config, "trainer", "accelerator")
    return f"as configured: {accelerator}" if accelerator is not None else None


def versions(run: RunData) -> str | None:
    """Packages that matter, with the Python they ran in."""
    known = entry(run.record, "versions")
    if not isinstance(known, dict):
        return None
    return ", ".join(f"{name} {known[name]}" for name in _VERSIONS if known.get(name)) or None


def revision(run: RunData) -> str | None:
    """The commit of the package's checkout, or else of the folder the run was started in."""
    for place in ("package", "working_directory"):
        state: Any = entry(run.record, "git", place)
        if isinstance(state, dict) and state.get("commit"):
            dirty = state.get("dirty")
            state_of_files = "" if dirty is None else ", with uncommitted changes" if dirty else ", clean"
            return f"{state['commit'][:12]}{state_of_files}"
    return None
