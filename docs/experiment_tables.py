"""The tables of the experiments: what there is, and what two runs of all quick ones found."""

from __future__ import annotations

import json
from pathlib import Path

from docs.markdown_table import table

LEDGERS = Path(__file__).resolve().parent / "quick_claims"
SEEDS = ("0-2", "6-8")  # the second were used for no choice


def experiments() -> str:
    """What ``resnet-zoo reproduce`` offers."""
    from resnet_zoo.experiments.catalogue import CATALOGUE

    ledger = json.loads((LEDGERS / f"seeds-{SEEDS[0]}.json").read_text())
    seconds = {claim["experiment"]: f"{claim['seconds']:.0f}" for claim in ledger["claims"]}
    rows = (
        (f"`{name}`", entry.question.replace("|", "/"), ", ".join(entry.presets), seconds.get(name, ""))
        for name, entry in CATALOGUE.items()
    )
    return table(("experiment", "asks", "presets", "quick: seconds of work:"), rows)


def claims() -> str:
    """The ledgers of two runs of all quick experiments, on different seeds, claim by claim."""
    ledgers = [json.loads((LEDGERS / f"seeds-{seeds}.json").read_text()) for seeds in SEEDS]
    rows = []
    for first, second in zip(*(ledger["claims"] for ledger in ledgers), strict=True):
        assert first["name"] == second["name"], (first["name"], second["name"])
        numbers = (
            f"{name}: {', '.join(map(short, values))}; {', '.join(map(short, second['measured'][name]))}"
            for name, values in first["measured"].items()
        )
        verdicts = first["verdict"] + (
            "" if first["verdict"] == second["verdict"] else f", {second['verdict']}"
        )
        rows.append((f"`{first['experiment']}`", first["sentence"], "<br>".join(numbers), verdicts))
    return table(("experiment", "claim", f"measured: seeds {'; '.join(SEEDS)}", "verdict"), rows)


def short(number: float | str) -> str:
    """A measured number to three digits; a count in full."""
    if isinstance(number, str):
        return number
    return f"{number:,.0f}" if number >= 1000 and float(number).is_integer() else f"{number:.3g}"
