"""``resnet-zoo check-backbone``: the conformance rules, tried on one backbone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from resnet_zoo.cli.figures_cache import remember_figures
from resnet_zoo.cli.parser import CommandParser
from resnet_zoo.entry import BackboneEntry
from resnet_zoo.registry import registry

if TYPE_CHECKING:
    from resnet_zoo.conformance import Outcome


def main(argv: list[str]) -> int:
    """Print each rule's verdict; the exit code is 1 where any rule is broken."""
    parser = CommandParser(
        "check-backbone",
        "Try the rules that every backbone must keep, and say what was seen and what to do where one is broken.\n"
        "The builder's arguments may follow as options: --width 8. The exit code is 1 if any rule is broken.",
        "resnet-zoo check-backbone my_nets.nets.mynet",
    )
    parser.add_argument("name", help="a name from 'resnet-zoo list', package/name, or an import path")
    parser.add_argument("--json", action="store_true", help="print a record instead of lines")
    options, rest = parser.parse_known_args(argv)
    entry = registry.resolve(options.name)  # a mistyped name is answered before torch is imported

    from resnet_zoo.cli.backbone_arguments import parse_backbone_arguments
    from resnet_zoo.cli.measure import measure
    from resnet_zoo.conformance import Case, examine

    arguments = parse_backbone_arguments(options.name, entry.find(), rest) if rest else {}
    outcomes = examine(Case(options.name, **arguments))
    broken = _print_json(entry, arguments, outcomes) if options.json else _print_lines(entry, outcomes)
    if not broken and not arguments:
        builder = entry.load()
        remember_figures(entry, measure(entry, builder()).figures(entry, builder))
    return 1 if broken else 0


def _print_lines(entry: BackboneEntry, outcomes: Iterable[Outcome]) -> int:
    print(f"{entry.name}, from {entry.source} ({entry.module})", flush=True)
    count = {"pass": 0, "fail": 0, "none": 0}
    for outcome in outcomes:
        count[outcome.verdict] += 1
        print("\n".join(_lines(outcome)), flush=True)
    skipped = f", {count['none']} not tried" if count["none"] else ""
    print(f"{count['pass']} rules kept, {count['fail']} broken{skipped}.")
    return count["fail"]


def _lines(outcome: Outcome) -> Iterator[str]:
    verdict = {"pass": "pass", "fail": "FAIL", "none": "  - "}[outcome.verdict]
    yield f"{verdict}  {outcome.rule.name:<26} {outcome.rule.promise}"
    if outcome.verdict == "fail":
        yield f"      seen: {outcome.seen}"
        yield f"      do:   {outcome.rule.remedy}"
    elif outcome.seen:
        yield f"      {outcome.seen}"


def _print_json(entry: BackboneEntry, arguments: dict[str, Any], outcomes: Iterable[Outcome]) -> int:
    tried = list(outcomes)
    broken = sum(outcome.verdict == "fail" for outcome in tried)
    record = {
        **entry.provenance(),
        "arguments": arguments,
        "broken": broken,
        "rules": [
            {
                "rule": outcome.rule.name,
                "verdict": outcome.verdict,
                "promise": outcome.rule.promise,
                "seen": outcome.seen or None,
                "remedy": outcome.rule.remedy if outcome.verdict == "fail" else None,
            }
            for outcome in tried
        ],
    }
    print(json.dumps(record, indent=2, default=str))
    return broken
