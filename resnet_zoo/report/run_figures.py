"""Figures that overlay the curves of one or several runs. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from resnet_zoo.report.curves import Curve
from resnet_zoo.report.figures import LineFigure, Mark, Series
from resnet_zoo.report.gradient_figures import gradient_figures
from resnet_zoo.report.numbers import written
from resnet_zoo.report.run_data import RunData

_START = 0.2
"""Errors of the first fifth of a run may leave the figure, so that what follows can be read."""
FIGURE_NAMES = ("error", "loss", "learning-rate", "throughput", "gradient-norm", "gradient-norm-by-layer")
_MOST_LETTERED_RINGS = 3
_MOST_STEPS = 8
UNFINISHED = ("in progress", "interrupted", "failed")


def run_figures(runs: Sequence[RunData]) -> list[LineFigure]:
    """Every figure that the runs have logged something for."""
    figures = [error_figure(runs), loss_figure(runs), learning_rate_figure(runs), throughput_figure(runs)]
    return [figure for figure in (*figures, *gradient_figures(runs)) if figure.series]


def error_figure(runs: Sequence[RunData]) -> LineFigure:
    """Training and validation error over epochs, as figures 1 and 6 of He et al. 2015 (arXiv:1512.03385) show them."""
    series = _training_and_validation(runs, _training_error, lambda run: run.validation_error)
    y_range, clipped = _error_range(series)
    general = [_ERROR_CAPTION, *(["The first epochs lie above the figure."] if clipped else [])]
    return LineFigure(
        "error",
        _title("Top-1 error", series),
        "epoch",
        "top-1 error (%)",
        series,
        caption="\n".join([" ".join(general), *map(_convergence_sentence, runs)]),
        marks=[mark for run in runs for mark in _ring(run, len(runs))],
        y_range=y_range,
    )


_ERROR_CAPTION = (
    "Training error is the running mean over augmented images while the weights change; validation error is measured "
    "on untouched images at rest."
)


def loss_figure(runs: Sequence[RunData]) -> LineFigure:
    """Training and validation loss over epochs."""
    series = _training_and_validation(
        runs, lambda run: run.curves.training("train/loss"), lambda run: run.curves.evaluations("val/loss")
    )
    caption = "Cross-entropy per image, with label smoothing where the config asks for it."
    return LineFigure(
        "loss",
        _title("Loss", series),
        "epoch",
        "loss (nats)",
        series,
        log_y=True,
        caption=caption,
    )


def learning_rate_figure(runs: Sequence[RunData]) -> LineFigure:
    """Learning rate over epochs; logarithmic where it falls far in steps."""
    curves = [run.curves.evaluations("lr") for run in runs]
    series = [_only(run, curve) for run, curve in zip(runs, curves, strict=True) if curve.y]
    return LineFigure(
        "learning-rate",
        "Learning rate",
        "epoch",
        "learning rate",
        series,
        log_y=any(map(_falls_in_steps, curves)),
    )


def throughput_figure(runs: Sequence[RunData]) -> LineFigure:
    """Images per second over epochs."""
    curves = [run.curves.training("speed/images_per_second") for run in runs]
    series = [_only(run, curve) for run, curve in zip(runs, curves, strict=True) if curve.y]
    highest = max((value for one in series for value in one.y if math.isfinite(value)), default=1.0)
    return LineFigure(
        "throughput",
        "Training throughput",
        "epoch",
        "images per second",
        series,
        caption="All processes together, without the time that validation takes.",
        y_range=(0.0, 1.08 * highest),
    )


def _training_and_validation(
    runs: Sequence[RunData], training: Callable[[RunData], Curve], validation: Callable[[RunData], Curve]
) -> list[Series]:
    """A thin and a bold curve a run, in one colour; the legend names the bold one where there is one."""
    pairs = [(run, training(run), validation(run)) for run in runs]
    any_validation = any(bold.y for _, _, bold in pairs)
    series = []
    for run, thin, bold in pairs:
        if thin.y:
            label = "" if bold.y else f"{run.label} (training only)" if any_validation else run.label
            series.append(Series(label, *thin, "thin" if any_validation else "bold", run.label))
        if bold.y:
            series.append(Series(run.label, *bold, "bold", run.label))
    return series


def _title(quantity: str, series: Sequence[Series]) -> str:
    both = {one.emphasis for one in series} == {"thin", "bold"}
    return f"{quantity}: training thin, validation bold" if both else quantity


def _only(run: RunData, curve: Curve) -> Series:
    return Series(run.label, *curve, "bold", run.label)


def _training_error(run: RunData) -> Curve:
    accuracy = run.curves.training("train/top1")
    return Curve(accuracy.x, [100.0 - value for value in accuracy.y])


def _error_range(series: Sequence[Series]) -> tuple[tuple[float, float] | None, bool]:
    """From zero to above every curve, except for their starts; whether those were cut off."""
    highest, later = 0.0, 0.0
    for one in series:
        for x, y in zip(one.x, one.y, strict=True):
            highest = max(highest, y) if math.isfinite(y) else highest
            later = max(later, y) if math.isfinite(y) and x >= _START * one.x[-1] else later
    if highest <= 0.0:
        return None, False
    clipped = 1.15 * later < 0.7 * highest and later > 0.0
    return (0.0, 1.15 * later if clipped else 1.05 * highest), clipped


def _ring(run: RunData, count: int) -> list[Mark]:
    found = run.convergence
    if found is None or found.epoch is None:
        return []
    label = f"epoch {written_epoch(found.epoch)}" if count <= _MOST_LETTERED_RINGS else ""
    return [Mark(label, found.epoch, found.error, run.label)]


def _convergence_sentence(run: RunData) -> str:
    return f"{run.label}: {convergence_words(run)}."


def convergence_words(run: RunData) -> str:
    """Whether and when the validation error stopped improving."""
    found = run.convergence
    if run.status.kind == "diverged":
        return "diverged"
    if found is None:
        return "no validation error to judge convergence by"
    if found.verdict == "too short":
        return f"too short to tell whether it converged ({len(run.validation_error.x)} evaluations)"
    spread = f"by more than {written(round(found.spread, 2))} points, the spread of the curve"
    if found.epoch is not None and run.status.kind in UNFINISHED:
        return f"level since epoch {written_epoch(found.epoch)} (ring), so far: it has not improved {spread}"
    if found.epoch is None:
        return f"not converged: the validation error was still improving {spread}"
    when = f"converged at epoch {written_epoch(found.epoch)} (ring)"
    return f"{when}: after it the validation error no longer improved {spread}"


def written_epoch(epoch: float) -> str:
    """Whole epochs as such, others with at most two decimals."""
    return f"{round(epoch, 2):g}"


def _falls_in_steps(curve: Curve) -> bool:
    """Whether it is a step schedule that ends far below its height, so that a linear axis would hide its end."""
    positive = [value for value in curve.y if value > 0 and math.isfinite(value)]
    steps = len(set(positive))
    return 1 < steps <= _MOST_STEPS < len(positive) and positive[-1] < max(positive) / 20
