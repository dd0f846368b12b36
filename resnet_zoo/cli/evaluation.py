"""Evaluating one split once, and writing down what was counted."""

from __future__ import annotations

from pathlib import Path

from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.runs import EvaluationResult, RunDirectory

SPLITS = {"validate": "val", "test": "test"}


def evaluate(
    cli: TrainingCLI, split: str, checkpoint: Path | None, directory: RunDirectory
) -> EvaluationResult:
    """Score the model on a split over all ranks and write ``validate.json`` or ``test.json``.

    Args:
        cli: the built data, model and trainer.
        split: "val" or "test".
        checkpoint: the file whose weights are scored; None for the weights that the model holds.
        directory: where the result file goes.

    Raises:
        InconsistentResult: not every image was counted exactly once.
    """
    run = cli.trainer.test if split == "test" else cli.trainer.validate
    run(
        cli.model,
        datamodule=cli.datamodule,
        ckpt_path=checkpoint,
        verbose=False,
        weights_only=True,
    )
    result = result_of(cli, split, checkpoint)
    if cli.launch.rank == 0 and cli.trainer.is_global_zero and not cli.model.evaluates_a_part(split):
        result.write(directory.result(split))
    return result


def result_of(cli: TrainingCLI, split: str, checkpoint: Path | None) -> EvaluationResult:
    """The result of the evaluation that the model ran last on a split."""
    scores, ledger = cli.model.scores[split], cli.model.ledger
    expected = cli.datamodule.num_samples[split]
    return EvaluationResult(
        split=split,
        top1=scores.top1,
        top5=scores.top5,
        loss=scores.loss,
        correct1=scores.correct1,
        correct5=scores.correct5,
        evaluated=scores.evaluated,
        expected=scores.evaluated if cli.model.evaluates_a_part(split) else expected,
        duplicates=ledger.duplicates if ledger else 0,
        world_size=cli.trainer.world_size,
        checkpoint=str(checkpoint) if checkpoint else str(cli.config.model.weights or ""),
    )
