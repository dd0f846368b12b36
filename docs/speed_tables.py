"""The tables of what was measured, from the records in ``benchmarks/results/``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.markdown_table import table

CROPS = "crops of "
"""How the cases of ``benchmarks/data_speed.py`` begin that differ in the size of the crops alone."""

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks/results"


def data_speed() -> str:
    """Images per second and core, from the last measurement."""
    records = json.loads((RESULTS / "data_speed.json").read_text())
    records = {name: record for name, record in records.items() if not name.startswith(CROPS)}
    measured = {each["name"] for record in records.values() for each in record["results"]}
    others = {
        "torchvision": "torchvision's reference",
        "timm": "timm",
        "decode_jpeg": "decode_jpeg and v2",
    }
    others = {name: label for name, label in others.items() if name in measured}
    rows = []
    for name, record in records.items():
        speeds = {each["name"]: each for each in record["results"]}
        cells = [f"{speeds['resnet-zoo']['per_core']['median']:,.0f}"]
        for peer in others:
            there = speeds.get(peer)
            cells.append(f"{there['per_core']['median']:,.0f} ({there['ratio']:.1f}x)" if there else "")
        rows.append((name, *cells))
    head = ("files", "resnet-zoo:", *(f"{label} (ours is):" for label in others.values()))
    return table(head, rows)


def crop_sizes() -> str:
    """Images per second and core of crops of several sizes: what smaller training images save the loader."""
    records = json.loads((RESULTS / "data_speed.json").read_text())
    speeds: dict[str, dict[str, float]] = {}
    for name, record in records.items():
        if name.startswith(CROPS):
            size, files = name.removeprefix(CROPS).split(", ")
            speeds.setdefault(files, {})[size] = record["results"][0]["per_core"]["median"]
    rows = []
    for files, by_size in speeds.items():
        slowest = by_size[max(by_size, key=int)]
        cells = (f"{speed:,.0f} ({speed / slowest:.2f}x)" for speed in by_size.values())
        rows.append((files, *cells))
    sizes = next(iter(speeds.values()), {})
    return table(("files", *(f"{size} pixels:" for size in sizes)), rows)


def recipes_learn() -> str:
    """What every kind of recipe learns in a few seconds: ``benchmarks/recipes_learn.py``."""
    results: dict[str, Any] = json.loads((RESULTS / "recipes_learn.json").read_text())
    rows = [
        (
            f"`{name}`",
            f"{each['first_loss']:.3f}",
            f"{each['last_loss']:.3f}",
            f"{each['top1']:.1f}",
            f"{each['seconds']:.0f}",
        )
        for name, each in results.items()
    ]
    places = []
    for each in results.values():
        around = each["machine"]
        places.append(
            f"{each['epochs']} epochs, seed {each['seed']}, {each['test_images']} test images; {around['threads']} of "
            f"{around['cores']} cores of {around['device']}, torch {around['torch']}, {around['date']}."
        )
    head = ("recipe", "first loss:", "last loss:", "test top-1 %:", "seconds:")
    loads = [each["machine"]["load"] for each in results.values()]
    places.append(f"Load of the machine {min(loads):.1f} to {max(loads):.1f}.")
    return table(head, rows) + "\n" + "\n".join(dict.fromkeys(places)) + "\n"


def data_speed_in_short() -> str:
    """What the last measurement says about full-size photographs, in a sentence."""
    records = json.loads((RESULTS / "data_speed.json").read_text())

    def ratios(name: str) -> str:
        peers = [each for each in records[name]["results"] if each["name"] in ("torchvision", "timm")]
        return " and ".join(f"{each['ratio']:.1f} times as fast as {each['name']}'s" for each in peers)

    return (
        f"Measured per core on the same files, the loader is {ratios('originals')}\n"
        f"for training on full-size photographs, and {ratios('short side 256')} for copies\n"
        "with a shorter side of 256 pixels. Its pixels are theirs up to rounding\n"
        "([docs/data_speed.md](docs/data_speed.md)).\n"
    )


def augmentation_costs() -> str:
    """Microseconds per image, from the last measurement."""
    path = RESULTS / "augmentation.json"
    result: dict[str, Any] = json.loads(path.read_text())
    sizes = list(result["batch"])
    rows = [
        (name, *(f"{times[size]:,.0f}" if size in times else "" for size in sizes))
        for name, times in result["microseconds"].items()
    ]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    counts = " and ".join(f"{count} of {size}x{size}" for size, count in result["batch"].items())
    note = f"One core of {result['machine']}, {versions}, {result['date']}; batches of {counts}."
    return table(("", *(f"us an image of {size}x{size}:" for size in sizes)), rows) + f"\n{note}\n"


def ema_cost() -> str:
    """What averaging the weights takes in a training step, ours and Lightning's: ``benchmarks/ema_cost.py``."""
    record = json.loads((RESULTS / "ema_cost.json").read_text())
    rows = [
        (
            f"`{name}`, {net['batch_size']} of {net['image_size']} pixels",
            "{} ms ({} to {})".format(*(f"{1e3 * value:.3g}" for value in net["hook"].values())),
            f"{net['share']['median']:.2%}",
            "{} times as long ({} to {})".format(*(f"{x:.1f}" for x in net["lightning_over_ours"].values())),
        )
        for name, net in record["nets"].items()
    ]
    around = record["machine"]
    note = (
        f"CPU time of one thread of {around['device']}, torch {around['torch']}, {around['date']}; medians of "
        f"{record['rounds']} rounds, with the smallest and the largest."
    )
    head = (
        "net, images of an update",
        "update of the average",
        "share of a training step",
        "Lightning's `EMAWeightAveraging`",
    )
    return table(head, rows) + f"\n{note}\n"


def race() -> str:
    """Test accuracy after minutes of training, ours and the usual script's."""
    rows = [
        (
            {"ours": "`r20_cifar10_fast`", "usual": "the usual script"}[record["contestant"]],
            f"{record['seconds'] / 60:.2f} {'of processor time' if record['clock'] == 'cpu' else ''}".strip(),
            f"{record['epochs']:.2f}",
            f"{record['top1']:.2f}",
            f"{record['threads']} of {record['cores']} cores of {record['processor']}, load "
            f"{record['load_before']:.1f} to {record['load_after']:.1f}; torch {record['torch']}; "
            f"seed {record['seed']}; {record['date']}",
        )
        for record in json.loads((RESULTS / "race_cifar10.json").read_text())
    ]
    return table(("", "minutes of training:", "epochs:", "test top-1 %:", "machine"), rows)


def race_in_short() -> str:
    """The longest race by the clock on the wall, in a sentence."""
    records = json.loads((RESULTS / "race_cifar10.json").read_text())
    timed = [record for record in records if record["clock"] == "wall"]
    minutes = max(record["minutes"] for record in timed)
    reached = {each["contestant"]: each for each in timed if each["minutes"] == minutes}
    ours, usual = reached["ours"], reached["usual"]
    return (
        f"On {ours['threads']} cores of a CPU, ResNet-20 reaches {ours['top1']:.1f} % test top-1 on CIFAR-10 in "
        f"{minutes:.0f} minutes of training\nwith `r20_cifar10_fast`, and {usual['top1']:.1f} % with a widely copied "
        "script\n([docs/recipes.md](docs/recipes.md#by-the-clock-on-a-cpu)).\n"
    )


def step_speed() -> str:
    """Milliseconds of a training step, ours and others', and the framework's tax: ``benchmark step --save``."""
    path = RESULTS / "step_speed.json"
    rows, machines = [], []
    for record in json.loads(path.read_text()):
        net = "`{backbone}`, {image_size} pixels, batch {batch_size}, {precision}".format(**record)
        tax = (
            record["tax"]
            and f"{1e6 * record['tax']['seconds']['median']:+,.0f} us, {record['tax']['share']:+.1%}"
        )
        for each in record["results"]:
            rows.append((net, *_timed(each, decimals=2), tax or ""))
            net = tax = ""  # for the first line of each net
        parts = {key: record["machine"][key] for key in ("device", "threads", "torch", "lightning", "date")}
        machines.append(", ".join(f"{key} {value}" for key, value in parts.items()))
    head = (
        "net, images, precision",
        "loop",
        "ms a step (least to most):",
        "images/s:",
        "of peak:",
        "tax over bare:",
    )
    return table(head, rows) + f"\n{'; '.join(dict.fromkeys(machines))}.\n"


def model_speed() -> str:
    """Milliseconds of a pass through a net: ``benchmark model --save``."""
    rows, machines = [], []
    for record in json.loads((RESULTS / "model_speed.json").read_text()):
        net = "`{backbone}`, {image_size} pixels, batch {batch_size}, {precision}".format(**record)
        for each in record["results"]:
            rows.append((net, *_timed(each, decimals=0)))
            net = ""
        parts = {key: record["machine"][key] for key in ("device", "threads", "torch", "date")}
        machines.append(", ".join(f"{key} {value}" for key, value in parts.items()))
    head = ("net, images, precision", "passes", "ms (least to most):", "images/s:", "of peak:")
    return table(head, rows) + f"\n{'; '.join(dict.fromkeys(machines))}.\n"


def _timed(result: dict[str, Any], decimals: int) -> tuple[str, str, str, str]:
    """Name, milliseconds with their spread, images/s and share of the peak, of a result of ``benchmark --save``."""
    times = "{} ({} to {})".format(*(f"{1e3 * value:,.{decimals}f}" for value in result["seconds"].values()))
    speed = result["images_per_second"]
    return (
        result["name"],
        times,
        f"{speed:,.{1 if speed < 100 else 0}f}",
        f"{result['share_of_measured_peak']:.1%}",
    )


def cpu_measures() -> str:
    """What each measure gives a step on a CPU: ``benchmarks/cpu_measures.py``."""
    records = json.loads((RESULTS / "cpu_measures.json").read_text())
    loops = {each["name"]: each for each in records[0]["loops"]}
    rows = []
    for name, first in loops.items():
        cells = []
        for record in records:
            each = next(each for each in record["loops"] if each["name"] == name)
            times, more = each["seconds"], each["times_the_usual"]
            cells.append("{:,.0f} ({:,.0f} to {:,.0f})".format(*(1e3 * value for value in times.values())))
            cells.append("{:.2f} ({:.2f} to {:.2f})".format(*more.values()))
        changed = max(
            each["largest_difference"]
            for record in records
            for each in record["loops"]
            if each["name"] == name
        )
        same = f"the same bits as those of {first['compared_with']}"
        other = f"up to {changed:.0e} of the largest from those of {first['compared_with']}"
        rows.append((name, *cells, "" if name == first["compared_with"] else other if changed else same))
    threads = [f"{record['threads']} thread{'s' * (record['threads'] > 1)}" for record in records]
    head = [f"{each}: {what}:" for each in threads for what in ("ms a step", "times the usual script")]
    around = records[0]["machine"]
    what = "`{backbone}`, {image_size} pixels, batch {batch_size}, float32".format(**records[0])
    note = (
        f"{what}; medians of rounds, with the least and the most; {around['device']} of {around['cores']} cores, "
        f"torch {around['torch']}, {around['date']}."
    )
    return table(("", *head, "weights after the first turn"), rows) + f"\n{note}\n"
