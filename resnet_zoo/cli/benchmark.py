"""``resnet-zoo benchmark``: measurements of speed, chosen by the first word."""

from __future__ import annotations

import importlib

from resnet_zoo.errors import InvalidValue, unknown_name

BENCHMARKS = {
    "data": "resnet_zoo.cli.benchmark_data",
    "step": "resnet_zoo.cli.benchmark_step",
    "model": "resnet_zoo.cli.benchmark_model",
    "batch": "resnet_zoo.cli.benchmark_batch",
}
"""What is measured, and the module that does it, which has ``main(argv: list[str]) -> int``."""


def main(argv: list[str]) -> int:
    """Run one of the measurements.

    Raises:
        InvalidValue: none was named.
        UnknownName: there is none of that name.
    """
    usage = f"usage: resnet-zoo benchmark {{{','.join(BENCHMARKS)}}} [...]"
    if not argv:
        raise InvalidValue(f"resnet-zoo benchmark: which? Known: {', '.join(BENCHMARKS)}.")
    if argv[0] in ("-h", "--help", "help"):
        print(f"{usage}\n\n'resnet-zoo benchmark data --help' explains one.")
        return 0
    if argv[0] not in BENCHMARKS:
        raise unknown_name("benchmark", argv[0], BENCHMARKS, "See 'resnet-zoo benchmark --help'.")
    code: int = importlib.import_module(BENCHMARKS[argv[0]]).main(argv[1:])
    return code
