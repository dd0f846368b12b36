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
