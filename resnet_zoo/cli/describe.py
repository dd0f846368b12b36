"""``resnet-zoo describe``: a backbone as its paper's table shows it, with parameters and multiply-adds."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

from resnet_zoo.cli.figures_cache import remember_figures
from resnet_zoo.cli.parser import CommandParser, positive_int
from resnet_zoo.registry import registry


def main(argv: list[str]) -> int:
    """Print the layer table, or with ``--json`` the same as one record."""
    parser = CommandParser(
        "describe",
        "A backbone's layers as in its paper's table, parameters and multiply-adds for one image and for each stage,\n"
        "and the arguments of its builder. Those may follow as options: --shortcut C.",
        "resnet-zoo describe resnet50 --image-size 288 --num-classes 100",
    )
    parser.add_argument("name", help="a name from 'resnet-zoo list', package/name, or an import path")
    parser.add_argument(
        "--image-size", type=positive_int, help="side of the square image in pixels; else the usual one"
    )
    parser.add_argument("--num-classes", type=positive_int, help="logits of the head; else the usual number")
    parser.add_argument("--json", action="store_true", help="print a record instead of a table")
    options, rest = parser.parse_known_args(argv)
    description = describe(options.name, rest, options.image_size, options.num_classes)
    print(json.dumps(description, indent=2, default=str) if options.json else _as_text(description))
    return 0


def describe(
    name: str, words: list[str], image_size: int | None = None, num_classes: int | None = None
) -> dict[str, Any]:
    """Everything that the command shows, as plain values.

    Args:
        name: of the backbone.
        words: arguments of the builder as on the command line.
        image_size: pixels; None for the usual size.
        num_classes: logits; None for the usual number.

    Raises:
        UserMistake: the name, an argument or the image size is not accepted.
    """
    entry = registry.resolve(name)  # a mistyped name is answered before torch is imported

    from resnet_zoo.cli.backbone_arguments import builder_arguments, parse_backbone_arguments
    from resnet_zoo.cli.layer_table import layer_table
    from resnet_zoo.cli.measure import measure

    builder = entry.load()
    arguments = parse_backbone_arguments(name, builder, words)
    backbone = builder(**arguments)
    measured = measure(entry, backbone, image_size, num_classes, arguments.get("in_channels", 3))
    figures = measured.figures(entry, builder)
    if not (arguments or image_size or num_classes):
        remember_figures(entry, figures)
    return {
        "name": entry.name,
        "summary": (inspect.getdoc(builder) or "").partition("\n")[0],
        **figures,
        "num_features": backbone.num_features,
        "source": {"package": entry.package, "version": entry.version, "module": entry.module},
        "given": arguments,
        "arguments": [argument._asdict() for argument in builder_arguments(builder)],
        "rows": [dataclasses.asdict(row) for row in layer_table(measured.model, measured.complexity)],
    }


def _as_text(description: dict[str, Any]) -> str:
    source, given = description["source"], description["given"]
    size = description["input_size"]
    facts = {
        "source": f"{source['package']} {source['version'] or ''}".strip() + f" ({source['module']})",
        "paper": description["paper"] or "-",
        "given": ", ".join(f"{name}={value!r}" for name, value in given.items()) or "nothing, all defaults",
        "image": f"{size}x{size} pixels",
        "features": str(description["num_features"]),
    }
    return "\n".join(
        [
            f"{description['name']}: {description['summary']}",
            "",
            *(f"{title:<9} {text}" for title, text in facts.items()),
            "",
            *_rows(description),
            "",
            "arguments of the builder:",
            *_arguments(description["arguments"]),
        ]
    )


def _rows(description: dict[str, Any]) -> list[str]:
    cells = [("part", "output", "layers", "parameters", "multiply-adds")]
    for row in description["rows"]:
        size = "x".join(map(str, row["output_size"])) or "-"
        cells.append(
            (row["part"], size, row["layers"], f"{row['parameters']:,}", f"{row['multiply_adds']:,}")
        )
    cells.append(("total", "", "", f"{description['parameters']:,}", f"{description['multiply_adds']:,}"))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return [
        "  ".join(
            text.rjust(width) if column > 2 else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]


def _arguments(arguments: list[dict[str, Any]]) -> list[str]:
    width = max((len(argument["name"]) for argument in arguments), default=0)
    return [
        f"  --{argument['name']:<{width}}  {argument['type']}"
        + (" (must be given)" if argument["required"] else f" (default: {argument['default']!r})")
        for argument in arguments
    ] or ["  none"]
