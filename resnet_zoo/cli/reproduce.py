"""``resnet-zoo reproduce``: the papers' claims as runs, figures and verdicts."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.cores import available_cores
from resnet_zoo.errors import InvalidValue
from resnet_zoo.experiments import catalogue
from resnet_zoo.experiments.setting import PRESETS, Setting

if TYPE_CHECKING:
    from resnet_zoo.experiments.conductor import Conductor
    from resnet_zoo.report.figures import ExperimentReport

OUT = Path("reproduce")
MOST_JOBS = 8
CLAIM_FAILS = 1
"""Exit code when a claim does not hold, or a run that it needs failed."""

_DESCRIPTION = """\
Train what a claim of the papers needs, measure, draw, and say whether the claim holds. Everything goes below --out: an
ordinary run directory for each training, report.html, claims.json and the figures. Finished trainings are not repeated,
interrupted ones continue. Start the same command on several machines that share the folder, or several times on one
with CUDA_VISIBLE_DEVICES, and they divide the trainings among them. Words behind '--' go to every 'fit' of the preset
paper.

exit code: 0 if every claim that was judged holds, 1 if not, 2 for a mistake in what was given, 85 or 130 if a signal
stopped it: then the same command goes on"""


def main(argv: list[str]) -> int:
    """Run one experiment, or all of them.

    Returns:
        0 if every judged claim holds, else 1.

    Raises:
        UserMistake: there is no such experiment or preset, or data are missing.
    """
    options, words = _parse(argv)
    if options.list:
        print(_list())
        return 0
    if options.name is None:
        raise InvalidValue(
            "reproduce needs the name of an experiment, or 'all'. See 'resnet-zoo reproduce --list'."
        )
    if words and options.preset == "quick":
        raise InvalidValue(
            f"{' '.join(words)!r} cannot be given to the preset quick, whose claims are judged by fixed settings."
        )
    setting = Setting(
        options.preset,
        options.out or OUT / options.preset,
        options.seeds,
        options.data_root,
        tuple(words),
        options.first_seed,
    )
    names = catalogue.names(options.name, options.preset)

    from resnet_zoo.experiments.conductor import Conductor  # needs torch, which the list does not

    conductor = Conductor(setting, names)
    if options.plan:
        print("\n".join(shlex.join(["resnet-zoo", *command]) for command in conductor.commands()))
        return 0
    return _work(conductor, argv, options.jobs or _usual_jobs(setting), options.train_only)


def _work(conductor: Conductor, argv: Sequence[str], jobs: int, train_only: bool) -> int:
    from resnet_zoo.cli.reproduce_runs import helpers, train
    from resnet_zoo.experiments.training import StoppedBySignal

    try:
        if train_only:
            train(conductor, 1, say, wait=False)  # the helper was given its share of the cores
            return 0
        conductor.store.forget_failures(conductor.everything())
        with helpers(argv, max(min(jobs, len(conductor.runs)) - 1, 0), available_cores()):
            conductor.judge_untrained(say)
            train(conductor, jobs, say, wait=True)
    except StoppedBySignal as stopped:
        say(f"{stopped}. The training was saved; the same command goes on with it.")
        return stopped.code
    reports = conductor.judge(say)
    conductor.write(reports)
    return _conclude(conductor, reports)


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = CommandParser("reproduce", _DESCRIPTION, "resnet-zoo reproduce degradation --preset quick")
    parser.add_argument("name", nargs="?", help="an experiment, or 'all' for those that have the preset")
    parser.add_argument("--list", action="store_true", help="list the experiments")
    parser.add_argument("--preset", choices=PRESETS, default="quick", help="quick: minutes on the embedded digits; "
                        "paper: the paper's protocol on CIFAR-10 or ImageNet")  # fmt: skip
    parser.add_argument(
        "--seeds", type=positive_int, metavar="N", help="seeds of everything; else 3, or the paper's"
    )
    parser.add_argument(
        "--first-seed",
        type=seed,
        default=0,
        metavar="N",
        help="where the seeds begin; from 6 on the preset quick meets seeds that its settings were not chosen with",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for everything; else reproduce/PRESET"
    )
    parser.add_argument(
        "--data-root",
        type=Path,
        metavar="DIR",
        help="folder of the preset paper's data, with 'cifar10' and 'imagenet' or their contents; else 'data'",
    )
    parser.add_argument("--jobs", type=positive_int, metavar="N", help="processes that train side by side; else one a "
                        "core in the preset quick, and 1 in the preset paper")  # fmt: skip
    parser.add_argument(
        "--plan", action="store_true", help="only print the trainings that are needed, as commands"
    )
    parser.add_argument("--train-only", action="store_true", help="only train, as a helper of another process, and do "
                        "not wait for its runs")  # fmt: skip
    split = argv.index("--") if "--" in argv else len(argv)
    return parser.parse_args(argv[:split]), list(argv[split + 1 :])


def seed(text: str) -> int:
    """The type of an option that is a seed: a whole number from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _list() -> str:
    width = max(map(len, catalogue.CATALOGUE))
    return "\n".join(
        f"{name:<{width}}  {'/'.join(entry.presets):<11}  {entry.question}"
        for name, entry in catalogue.CATALOGUE.items()
    )


def _usual_jobs(setting: Setting) -> int:
    """One process for each core that we may use, since the quick nets are too small to share one among cores."""
    return min(available_cores(), MOST_JOBS) if setting.quick else 1


def _conclude(conductor: Conductor, reports: Sequence[ExperimentReport]) -> int:
    from resnet_zoo.experiments.conductor import failed

    claims = [claim for report in reports for claim in report.claims]
    holding = sum(claim.verdict == "holds" for claim in claims)
    wrong = failed(claims)
    unjudged = len(claims) - holding - len(wrong)
    say(f"{holding} of {len(claims)} claims hold, {len(wrong)} do not, {unjudged} are for another preset.")
    for run in conductor.unfinished():
        say(f"not finished: {run.name}; see '{conductor.store.log(run)}'")
    say(f"report: {conductor.setting.out / 'report.html'}")
    return CLAIM_FAILS if wrong else 0


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, flush=True)
