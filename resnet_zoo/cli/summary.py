"""What a command prints when it has finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.metrics import Scores, WeightsName
from resnet_zoo.runs import EvaluationResult, RunDirectory

_NAMES = {"val": "validation", "test": "test"}


def print_fit_table(
    cli: TrainingCLI,
    directory: RunDirectory,
    last: Mapping[WeightsName, Scores | None],
    results: Sequence[EvaluationResult],
) -> None:
    """The end of a training: last and best epoch, the final evaluation, speed, and where everything is.

    Args:
        cli: knows trainer and checkpoints.
        directory: of the run.
        last: scores of the last validation by raw and by averaged weights, as far as there are some.
        results: of the final evaluation, likewise.
    """
    rows: list[tuple[str, ...]] = [("", "top-1 %", "top-5 %", "loss", "images")]
    trainer, kept = cli.trainer, cli.checkpoints
    for weights, scores in last.items():
        if scores is not None:
            rows.append(
                (f"validation, last (epoch {trainer.current_epoch}){_of(weights)}", *_numbers(scores))
            )
    if kept.best_score is not None and kept.best_epoch is not None:
        score = f"{kept.best_score:.4f}" if kept.settings.score == "loss" else f"{kept.best_score:.2f}"
        cells = ["", "", "", ""]
        cells[("top1", "top5", "loss").index(kept.settings.score)] = score
        rows.append((f"validation, best (epoch {kept.best_epoch + 1}){_of(kept.settings.weights)}", *cells))
    which = "best" if kept.best_score is not None else "last"
    rows += [
        (f"{_NAMES[result.split]}, {which} checkpoint{_of(result.weights)}", *_numbers(result))
        for result in results
    ]
    print(f"\n{_table(rows)}")
    print(
        f"training  {cli.clock.seconds:.1f} s, {cli.clock.images_per_second:,.0f} images/s, {cli.clock.images:,} images"
    )
    if not results:
        print("not evaluated: the data has neither a test nor a validation split")
    print(f"run directory  {directory.path}")


def print_result(cli: TrainingCLI, directory: RunDirectory, result: EvaluationResult) -> None:
    """The scores of one evaluation and the file that holds them."""
    print(
        f"\n{_table([('', 'top-1 %', 'top-5 %', 'loss', 'images'), (_evaluation(result), *_numbers(result))])}"
    )
    if result.unreadable:
        print(
            f"not evaluated, because they cannot be read: {len(result.unreadable):,} images, by path in the file"
        )
    written = directory.result(result.split)
    print(
        f"written to  {written}"
        if written.exists()
        else "not written: only some of the batches were evaluated"
    )


def _evaluation(result: EvaluationResult) -> str:
    """Of which split, by which protocol, and of how many checkpoints."""
    parts = [_NAMES[result.split] + _of(result.weights)]
    if result.protocol != "center":
        parts.append(f"{result.protocol} ({len(result.views)} views)")
    if len(result.checkpoints) > 1:
        parts.append(f"{len(result.checkpoints)} checkpoints")
    return ", ".join(parts)


def _of(weights: str) -> str:
    return ", moving average" if weights == "ema" else ""


def _numbers(scores: Scores | EvaluationResult) -> tuple[str, str, str, str]:
    top5 = "" if scores.top5 is None else f"{scores.top5:.2f}"
    images = f"{scores.evaluated:,}"
    if isinstance(scores, EvaluationResult) and scores.unreadable:
        images += f" of {scores.expected:,}"
    return f"{scores.top1:.2f}", top5, f"{scores.loss:.4f}", images


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
