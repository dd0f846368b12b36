"""What an update of SGD with momentum costs: parameter by parameter, for all at once, fused, and compiled.

    python benchmarks/optimizer_update.py [--rounds 9] [--compiled] [--write]

On the GPU if there is one, else in CPU time of one thread, which other work disturbs least. In each round, for each
net, the ways take turns; the record has the seconds of an update, medians with the smallest and largest of all rounds,
and by how much the weights of each way differ from those of the first one after UPDATES updates with the same
gradients, as a share of the largest weight. Compiling takes minutes on a CPU and is therefore done on request. With
--write the record becomes benchmarks/results/optimizer_update.json, which the table in docs/speed.md is made from.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from resnet_zoo.cli.timing.job import machine
from resnet_zoo.cli.timing.rounds import Spread, seconds_of
from resnet_zoo.model import create_model
from resnet_zoo.optim import compile_update

RESULT = Path(__file__).parent / "results" / "optimizer_update.json"
NETS = {"resnet20_cifar": 50, "resnet50": 3}
"""Backbone: updates in a round."""
WAYS: dict[str, dict[str, bool]] = {
    "parameter by parameter": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
COMPILED = "compiled"
UPDATES = 10


class Way:
    """An optimizer of a net of its own, with gradients that stay the same."""

    def __init__(
        self, net: str, arguments: dict[str, bool], device: torch.device, compiled: bool = False
    ) -> None:
        torch.manual_seed(0)
        self.net = create_model(net, num_classes=10).to(device)
        for parameter in self.net.parameters():
            parameter.grad = torch.randn_like(parameter)
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, **arguments
        )
        if compiled:
            compile_update(self.optimizer)
        for _ in range(UPDATES):
            self.optimizer.step()

    def weights(self) -> torch.Tensor:
        """All of them, in a row."""
        return torch.cat([parameter.detach().flatten() for parameter in self.net.parameters()])


def measured(net: str, rounds: int, device: torch.device, compiled: bool) -> dict[str, Any]:
    """What came out for a net, by way."""
    ways = {name: Way(net, arguments, device) for name, arguments in WAYS.items()}
    if compiled:
        ways[COMPILED] = Way(net, {}, device, compiled=True)
    first = next(iter(ways.values())).weights()
    differences = {
        name: float((way.weights() - first).abs().max() / first.abs().max()) for name, way in ways.items()
    }

    def several(way: Way) -> None:
        for _ in range(NETS[net]):
            way.optimizer.step()

    clock = time.perf_counter if device.type == "cuda" else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(seconds_of(lambda way=way: several(way), device, clock) / NETS[net])  # type: ignore[misc]
    return {
        name: {"seconds": Spread.of(times)._asdict(), "difference": differences[name]}
        for name, times in seconds.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--compiled", action="store_true", default=torch.cuda.is_available())
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(options.device)
    nets = {name: measured(name, options.rounds, device, options.compiled) for name in NETS}
    text = json.dumps({"machine": machine(device), "rounds": options.rounds, "nets": nets}, indent=1)
    print(text)
    if options.write:
        RESULT.write_text(text + "\n")


if __name__ == "__main__":
    main()
