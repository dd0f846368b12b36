"""One training of a trial of resuming, in a process of its own; ``resnet-zoo verify-resume`` starts it.

``python -m resnet_zoo.cli.resume_trial_child --samples DIR --state DIR [--kill-at N] [--epochs N] fit ...``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resnet_zoo.cli import main as dispatcher


def train(argv: list[str]) -> int:
    """Train with an eye on samples and state, and die or end where the options say.

    Args:
        argv: the options of this module, then ``fit`` and its words.

    Returns:
        the exit code of ``fit``.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--epochs", type=int)
    beginning = argv.index("fit")
    options = parser.parse_args(argv[:beginning])

    from lightning.pytorch import Callback

    from resnet_zoo.callbacks.resume_trial import EndAfterEpoch, KillAt, SampleOrder
    from resnet_zoo.callbacks.state_trace import StateTrace
    from resnet_zoo.cli import training

    for folder in (options.samples, options.state):
        folder.mkdir(parents=True, exist_ok=True)
    callbacks: list[Callback] = [SampleOrder(options.samples), StateTrace(options.state)]
    if options.epochs is not None:
        callbacks.append(EndAfterEpoch(options.epochs))
    if options.kill_at is not None:
        callbacks.append(KillAt(options.kill_at, meeting=options.samples))
    return training.main(argv[beginning:], callbacks)


if __name__ == "__main__":
    sys.exit(dispatcher.main(sys.argv[1:], train))
