"""The ledger of claims as JSON. Standard library only."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from resnet_zoo.report.figures import ExperimentReport, Verdict


def claims_json(reports: Sequence[ExperimentReport]) -> dict[str, Any]:
    """Every claim with what decides it, ready for ``json.dumps(..., allow_nan=False)``.

    Returns:
        ``verdicts``: how many claims hold, fail and have no verdict; ``claims``: a list of the fields of ``Claim``
        with the ``experiment`` they belong to. JSON has no number for NaN and infinity: they become the strings
        "NaN", "Infinity" and "-Infinity", so that a diverged run is told from a missing one.
    """
    claims = [
        {"experiment": report.name, **_plain(dataclasses.asdict(claim))}
        for report in reports
        for claim in report.claims
    ]
    verdicts = {
        verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in get_args(Verdict)
    }
    return {"verdicts": verdicts, "claims": claims}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
