"""``resnet-zoo verify-resume``: train a config twice, once killed and resumed, and compare the two to the last bit.

torch is imported only once the options are understood.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.cli.trial_processes import Run, run_in_own_session
from resnet_zoo.errors import InvalidValue

if TYPE_CHECKING:
    from resnet_zoo.cli.trial_plan import TrialPlan

NOT_IDENTICAL = 1
# What a trial decides itself, and why.
_OWNED = {
    "run_dir": "it makes two run directories, in --out or a temporary folder",
    "resume": "it resumes by itself",
    "ckpt_path": "both trainings begin at the beginning",
    "force_resume": "nothing changes between the two trainings",
    "trainer.fast_dev_run": "it needs checkpoints; bound a trial with --trainer.max_epochs or --trainer.max_steps",
}


def main(argv: list[str], run: Run = run_in_own_session) -> int:
    """Find out whether a config's training, killed and resumed, is the one that was never stopped.

    Args:
        argv: options of this command and of ``fit``.
        run: how a training is run.

    Returns:
        0 if the two are identical, 1 if not or if a training failed, 2 for a mistake in what was given, 130 after
        Ctrl-C.

    Raises:
        UserMistake: something in the options, the config or the data is not as it must be.
    """
    from resnet_zoo.cli.arguments import joined, parse_arguments

    parser = _parser()
    known = set(parser._option_string_actions)
    words = joined(argv)
    options = parser.parse_args([word for word in words if word.partition("=")[0] in known])
    fit = [word for word in words if word.partition("=")[0] not in known]
    if options.devices is not None:
        fit.append(f"--trainer.devices={options.devices}")
    parse_arguments(fit, {})  # a mistake in the text of a config is said before torch is imported

    from resnet_zoo.cli.trial import Trial

    plan = _plan(fit, options.kill_at, options.whole)
    print("\n".join(["the trial", *(f"  {line}" for line in plan.lines())]), flush=True)
    with _folder(options.out) as (folder, keep):
        trial = Trial(plan, fit, folder, run)
        code = trial.run_all()
        if code == 0:
            identical, lines = trial.verdict()
            print("\n".join(lines))
            code = 0 if identical else NOT_IDENTICAL
        if code:
            keep()
            print(f"both runs, their logs and notes are in '{folder}'")
    return code


def _parser() -> CommandParser:
    parser = CommandParser(
        "verify-resume",
        "Train a config uninterrupted; train it again, kill it by SIGKILL and resume it; compare both to the last\n"
        "bit: weights, optimizer, callbacks, metrics, results and the order of samples. All options of fit are taken.\n"
        "Exit code: 0 identical, 1 not, 2 a mistake in what was given.",
        "resnet-zoo verify-resume --config quickstart",
    )
    parser.add_argument(
        "--kill-at", type=positive_int, metavar="STEP", help="after which update; by default in mid-epoch"
    )
    parser.add_argument("--devices", metavar="N", help="as --trainer.devices: how many ranks, or which")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="train to the config's end; by default to the epoch after the kill",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="keep both runs there; by default they are removed if they are identical"
    )
    return parser


def _plan(fit: list[str], kill_at: int | None, whole: bool) -> TrialPlan:
    from resnet_zoo.callbacks import quieten_lightning
    from resnet_zoo.cli.arguments import parse_arguments
    from resnet_zoo.cli.launch import detect
    from resnet_zoo.cli.names import NAMED_KEYS
    from resnet_zoo.cli.preflight import check_launch
    from resnet_zoo.cli.trial_plan import make_plan

    quieten_lightning()
    launch = detect()
    if launch.launcher != "none":
        raise InvalidValue(
            f"verify-resume was started by {launch.launcher}, but it starts its ranks itself. Start it once, without a "
            "launcher, and give --devices with the number of ranks."
        )
    arguments = parse_arguments(fit, NAMED_KEYS)
    for key, reason in _OWNED.items():
        if str(arguments.get(key)).lower() not in ("none", "null", "false"):
            raise InvalidValue(f"verify-resume does not take {key!r}: {reason}. Leave it out.")
    check_launch(launch, arguments)
    return make_plan(arguments, kill_at, whole)


@contextmanager
def _folder(out: str | None) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Where the trial goes, and a function that makes it stay; one that was asked for stays anyway.

    A temporary one also stays when the command is ended from outside, for it may hold hours of work.
    """
    if out is not None:
        folder = Path(out)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InvalidValue(f"--out '{folder}' is not an empty folder. Choose a new one.")
        folder.mkdir(parents=True, exist_ok=True)
        yield folder, lambda: None
        return
    folder = Path(tempfile.mkdtemp(prefix="resnet-zoo-verify-resume-"))
    kept: list[bool] = []
    try:
        yield folder, lambda: kept.append(True)
    except BaseException:
        print(f"\nwhat was trained so far is in '{folder}'", file=sys.stderr, flush=True)
        raise
    if not kept:
        shutil.rmtree(folder)
