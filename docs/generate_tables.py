"""Write the generated tables of README.md and docs/: ``make tables``; with --check only say which are out of date.

A table stands between the lines ``<!-- generated: NAME -->`` and ``<!-- end generated -->``; NAME is a key of TABLES.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
UNMEASURED = "not measured yet"  # what the head of a config without a result says
BLOCK = re.compile(r"(<!-- generated: (?P<name>\w+) -->\n).*?(<!-- end generated -->)", re.DOTALL)

sys.path[:0] = [str(PROJECT)]
from docs.device_tables import compiled_step, optimizer_update  # noqa: E402 - found through the path above
from docs.experiment_tables import claims, experiments  # noqa: E402 - found through the path above
from docs.markdown_table import table  # noqa: E402
from docs.memory_tables import activation_checkpointing, scaling  # noqa: E402
from docs.speed_tables import (  # noqa: E402
    augmentation_costs,
    cpu_measures,
    crop_sizes,
    data_speed,
    data_speed_in_short,
    ema_cost,
    model_speed,
    race,
    race_in_short,
    recipes_learn,
    step_speed,
)


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


def measured_configs() -> str:
    """Those shipped experiments that have a result, and how many have none."""
    heads = {name: config_head(path) for name, path in experiments_shipped().items()}
    measured = {name: head for name, head in heads.items() if head["Result"] != UNMEASURED}
    rows = ((f"`{name}`", head["Title"], head["Result"]) for name, head in measured.items())
    rest = (
        f"The other {len(heads) - len(measured)} are {UNMEASURED}; [docs/recipes.md](docs/recipes.md) lists them all, "
        "with their sources and\nwhat others published for them.\n"
    )
    return f"{table(('config', 'what it trains', 'measured'), rows)}\n{rest}"


def recipes() -> str:
    """Every shipped experiment: where it comes from, what is published for it, and what we measured."""
    rows = []
    for name, path in experiments_shipped().items():
        head = config_head(path)
        source = "<br>".join(
            f"{'Needs ' if word == 'Needs' else ''}{head[word]}"
            for word in ("Paper", "Note", "Needs")
            if word in head
        )
        rows.append((f"`{name}`", head["Title"], source, head.get("Published", ""), head["Result"]))
    return table(("config", "what it trains", "source, remarks, needs", "published by others", "ours"), rows)


def experiments_shipped() -> dict[str, Path]:
    """The files of all configs that train something, by the names that ``--config`` takes."""
    folder = PROJECT / "configs"
    paths = sorted((*folder.glob("*.yaml"), *folder.glob("cifar10_30_epochs/*.yaml")))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


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


TABLES: dict[str, Callable[[], str]] = {
    "activation_checkpointing": activation_checkpointing,
    "arrows": arrows,
    "augmentation_costs": augmentation_costs,
    "augmentations": augmentations,
    "claims": claims,
    "commands": commands,
    "compiled_step": compiled_step,
    "cpu_measures": cpu_measures,
    "crop_sizes": crop_sizes,
    "data_speed": data_speed,
    "data_speed_in_short": data_speed_in_short,
    "ema_cost": ema_cost,
    "experiments": experiments,
    "measured_configs": measured_configs,
    "model_speed": model_speed,
    "optimizer_update": optimizer_update,
    "race": race,
    "race_in_short": race_in_short,
    "recipes": recipes,
    "recipes_learn": recipes_learn,
    "rules": rules,
    "scaling": scaling,
    "step_speed": step_speed,
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
