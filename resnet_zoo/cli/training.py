"""The commands fit, validate, test and predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch import Callback

from resnet_zoo.callbacks import quieten_lightning
from resnet_zoo.cli.allocator import keep_memory
from resnet_zoo.cli.arguments import Arguments, parse_arguments
from resnet_zoo.cli.config_files import parse_scalar
from resnet_zoo.cli.data_workers import TellDataWorkers
from resnet_zoo.cli.evaluation import SPLITS, evaluate_all_weights
from resnet_zoo.cli.launch import Launch, detect, on_rank_zero
from resnet_zoo.cli.names import NAMED_KEYS
from resnet_zoo.cli.out_of_memory import told_when_out_of_memory
from resnet_zoo.cli.predictions import write_predictions
from resnet_zoo.cli.preflight import check_agreement, check_launch, check_ranks, check_room, together
from resnet_zoo.cli.protocols import evaluate_plan, plan_of
from resnet_zoo.cli.rank_failures import tell_failures
from resnet_zoo.cli.rendezvous import RANK_TIMEOUT, connect
from resnet_zoo.cli.resuming import check_resume
from resnet_zoo.cli.run_end import run_to_its_end
from resnet_zoo.cli.run_setup import (
    folder_of_evaluations,
    given_checkpoint,
    named_checkpoint,
    newest_checkpoint,
    open_run_directory,
    run_of,
    start_run,
)
from resnet_zoo.cli.summary import print_fit_table, print_result
from resnet_zoo.cli.training_cli import TrainingCLI
from resnet_zoo.errors import InvalidValue, SaidElsewhere, UserMistake
from resnet_zoo.loggers import close_loggers
from resnet_zoo.metrics import Scores, WeightsName
from resnet_zoo.runs import RunDirectory


def main(argv: list[str], more_callbacks: Sequence[Callback] = ()) -> int:
    """Run one training command.

    Args:
        argv: the command, then its options.
        more_callbacks: of Lightning, beside the config's.

    Returns:
        the exit code.

    Raises:
        UserMistake: something in the options, the configs, the data or the checkpoint is not as it must be.
    """
    command, words = argv[0], argv[1:]
    quieten_lightning()
    launch = detect()
    try:
        arguments = parse_arguments(words, NAMED_KEYS)
        if command != "fit" and not arguments.config_names:
            arguments = _with_the_run_s_config(command, arguments, words)
        check_launch(launch, arguments)
    except UserMistake as mistake:
        if launch.rank % launch.local_world_size:  # no other process can be asked yet
            raise SaidElsewhere("the first process of the node says it") from mistake
        raise
    rank_timeout = float(arguments.get("rank_timeout") or RANK_TIMEOUT)
    connect(launch, str(arguments.get("trainer.accelerator") or "auto"), rank_timeout)
    return tell_failures(
        launch, rank_timeout, lambda: _run(command, words, arguments, launch, more_callbacks)
    )


def _run(
    command: str, words: list[str], arguments: Arguments, launch: Launch, more_callbacks: Sequence[Callback]
) -> int:
    check_ranks(launch, arguments)
    cli = together(launch, lambda: _build(command, arguments, launch, more_callbacks))
    check_agreement(launch, data=cli.datamodule.fingerprint() if launch.external else None)
    with cli.closing:
        if command == "fit":
            return fit(cli, words)
        evaluate_checkpoint(cli)
        return 0


def _build(
    command: str, arguments: Arguments, launch: Launch, more_callbacks: Sequence[Callback]
) -> TrainingCLI:
    cli = TrainingCLI(command, arguments, launch, more_callbacks=[TellDataWorkers(), *more_callbacks])
    if command == "fit":
        cli.datamodule.check_batch_size(cli.trainer.world_size, cli.trainer.accumulate_grad_batches)
    return cli


def no_weights(command: str) -> InvalidValue:
    """The mistake of an evaluation of nothing."""
    return InvalidValue(
        f"{command} needs trained weights: --ckpt_path CHECKPOINT (a path, or 'best' or 'last' with --run_dir), or "
        "--model.weights FILE for a state dict."
    )


def _with_the_run_s_config(command: str, arguments: Arguments, words: list[str]) -> Arguments:
    """A checkpoint that lies in a run directory brings that run's config along; of several, the first does.

    Raises:
        InvalidValue, MissingData: no weights are named, or they are not there.
    """
    given = arguments.all_options("ckpt_path")
    if not given:
        if arguments.get("model.weights") is None:
            raise no_weights(command)
        return arguments
    first = parse_scalar(given[0])
    named = str(first[0]) if isinstance(first, list) and first else given[0]
    run = run_of(named_checkpoint(named, arguments.option("run_dir")))
    return arguments if run is None else parse_arguments(["--config", str(run.config), *words], NAMED_KEYS)


def fit(cli: TrainingCLI, words: list[str]) -> int:
    """Train, then score the best checkpoint once, on the test split where there is one.

    Returns:
        the exit code, as ``run_to_its_end`` says.
    """
    _check_there_is_something_to_train(cli)
    if not cli.trainer.fast_dev_run:  # type: ignore[attr-defined]
        _check_a_score_exists(cli)
    checkpoint = given_checkpoint(cli)
    directory = open_run_directory(cli)
    checkpoint = checkpoint or newest_checkpoint(cli, directory)
    if checkpoint is not None:
        check_resume(cli, checkpoint)
    num_parameters = sum(parameter.numel() for parameter in cli.model.parameters())
    on_rank_zero(cli.launch, lambda: check_room(directory.path, num_parameters))
    start_run(cli, directory)
    if cli.trainer.strategy.root_device.type == "cpu":
        cli.notes.append(keep_memory())
    code = 1
    try:
        code = run_to_its_end(cli, directory, words, lambda: _train_and_score(cli, directory, checkpoint))
    finally:
        close_loggers(cli.trainer.loggers, code)
    return code


def _train_and_score(cli: TrainingCLI, directory: RunDirectory, checkpoint: Path | None) -> None:
    with told_when_out_of_memory(cli):
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint, weights_only=True)
    if cli.trainer.fast_dev_run:  # type: ignore[attr-defined]
        return
    last_scores: dict[WeightsName, Scores | None] = {
        "raw": cli.model.scores.get("val"),
        "ema": cli.model.ema_scores.get("val"),
    }
    kept = cli.checkpoints
    chosen = kept.best if kept.best_score is not None else kept.last
    split = cli.datamodule.test_split_name()
    results = [] if split is None else evaluate_all_weights(cli, split, chosen, directory)
    if cli.trainer.is_global_zero:
        print_fit_table(cli, directory, last_scores, results)
    for logger in cli.trainer.loggers:
        logger.finalize("success")


def _check_there_is_something_to_train(cli: TrainingCLI) -> None:
    for key in ("max_epochs", "max_steps"):
        if getattr(cli.trainer, key) == 0:
            raise InvalidValue(
                f"{cli.where(f'trainer.{key}')}: trainer.{key}=0 trains nothing. Use 1 or more, or 'validate' or "
                "'test' for weights that are there already."
            )


def _check_a_score_exists(cli: TrainingCLI) -> None:
    """A monitored score that nothing has would never choose a checkpoint."""
    kept = cli.checkpoints.settings
    said = f"{cli.where('checkpoint.monitor')}: 'checkpoint.monitor' is {kept.monitor}, but"
    if kept.score == "top5" and cli.datamodule.num_classes < 5:
        raise InvalidValue(
            f"{said} the data has {cli.datamodule.num_classes} classes and so no top-5. Use val/top1 or val/loss."
        )
    if kept.weights == "ema" and cli.ema is None:
        raise InvalidValue(
            f"{said} there is no moving average. Turn it on with --ema.decay 0.9999, or use val/{kept.score}."
        )


def evaluate_checkpoint(cli: TrainingCLI) -> None:
    """validate, test and predict: load the weights that were named, and write what they give."""
    given = cli.config.ckpt_path
    if given is None and cli.config.model.weights is None:
        raise no_weights(cli.command)
    if cli.config.resume is not None and (cli.config.run_dir is None or _names_the_run(given)):
        raise InvalidValue(
            f"--resume {cli.config.resume} continues a training, or begins an interrupted evaluation again in its "
            f"--run_dir; here is neither. Leave it out."
        )
    if given is None and cli.config.weights is not None:
        raise InvalidValue(
            f"--weights {cli.config.weights} chooses between the weights of a checkpoint, and none is given. Give one "
            "with --ckpt_path, or leave it out."
        )
    if cli.command not in SPLITS:
        checkpoint = given_checkpoint(cli)
        write_predictions(cli, checkpoint, _open_evaluation(cli, [checkpoint]))
        return
    split = SPLITS[cli.command]
    if not cli.datamodule.has_split(split):
        have = ", ".join(name for name in cli.datamodule.num_samples)
        raise InvalidValue(f"the data has no {split!r} split to {cli.command}. It has: {have}.")
    plan = plan_of(cli)
    directory = _open_evaluation(cli, [checkpoint for _, checkpoint in plan.members])
    result = evaluate_plan(cli, plan, split, directory)
    if cli.trainer.is_global_zero:
        print_result(cli, directory, result)


def _names_the_run(given: str | list[str] | None) -> bool:
    """Whether ``--run_dir`` is where the checkpoints of these names are looked for, and not where results go."""
    return bool({"best", "last"} & set([given] if isinstance(given, str) else given or []))


def _open_evaluation(cli: TrainingCLI, checkpoints: Sequence[Path | None]) -> RunDirectory:
    if _names_the_run(cli.config.ckpt_path):
        cli.config.run_dir = None
    directory = open_run_directory(cli, folder_of_evaluations(cli.command, checkpoints[0]))
    start_run(
        cli, directory, evaluates=", ".join(str(path or cli.config.model.weights) for path in checkpoints)
    )
    return directory
