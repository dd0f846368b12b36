"""The keys of a training command that belong to no class of the framework: the run and what is written about it."""

from __future__ import annotations

from typing import Literal

from jsonargparse.typing import PositiveFloat
from lightning.pytorch.cli import LightningArgumentParser

from resnet_zoo.callbacks import CheckpointSettings, EmaSettings, NonFiniteSettings
from resnet_zoo.cli.ddp_options import DdpSettings
from resnet_zoo.cli.device_options import Tf32
from resnet_zoo.cli.rendezvous import RANK_TIMEOUT
from resnet_zoo.loggers import WandbSettings
from resnet_zoo.metrics import WeightsName

RUN_DIR_HELP = (
    "Folder of this run; by default runs/<config name>/<next number>, of an evaluation <run>/<command>/<next number> "
    "in the run whose checkpoint it is of."
)
Protocol = Literal["center", "ten_crop", "multi_scale"]


def add_run_options(parser: LightningArgumentParser, command: str) -> None:
    """Add them.

    Args:
        parser: of the command.
        command: fit, validate, test or predict; some keys are for some of them only.
    """
    parser.add_argument(
        "--run_dir",
        type=str | None,
        default=None,
        help=RUN_DIR_HELP,
    )
    parser.add_argument(
        "--resume",
        type=Literal["auto"] | None,
        default=None,
        help="auto: continue the newest checkpoint of run_dir, or start afresh if there is none.",
    )
    parser.add_argument(
        "--precision",
        type=Literal["auto"] | None,
        default=None,
        help="auto: bfloat16 autocast where the device computes in it, else float32, in place of trainer.precision; "
        "the run says what was chosen and its config records it.",
    )
    parser.add_argument(
        "--tf32",
        type=Tf32,
        default="convolutions",
        help="Which float32 operations a GPU may compute in TF32: convolutions, as torch does by itself; all, matrix "
        "products too; none.",
    )
    parser.add_argument(
        "--rank_timeout",
        type=PositiveFloat,
        default=RANK_TIMEOUT,
        help="Seconds that a rank waits for another before it takes it for gone and ends.",
    )
    forced = "Continue although data, or the order of a half-finished epoch, have changed."
    parser.add_argument("--force_resume", type=bool, default=False, help=forced)
    parser.add_argument(
        "--ckpt_path",
        type=list[str] | str | None,
        default=None,
        help="Checkpoint to continue (fit) or to evaluate: a path, or 'best' or 'last' of run_dir. Given several "
        "times, validate and test average their class probabilities.",
    )
    _add_evaluation_options(parser, command)
    parser.add_argument(
        "--logger",
        type=Literal["wandb", "tensorboard", "none"],
        default="wandb",
        help="Where metrics go besides metrics.csv.",
    )
    parser.add_class_arguments(WandbSettings, "wandb")
    parser.add_class_arguments(CheckpointSettings, "checkpoint")
    parser.add_class_arguments(EmaSettings, "ema")
    parser.add_class_arguments(NonFiniteSettings, "non_finite")
    parser.add_class_arguments(DdpSettings, "ddp")


def _add_evaluation_options(parser: LightningArgumentParser, command: str) -> None:
    """What is evaluated, and how the images are looked at."""
    if command in ("validate", "test"):
        parser.add_argument(
            "--protocol",
            type=Protocol,
            default="center",
            help="center: the data set's own view; ten_crop: corners, centre and their mirror images; "
            "multi_scale: whole images at several sizes. Class probabilities are averaged over the views.",
        )
        parser.add_argument(
            "--scales",
            type=list[int] | None,
            default=None,
            help="Shorter sides for multi_scale, in pixels; by default [224,256,384,480,640] for images of 224 "
            "pixels and in proportion for others.",
        )
    if command in ("validate", "test", "predict"):
        parser.add_argument(
            "--weights",
            type=WeightsName | None,
            default=None,
            help="Which weights of a checkpoint that holds both: raw, those that were trained, or ema, their moving "
            "average; by default those that the run's checkpoint.monitor scores.",
        )
