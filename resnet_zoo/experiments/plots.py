"""Curves and tables that several experiments show. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resnet_zoo.experiments.experiment import Evidence
from resnet_zoo.experiments.rules import Numbers, mean, standard_deviation
from resnet_zoo.report.figures import Cell, Series, Table


def error_curves(evidence: Evidence, titles: Mapping[str, str]) -> list[Series]:
    """Training error (thin) and test error (bold) over epochs, mean over the seeds with a band from least to largest.

    Args:
        evidence: of the runs.
        titles: label -> its line in the legend.
    """
    curves = []
    for label, title in titles.items():
        train = over_seeds(evidence, label, "train/top1", "", "thin")
        test = over_seeds(evidence, label, "val/top1", title, "bold")
        curves += [curve for curve in (train, test) if curve is not None]
    return curves


def over_seeds(evidence: Evidence, label: str, metric: str, title: str, emphasis: str) -> Series | None:
    """One curve of errors in percent; None if no run left one. Epochs that only some seeds reached are left out."""
    seeds = evidence.curve(label, metric)
    if not seeds:
        return None
    epochs = sorted(set.intersection(*(set(seed) for seed in seeds)))
    values = [[100.0 - seed[epoch] for seed in seeds] for epoch in epochs]
    return Series(
        title,
        epochs,
        [mean(at) for at in values],
        emphasis="thin" if emphasis == "thin" else "bold",
        group=label,
        spread_low=[min(at) for at in values],
        spread_high=[max(at) for at in values],
    )


def error_table(evidence: Evidence, titles: Mapping[str, str], title: str, caption: str = "") -> Table:
    """Training and test error of the last epoch, seed by seed and as mean ± standard deviation."""
    rows: list[list[Cell]] = []
    for label, name in titles.items():
        train, test = evidence.errors(label), evidence.errors(label, "test")
        rows.append([name, listed(train), spread(train), listed(test), spread(test)])
    columns = [
        "net",
        "training error (%), each seed",
        "mean ± std",
        "test error (%), each seed",
        "mean ± std",
    ]
    return Table(title, columns, rows, caption)


def listed(numbers: Numbers, digits: int = 2) -> str:
    """Numbers side by side."""
    return "  ".join(f"{number:.{digits}f}" for number in numbers)


def spread(numbers: Numbers, digits: int = 2) -> str | None:
    """Mean ± standard deviation; None for no number, the number itself for one."""
    if not numbers:
        return None
    if len(numbers) == 1:
        return f"{numbers[0]:.{digits}f}"
    return f"{mean(numbers):.{digits}f} ± {standard_deviation(numbers):.{digits}f}"


def best_and_spread(numbers: Numbers, digits: int = 2) -> str | None:
    """Best (mean ± standard deviation), as the papers report errors; None for no number."""
    if not numbers:
        return None
    return (
        f"{min(numbers):.{digits}f}"
        if len(numbers) == 1
        else f"{min(numbers):.{digits}f} ({spread(numbers, digits)})"
    )


def named(titles: Mapping[str, str], quantity: str, numbers: Sequence[Numbers]) -> dict[str, Numbers]:
    """Measured numbers under readable names, one entry for each title in order."""
    return {f"{quantity}, {title}": values for title, values in zip(titles.values(), numbers, strict=True)}
