"""The golden file: parameters and multiply-adds of every built-in backbone, and the table of the zoo made from it.

``complexity.json`` is what ``resnet-zoo list`` reads and what the tests hold the code to. After a change to a network
that is meant to change its size, or for a new network:

    python -m resnet_zoo.backbones.golden --write

counts all networks again and writes the golden file and ``docs/zoo.md``; with ``--check`` it only compares.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import nn

from resnet_zoo.builders import records_arguments
from resnet_zoo.complexity import measure_complexity

GOLDEN_FILE = Path(__file__).parent / "complexity.json"
TABLE_FILE = Path(__file__).parents[2] / "docs" / "zoo.md"
COMMAND = "python -m resnet_zoo.backbones.golden --write"


class Source(NamedTuple):
    """What the networks of one file have in common.

    Attributes:
        family: the name they are listed under.
        paper: authors, year and arXiv number.
        input_size: side of the images in pixels that the networks are made for.
        num_classes: classes of the data set that they are made for; the counts include a head of this size.
    """

    family: str
    paper: str
    input_size: int
    num_classes: int


HE_2015 = "He et al. 2015, arXiv:1512.03385"
SRIVASTAVA_2015 = "Srivastava et al. 2015, arXiv:1507.06228"
SOURCES = {
    "vgg": Source("vgg", "Simonyan & Zisserman 2014, arXiv:1409.1556", 224, 1000),
    "plain": Source("plain", HE_2015, 224, 1000),
    "resnet": Source("resnet", HE_2015, 224, 1000),
    "bottleneck": Source("resnet", HE_2015, 224, 1000),
    "wide_resnet": Source("wide_resnet", "Zagoruyko & Komodakis 2016, arXiv:1605.07146", 224, 1000),
    "resnext": Source("resnext", "Xie et al. 2016, arXiv:1611.05431", 224, 1000),
    "cifar_plain": Source("plain_cifar", HE_2015, 32, 10),
    "cifar_resnet": Source("resnet_cifar", HE_2015, 32, 10),
    "cifar_preact": Source("preact_resnet_cifar", "He et al. 2016, arXiv:1603.05027", 32, 10),
    "cifar_highway": Source("highway_cifar", SRIVASTAVA_2015, 32, 10),
    "fully_connected": Source("highway_mlp", SRIVASTAVA_2015, 32, 10),
}


def registered_in(module: ModuleType) -> Iterator[str]:
    """Names of the backbones that a file registers, in the file's order."""
    for name, value in vars(module).items():
        if records_arguments(value) and value.__module__ == module.__name__:
            yield name


def measure(name: str, module: ModuleType, source: Source) -> dict[str, Any]:
    """The golden record of one backbone with default arguments."""
    with torch.device("meta"):
        backbone = getattr(module, name)()
        model = nn.Sequential(backbone, nn.Linear(backbone.num_features, source.num_classes))
    counted = measure_complexity(model, source.input_size)
    return {
        "name": name,
        "family": source.family,
        "module": module.__name__,
        "parameters": counted.parameters,
        "multiply_adds": counted.multiply_adds,
        "input_size": source.input_size,
        "num_classes": source.num_classes,
        "paper": source.paper,
    }


def measure_all() -> list[dict[str, Any]]:
    """The golden records of all built-in backbones."""
    records = []
    for file, source in SOURCES.items():
        module = importlib.import_module(f"resnet_zoo.backbones.{file}")
        records += [measure(name, module, source) for name in registered_in(module)]
    return records


def read() -> list[dict[str, Any]]:
    """The records of the golden file."""
    records: list[dict[str, Any]] = json.loads(GOLDEN_FILE.read_text())
    return records


def as_json(records: Sequence[Mapping[str, Any]]) -> str:
    """One record a line, so that a change of one network is a change of one line."""
    return "[\n" + ",\n".join(f"  {json.dumps(record)}" for record in records) + "\n]\n"


def zoo_table(records: Sequence[Mapping[str, Any]]) -> str:
    """The zoo as a table in Markdown, one row a backbone."""
    rows = [
        "| backbone | parameters | multiply-adds | input | classes | paper |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for record in records:
        size = record["input_size"]
        authors, _, number = record["paper"].rpartition(", arXiv:")
        rows.append(
            f"| `{record['name']}` | {record['parameters']:,} | {record['multiply_adds']:,} | {size}x{size} "
            f"| {record['num_classes']} | {authors}, [arXiv:{number}](https://arxiv.org/abs/{number}) |"
        )
    return "\n".join(rows) + "\n"


def zoo_page(records: Sequence[Mapping[str, Any]]) -> str:
    """The text of ``docs/zoo.md``."""
    return f"""# The zoo

Every backbone of the project with its size, at its default arguments and with a linear head for the classes of the
data set it is made for. A multiply-add is one multiplication with the addition of its product; convolutions and linear
layers are counted. `resnet-zoo describe NAME` shows a network layer by layer, and its docstring explains its arguments.

This page is written by `{COMMAND}` from `resnet_zoo/backbones/complexity.json`.

{zoo_table(records)}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the golden file and the table; 0 when all is well, 1 when they are out of date."""
    parser = argparse.ArgumentParser(prog="python -m resnet_zoo.backbones.golden", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="count all networks and write both files")
    action.add_argument("--check", action="store_true", help="count all networks and compare with both files")
    options = parser.parse_args(arguments)
    records = measure_all()
    out_of_date = []
    for path, text in ((GOLDEN_FILE, as_json(records)), (TABLE_FILE, zoo_page(records))):
        if options.write:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            out_of_date.append(str(path))
    if out_of_date:
        print(
            f"out of date: {', '.join(out_of_date)}. Run '{COMMAND}' and look at what changed.",
            file=sys.stderr,
        )
    return 1 if out_of_date else 0


if __name__ == "__main__":
    sys.exit(main())
