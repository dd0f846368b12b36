"""Write the generated tables of README.md and docs/: ``make tables``; with --check only say which are out of date.

A table stands between the lines ``<!-- generated: NAME -->`` and ``<!-- end generated -->``; NAME is a key of TABLES.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
SEEDS = ("0-2", "6-8")  # the second were used for no choice
BLOCK = re.compile(r"(<!-- generated: (?P<name>\w+) -->\n).*?(<!-- end generated -->)", re.DOTALL)

sys.path[:0] = [str(PROJECT)]
from docs.step_speed import step_speed  # noqa: E402 - found through the path above


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a column whose head ends in a colon is aligned to the right."""
    rule = ["---:" if title.endswith(":") else "---" for title in head]
    lines = [[title.removesuffix(":") for title in head], rule, *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def arrows() -> str:
    """Who may import whom, from the rules that the test holds."""
    from tests.test_imports import ARROWS, sources

    rows = [
        (f"`{room}`", ", ".join(f"`{name}`" for name in sorted(rooms)), ", ".join(sorted(libraries)))
        for room, (rooms, libraries) in ARROWS.items()
        if room != "errors" and sources(room)
    ]
    return table(("room", "may import, beside `errors`", "and of libraries"), rows)


def commands() -> str:
    """The commands, as ``resnet-zoo --help`` lists them."""
    from resnet_zoo.cli.main import COMMANDS

    return table(
        ("command", "does"), ((f"`resnet-zoo {name}`", command.help) for name, command in COMMANDS.items())
    )


def configs() -> str:
    """The shipped experiments with their results, from the heads of the files."""
    rows = []
    for path in sorted((PROJECT / "configs").glob("*.yaml")):
        head = config_head(path)
        rows.append((f"`{path.stem}`", head["Title"], head["Result"]))
    return table(("config", "what it trains", "measured"), rows)


def data_speed() -> str:
    """Images per second and core, from the last measurement."""
    records = json.loads((PROJECT / "benchmarks" / "results" / "data_speed.json").read_text())
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


def data_speed_in_short() -> str:
    """What the last measurement says about full-size photographs, in a sentence."""
    records = json.loads((PROJECT / "benchmarks" / "results" / "data_speed.json").read_text())

    def ratios(name: str) -> str:
        peers = [each for each in records[name]["results"] if each["name"] in ("torchvision", "timm")]
        return " and ".join(f"{each['ratio']:.1f} times as fast as {each['name']}'s" for each in peers)

    return (
        f"Measured per core on the same files, the loader is {ratios('originals')}\n"
        f"for training on full-size photographs, and {ratios('short side 256')} for copies\n"
        "with a shorter side of 256 pixels, with the same pixels ([docs/data_speed.md](docs/data_speed.md)).\n"
    )


def recipes() -> str:
    """Every shipped experiment: where it comes from, what is published for it, and what we measured."""
    folder, rows = PROJECT / "configs", []
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("cifar10_30_epochs/*.yaml"))):
        head = config_head(path)
        source = ". ".join(head[word] for word in ("Paper", "Note", "Needs") if word in head)
        name = f"`{path.relative_to(folder).with_suffix('').as_posix()}`"
        rows.append((name, head["Title"], source, head.get("Published", ""), head["Result"]))
    return table(("config", "what it trains", "source, remarks, needs", "published by others", "ours"), rows)


def config_head(path: Path) -> dict[str, str]:
    """The entries of a config's opening comment: its first line as "Title", then each "Word: text"."""
    entries: dict[str, str] = {}
    word = "Title"
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        if match := re.match(r"(Paper|Run|Result|Note|Needs|Published): +", text):
            word, text = match[1], text[match.end() :]
        entries[word] = f"{entries.get(word, '')} {text}".strip()
    return entries


def experiments() -> str:
    """What ``resnet-zoo reproduce`` offers."""
    from resnet_zoo.experiments.catalogue import CATALOGUE

    ledger = json.loads((PROJECT / f"docs/quick_claims/seeds-{SEEDS[0]}.json").read_text())
    seconds = {claim["experiment"]: f"{claim['seconds']:.0f}" for claim in ledger["claims"]}
    rows = (
        (f"`{name}`", entry.question.replace("|", "/"), ", ".join(entry.presets), seconds.get(name, ""))
        for name, entry in CATALOGUE.items()
    )
    return table(("experiment", "asks", "presets", "quick: seconds of work:"), rows)


def claims() -> str:
    """The ledgers of two runs of all quick experiments, on different seeds, claim by claim."""
    ledgers = [json.loads((PROJECT / f"docs/quick_claims/seeds-{seeds}.json").read_text()) for seeds in SEEDS]
    rows = []
    for first, second in zip(*(ledger["claims"] for ledger in ledgers), strict=True):
        assert first["name"] == second["name"], (first["name"], second["name"])
        numbers = (
            f"{name}: {', '.join(map(short, values))}; {', '.join(map(short, second['measured'][name]))}"
            for name, values in first["measured"].items()
        )
        verdicts = first["verdict"] + ("" if first["verdict"] == second["verdict"] else f", {second['verdict']}")
        rows.append((f"`{first['experiment']}`", first["sentence"], "<br>".join(numbers), verdicts))
    return table(("experiment", "claim", f"measured: seeds {'; '.join(SEEDS)}", "verdict"), rows)


def short(number: float | str) -> str:
    """A measured number to three digits; a count in full."""
    if isinstance(number, str) or (float(number).is_integer() and number >= 1000):
        return number if isinstance(number, str) else f"{number:,.0f}"
    return f"{number:.3g}"


def rules() -> str:
    """What ``resnet-zoo check-backbone`` tests."""
    from resnet_zoo.conformance import rules

    return table(("rule", "what holds"), ((rule.name, rule.promise) for rule in rules))


def zoo() -> str:
    """One row per family and input size: its names, the range of sizes, its paper."""
    records: list[dict[str, Any]] = json.loads((PROJECT / "resnet_zoo/backbones/complexity.json").read_text())
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["family"], record["input_size"]), []).append(record)
    rows = []
    for (family, input_size), group in groups.items():
        group.sort(key=lambda record: record["multiply_adds"])
        rows.append(
            (
                family,
                ", ".join(f"`{record['name']}`" for record in group),
                f"{input_size}",
                spread([record["parameters"] / 1e6 for record in group]),
                spread([record["multiply_adds"] / 1e6 for record in group]),
                "; ".join(dict.fromkeys(record["paper"] for record in group)),
            )
        )
    return table(("family", "names", "input:", "parameters (M):", "multiply-adds (M):", "paper"), rows)


def spread(values: Sequence[float]) -> str:
    """The smallest and the largest of some positive numbers, to three digits or to the unit."""
    first, last = (f"{value:.3g}" if value < 100 else f"{value:,.0f}" for value in (min(values), max(values)))
    return first if first == last else f"{first} to {last}"


def augmentations() -> str:
    """What can stand in ``augment``, with its options and their defaults."""
    from resnet_zoo.data import augmentations as module

    places = {
        module.ImageAugmentation: "loader",
        module.RegionAugmentation: "device",
        module.Mixing: "device",
    }
    found = [getattr(module, name) for name in module.__all__]
    rows = [
        (
            f"`{each.__name__}`",
            next(place for kind, place in places.items() if issubclass(each, kind)),
            each.paper,
            ", ".join(
                f"`{name}={option.default!r}`".replace("(", "[").replace(")", "]")
                for name, option in inspect.signature(each).parameters.items()
            ),
        )
        for each in found
        if issubclass(each, tuple(places)) and not inspect.isabstract(each)
    ]
    return table(("name", "runs in the", "paper", "options and their defaults"), rows)


def augmentation_costs() -> str:
    """Microseconds per image, from the last measurement."""
    path = PROJECT / "benchmarks/results/augmentation.json"
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


def race() -> str:
    """Test accuracy after minutes of training, ours and the usual script's."""
    path = PROJECT / "benchmarks/results/race_cifar10.json"
    if not path.exists():
        return "Not measured yet.\n"
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
        for record in json.loads(path.read_text())
    ]
    return table(("", "minutes of training:", "epochs:", "test top-1 %:", "machine"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "arrows": arrows,
    "augmentation_costs": augmentation_costs,
    "augmentations": augmentations,
    "claims": claims,
    "commands": commands,
    "configs": configs,
    "data_speed": data_speed,
    "data_speed_in_short": data_speed_in_short,
    "experiments": experiments,
    "race": race,
    "recipes": recipes,
    "rules": rules,
    "step_speed": lambda: step_speed(PROJECT / "benchmarks" / "results" / "step_speed.json", table),
    "zoo": zoo,
}


def up_to_date(text: str) -> str:
    """A document with every generated table as it should be."""
    return BLOCK.sub(lambda match: match[1] + TABLES[match["name"]]() + match[3], text)


def main(arguments: list[str]) -> int:
    """Write the tables, or with --check name the documents that differ and return 1."""
    documents = [
        path for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))) if path.exists()
    ]
    stale = [path for path in documents if path.read_text() != up_to_date(path.read_text())]
    names = ", ".join(str(path.relative_to(PROJECT)) for path in stale)
    if "--check" in arguments:
        if stale:
            print(f"Generated tables are out of date in {names}. Run 'make tables'.", file=sys.stderr)
        return int(bool(stale))
    for path in stale:
        path.write_text(up_to_date(path.read_text()))
    print(f"Written: {names}." if stale else "All tables were up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
