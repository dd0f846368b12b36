"""The tables of how a device is used, from the records in ``benchmarks/results/``."""

from __future__ import annotations

import json
from pathlib import Path

from docs.markdown_table import table

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks/results"


def optimizer_update() -> str:
    """Milliseconds of an update of SGD in several ways: ``benchmarks/optimizer_update.py``."""
    record = json.loads((RESULTS / "optimizer_update.json").read_text())
    rows = []
    for net, ways in record["nets"].items():
        slowest = next(iter(ways.values()))["seconds"]["median"]
        for way, measured in ways.items():
            times = "{:.3g} ms ({:.3g} to {:.3g})".format(
                *(1e3 * each for each in measured["seconds"].values())
            )
            ratio = f"{slowest / measured['seconds']['median']:.1f}x"
            rows.append((f"`{net}`", way, times, ratio, f"{measured['difference']:.1g}"))
    around = record["machine"]
    note = f"{around['device']}, {around['threads']} thread, torch {around['torch']}, {around['date']}."
    head = ("net", "update of SGD", "time (least to most)", "speed:", "largest difference of a weight:")
    return table(head, rows) + f"\n{note}\n"


def compiled_step() -> str:
    """What compiling does to a step on a CPU, in a sentence: ``benchmark step --compile true --save``."""
    [record] = json.loads((RESULTS / "compiled_step.json").read_text())
    ours, bare = record["results"]
    tax, around = record["tax"], record["machine"]
    return (
        f"On a CPU compiling was not worth it: a step of `{record['backbone']}` at batch {record['batch_size']} took\n"
        f"{1e3 * ours['seconds']['median']:,.0f} ms with backbone and update compiled, the bare loop, which is not, "
        f"{1e3 * bare['seconds']['median']:,.0f} ms\n"
        f"({tax['share']:+.1%} in the median of {record['rounds']} rounds; {around['device']}, "
        f"{around['threads']} thread, torch {around['torch']}, {around['date']}).\n"
    )
