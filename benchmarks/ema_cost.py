"""What an exponential moving average costs a training step, ours against Lightning's ``EMAWeightAveraging``.

    python benchmarks/ema_cost.py [--rounds 7] [--write]

In CPU time of one thread, which other work on the machine disturbs least. In each round, for each net, one after the
other: a training step (forward, backward, SGD with momentum), our callback's hook after it, Lightning's hook after
it. The record has medians with the smallest and largest of all rounds, the hook as a share of the step without it,
and the ratio of the two hooks, formed round by round. A hook is called several times in a round and its mean is
taken; a step is long enough as it is. The share falls as the batch grows: a hook costs the same whatever the number
of images. With --write the record becomes benchmarks/results/ema_cost.json, which the table in docs/training.md is
made from.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EMAWeightAveraging
from torch.nn.functional import cross_entropy

from resnet_zoo.callbacks import EmaSettings, ExponentialMovingAverage
from resnet_zoo.classifier import ImageClassifier
from resnet_zoo.cli.timing.job import machine
from resnet_zoo.cli.timing.rounds import Spread
from resnet_zoo.model import create_backbone

RESULT = Path(__file__).parent / "results" / "ema_cost.json"
DECAY = 0.9999
NETS = {"resnet20_cifar": (32, 128, 20), "resnet50": (224, 8, 5)}
"""Backbone: image size, images in a batch, calls of a hook in a round."""
OURS, LIGHTNING = "ours", "Lightning's"


def seconds(work: Callable[[], object], times: int) -> float:
    """Mean CPU time of a call."""
    start = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - start) / times


class Net:
    """A net with both callbacks attached, as they are in the middle of a training."""

    def __init__(self, name: str, image_size: int, batch_size: int) -> None:
        torch.manual_seed(0)
        self.module = ImageClassifier(create_backbone(name), num_classes=10)
        self.images = torch.randn(batch_size, 3, image_size, image_size)
        self.labels = torch.arange(batch_size) % 10
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.01, momentum=0.9)
        self.trainer: Any = SimpleNamespace(
            global_step=0, current_epoch=0, num_training_batches=1000, accumulate_grad_batches=1,
            max_steps=-1, max_epochs=1, is_global_zero=False, datamodule=None, strategy=None,
        )  # fmt: skip
        ours = ExponentialMovingAverage(EmaSettings(DECAY))
        ours.on_fit_start(self.trainer, self.module)
        ours.on_train_start(self.trainer, self.module)
        theirs = EMAWeightAveraging(decay=DECAY)
        theirs.setup(self.trainer, self.module, "fit")
        self.callbacks: dict[str, Callback] = {OURS: ours, LIGHTNING: theirs}

    def step(self) -> None:
        """Train on one batch."""
        self.optimizer.zero_grad()
        cross_entropy(self.module(self.images), self.labels).backward()
        self.optimizer.step()

    def average(self, callback: Callback) -> None:
        """Call the hook as after an update."""
        self.trainer.global_step += 1
        callback.on_train_batch_end(self.trainer, self.module, None, None, 0)

    def round(self, calls: int) -> dict[str, float]:
        """Seconds of each."""
        times = {"step": seconds(self.step, 1)}
        for name, callback in self.callbacks.items():
            times[name] = seconds(lambda callback=callback: self.average(callback), calls)  # type: ignore[misc]
        return times


def measured(name: str, rounds: int) -> dict[str, Any]:
    """What came out for a net of NETS; seconds, and ratios formed round by round."""
    image_size, batch_size, calls = NETS[name]
    net = Net(name, image_size, batch_size)
    net.round(1)  # the first one allocates
    times = [net.round(calls) for _ in range(rounds)]

    def spread(value: Callable[[dict[str, float]], float]) -> dict[str, float]:
        return Spread.of([value(each) for each in times])._asdict()

    return {
        "image_size": image_size,
        "batch_size": batch_size,
        "numbers": sum(tensor.numel() for tensor in net.module.state_dict().values()),
        "step": spread(lambda each: each["step"]),
        "hook": spread(lambda each: each[OURS]),
        "share": spread(lambda each: each[OURS] / each["step"]),
        "lightning_over_ours": spread(lambda each: each[LIGHTNING] / each[OURS]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    record = {
        "machine": machine(torch.device("cpu")),
        "rounds": options.rounds,
        "nets": {name: measured(name, options.rounds) for name in NETS},
    }
    text = json.dumps(record, indent=1)
    print(text)
    if options.write:
        RESULT.write_text(text + "\n")


if __name__ == "__main__":
    main()
