"""Evaluating one split once, and writing down what was counted."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.metrics import WeightsName
from resnet_zoo.runs import EvaluationResult, RunDirectory
from resnet_zoo.weights import has_average

SPLITS = {"validate": "val", "test": "test"}


def evaluate(
    cli: TrainingCLI, split: str, checkpoint: Path | None, directory: RunDirectory
) -> EvaluationResult:
    """Score the model on a split over all ranks, in one pass, and write ``validate.json`` or ``test.json``.

    Args:
        cli: the built data, model and trainer.
        split: "val" or "test".
        checkpoint: the file whose weights are scored; None for the weights that the model holds.
        directory: where the result file goes.

    Raises:
        InconsistentResult: not every image was counted exactly once.
    """
    run_pass(cli, cli.model, split, checkpoint)
    result = result_of(cli, cli.model, split, checkpoint)
    publish(cli, cli.model, result, directory)
    return result


def evaluate_all_weights(
    cli: TrainingCLI, split: str, checkpoint: Path, directory: RunDirectory
) -> list[EvaluationResult]:
    """Score a training's checkpoint, raw and averaged weights, each in a pass and with a result file of its own.

    ``test.json`` is of the weights by which the run is judged, those that ``checkpoint.monitor`` scores; the others
    have ``test_ema.json`` or ``test_raw.json``.

    Returns:
        the results, that of ``test.json`` first.
    """
    judged_by = cli.checkpoints.settings.weights
    names: list[WeightsName] = [judged_by]
    # Where the average began with a continued checkpoint, the best one may be older and have none.
    if cli.ema is not None and has_average(read_checkpoint(checkpoint)):
        names.append("raw" if judged_by == "ema" else "ema")
    results = []
    for name in names:
        cli.model.weights_name = name
        run_pass(cli, cli.model, split, checkpoint)
        results.append(result_of(cli, cli.model, split, checkpoint))
        publish(cli, cli.model, results[-1], directory, besides=None if name == judged_by else name)
    return results


def run_pass(cli: TrainingCLI, model: ImageClassifier, split: str, checkpoint: Path | None) -> None:
    """Go through a split once, over all ranks; the scores are left in ``model.scores``."""
    run = cli.trainer.test if split == "test" else cli.trainer.validate
    run(model, datamodule=cli.datamodule, ckpt_path=checkpoint, verbose=False, weights_only=True)


def publish(
    cli: TrainingCLI,
    model: ImageClassifier,
    result: EvaluationResult,
    directory: RunDirectory,
    besides: WeightsName | None = None,
) -> None:
    """Write the result file, on rank 0; a number over only some of the batches is printed, but never published."""
    whole = not model.evaluates_a_part(result.split)
    if cli.launch.rank == 0 and cli.trainer.is_global_zero and whole:
        result.write(directory.result(result.split, besides))


def result_of(
    cli: TrainingCLI, model: ImageClassifier, split: str, checkpoint: Path | None
) -> EvaluationResult:
    """The result of the evaluation that a model ran last on a split."""
    scores, ledger = model.scores[split], model.tally.ledger
    expected = cli.datamodule.num_samples[split]
    unreadable = cli.datamodule.paths_of(ledger.unreadable(), split) if ledger else []
    return EvaluationResult(
        split=split,
        **asdict(scores),
        expected=scores.evaluated + len(unreadable) if model.evaluates_a_part(split) else expected,
        duplicates=ledger.duplicates if ledger else 0,
        unreadable=unreadable,
        world_size=cli.trainer.world_size,
        checkpoint=str(checkpoint) if checkpoint else str(cli.config.model.weights or ""),
        weights=model.weights_name,
    )
