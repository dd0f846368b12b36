"""The ledger is strict JSON, and counts what it lists."""

from __future__ import annotations

import json
import math

from resnet_zoo.report import Claim, ExperimentReport, claims_json


def claim(verdict: str, **measured: object) -> Claim:
    return Claim(verdict, "s", "p", "r", measured, verdict, "resnet-zoo reproduce x", ("note",), 1.5)  # type: ignore[arg-type]


def test_the_ledger_is_strict_json() -> None:
    report = ExperimentReport(
        "degradation", "t", "i", [claim("fails", plain=[1.0, math.nan], ratio=math.inf, low=-math.inf)]
    )
    ledger = json.loads(json.dumps(claims_json([report]), allow_nan=False))
    (entry,) = ledger["claims"]
    assert entry["experiment"] == "degradation"
    assert entry["measured"] == {"plain": [1.0, "NaN"], "ratio": "Infinity", "low": "-Infinity"}
    assert {"name", "sentence", "source", "rule", "verdict", "command", "remarks", "seconds"} <= set(entry)


def test_verdicts_are_counted() -> None:
    reports = [ExperimentReport(str(i), "t", "i", [claim("holds"), claim("no verdict")]) for i in range(2)]
    assert claims_json(reports)["verdicts"] == {"holds": 2, "fails": 0, "no verdict": 2}
    assert claims_json([]) == {"verdicts": {"holds": 0, "fails": 0, "no verdict": 0}, "claims": []}
