"""What the benchmarks of nets give: a record in plain types, shown as a table, printed or added to a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_zoo.errors import InvalidValue

if TYPE_CHECKING:
    from resnet_zoo.cli.timing.job import Job
    from resnet_zoo.cli.timing.rounds import Spread


def record_of(job: Job, notes: Sequence[str]) -> dict[str, Any]:
    """What was measured, where and with what, in plain types."""
    from resnet_zoo.cli.timing.job import machine

    return {
        "backbone": job.backbone,
        "arguments": job.arguments,
        "image_size": job.image_size,
        "precision": job.precision,
        "activation_checkpointing": job.activation_checkpointing,
        "notes": list(notes),
        "machine": machine(job.torch_device),
    }


def timed_record(
    job: Job, notes: Sequence[str], options: argparse.Namespace, spreads: dict[str, tuple[Spread, float]]
) -> dict[str, Any]:
    """The record of interleaved rounds, with what the device could do at best.

    Args:
        job: what was measured.
        notes: about precision and memory.
        options: with ``steps`` of a round and ``rounds``.
        spreads: by name, seconds of a step and the floating point operations in it.
    """
    from resnet_zoo.cli.timing.peaks import measured_peak, published_peak

    record = record_of(job, notes)
    measured = measured_peak(job.torch_device, job.dtype)
    return {
        **record,
        "batch_size": job.batch_size,
        "steps": options.steps,
        "rounds": options.rounds,
        "peak": {"measured": measured, "published": published_peak(record["machine"]["device"], job.dtype)},
        "results": [
            {
                "name": name,
                "seconds": spread._asdict(),
                "images_per_second": job.batch_size / spread.median,
                "share_of_measured_peak": operations / spread.median / measured,
            }
            for name, (spread, operations) in spreads.items()
        ],
    }


def heading(record: dict[str, Any]) -> list[str]:
    """The lines above the table of a ``timed_record``."""
    around, peak, size = record["machine"], record["peak"], record["image_size"]
    published = f", {peak['published'] / 1e12:,.0f} published" if peak["published"] else ""
    return [
        f"{record['backbone']}, {size}x{size} pixels, batch {record['batch_size']}, {record['precision']}; "
        f"{record['rounds']} rounds of {record['steps']} steps each, in turns",
        f"{around['device']}, {around['threads']} threads, load {around['load']}; torch {around['torch']}, "
        f"{around['date']}; matrices: {peak['measured'] / 1e12:,.3g} TFLOP/s measured{published}",
        *record["notes"],
        "",
    ]


def results_table(record: dict[str, Any], what: str) -> list[str]:
    """The lines of a ``timed_record``'s results; where memory was counted, with a column of it.

    Args:
        record: the measurement.
        what: was timed, for the head of the times.
    """
    with_memory = any(each.get("bytes") for each in record["results"])
    memory_head = f"{'memory':>12}" if with_memory else ""
    lines = [f"{'':<22}{f'ms {what}(least to most)':>34}{'images/s':>12}{'of peak':>9}{memory_head}"]
    for each in record["results"]:
        memory = f"{each['bytes'] / 2**20:>8,.0f} MiB" if each.get("bytes") else ""
        lines.append(
            f"{each['name']:<22}{in_milliseconds(each['seconds']):>34}{each['images_per_second']:>12,.0f}"
            f"{each['share_of_measured_peak']:>9.1%}{memory}"
        )
    return lines


def publish(
    record: dict[str, Any], options: argparse.Namespace, as_text: Callable[[dict[str, Any]], str]
) -> None:
    """Print the record, as a table or with ``--json`` as it is, and with ``--save`` add it to a file."""
    if options.save is not None:
        append_record(options.save, record)
    print(json.dumps(record, indent=2) if options.json else as_text(record))


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Add a record to a file that holds a list of them; without the file it is made."""
    from resnet_zoo.runs import write_text_atomically

    write_text_atomically(path, json.dumps([*saved_records(path), record], indent=2) + "\n")


def saved_records(path: Path) -> list[dict[str, Any]]:
    """The records in a file; none without the file.

    Raises:
        InvalidValue: the file holds something else, or cannot be made where it is to be.
    """
    if not path.parent.is_dir():
        raise InvalidValue(
            f"--save {path}: there is no folder '{path.parent}'. Make it, or choose another place."
        )
    try:
        records = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except (OSError, ValueError):
        records = None
    if not isinstance(records, list):
        raise InvalidValue(
            f"--save {path}: this is not a JSON file with a list of records. Choose another name."
        )
    return records


def in_milliseconds(seconds: dict[str, float]) -> str:
    """The median with its spread."""
    median, least, most = (f"{1e3 * seconds[key]:,.3f}" for key in ("median", "least", "most"))
    return f"{median} ({least} to {most})"
