"""The tables of what a step takes in memory, and of what it takes on several ranks, from ``benchmarks/results/``."""

from __future__ import annotations

import json
from typing import Any

from docs.markdown_table import table
from docs.speed_tables import RESULTS

CUTS = {"none": "none", "all": "all: sqrt(layers) segments"}


def activation_checkpointing() -> str:
    """Memory and time with and without: ``benchmarks/activation_checkpointing.py``."""
    nets = json.loads((RESULTS / "activation_checkpointing.json").read_text())["nets"]
    rows = []
    for name, record in nets.items():
        net = f"`{name}`, {record['image_size']} pixels"
        batch = record["memory_batch_size"]
        for setting, need in record["memory"].items():
            time = {"none": "1", "all": _times_as_long(record)}.get(setting, "")
            each, fixed = need["per_image"], need["fixed"]
            saved = record["memory"]["none"]["per_image"] / each
            cells = (
                f"{each / 2**20:,.1f}",
                f"{saved:.1f}",
                f"{fixed / 2**20:,.0f}",
                f"{(fixed + batch * each) / 2**30:.1f}",
            )
            rows.append((net, CUTS.get(setting, setting), *cells, time))
            net = ""
    head = (
        "net",
        "computed twice",
        "MiB an image:",
        "times less:",
        "MiB beside:",
        f"GiB at batch {_numbers({each['memory_batch_size'] for each in nets.values()})}:",
        "times as long:",
    )
    timed = [each for each in nets.values() if "times_as_long" in each]
    machines = {"{device}, torch {torch}, {date}".format(**each["machine"]) for each in timed}
    note = "Float32; memory is counted."
    if timed:
        note += (
            f" Time is the processor's, of one thread of {'; '.join(sorted(machines))}, with "
            f"{_numbers({each['batch_size'] for each in timed})} images a step: medians of "
            f"{_numbers({each['rounds'] for each in timed})} rounds, with the least and the most."
        )
    return table(head, rows) + f"\n{note}\n"


def _times_as_long(record: dict[str, Any]) -> str:
    spread = record.get("times_as_long")
    return "{:.2f} ({:.2f} to {:.2f})".format(*spread.values()) if spread else "not measured yet"


def scaling() -> str:
    """Images per second over world sizes: ``benchmark scaling --save``."""
    path = RESULTS / "scaling.json"
    if not path.exists():
        return "Not measured yet.\n"
    rows, machines = [], []
    for record in json.loads(path.read_text()):
        net = "`{backbone}`, {image_size} pixels, batch {batch_size} a rank, {precision}, {backend}".format(
            **record
        )
        for each in record["results"]:
            times = "{} ({} to {})".format(*(f"{1e3 * value:,.1f}" for value in each["seconds"].values()))
            cells = (str(each["world_size"]), times, f"{each['images_per_second']:,.0f}")
            rows.append((net, *cells, _share(each["efficiency"]), _share(each["communication"])))
            net = ""
        around = record["machine"]
        machines.append(
            f"{around['device']}, {around['cores']} cores, torch {around['torch']}, {around['date']}"
        )
    head = (
        "net, images, precision",
        "ranks:",
        "ms a step (least to most):",
        "images/s:",
        "efficiency:",
        "communication:",
    )
    return table(head, rows) + f"\n{'; '.join(dict.fromkeys(machines))}.\n"


def _share(spread: dict[str, float] | None) -> str:
    return "{:.1%} ({:.1%} to {:.1%})".format(*spread.values()) if spread else ""


def _numbers(values: set[Any]) -> str:
    return " and ".join(map(str, sorted(values)))
