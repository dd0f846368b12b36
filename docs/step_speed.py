"""The table of docs/speed.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def step_speed(path: Path, table: Callable[[Sequence[str], Iterable[Sequence[str]]], str]) -> str:
    """Milliseconds of a training step, ours and others', and the framework's tax.

    Args:
        path: of the list of records that ``resnet-zoo benchmark step --save`` has written.
        table: makes a table of a head and rows.
    """
    rows, machines = [], []
    for record in json.loads(path.read_text()):
        net = "`{backbone}`, {image_size} pixels, batch {batch_size}, {precision}".format(**record)
        tax = (
            record["tax"]
            and f"{1e6 * record['tax']['seconds']['median']:+,.0f} us, {record['tax']['share']:+.1%}"
        )
        for each in record["results"]:
            times = "{} ({} to {})".format(*(f"{1e3 * value:,.2f}" for value in each["seconds"].values()))
            speed = f"{each['images_per_second']:,.0f}"
            rows.append((net, each["name"], times, speed, tax or ""))
            net = tax = ""  # for the first line of each net
        parts = {key: record["machine"][key] for key in ("device", "threads", "torch", "lightning", "date")}
        machines.append(", ".join(f"{key} {value}" for key, value in parts.items()))
    head = ("net, images, precision", "loop", "ms a step (least to most):", "images/s:", "tax over bare:")
    return table(head, rows) + f"\n{'; '.join(dict.fromkeys(machines))}.\n"
