"""Where two trainings parted, and what one of them had lost: read from their ``StateTrace`` records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MOST_NAMED = 5
_GENERATOR = "generator"


@dataclass(frozen=True)
class Moment:
    """What a training was before an update.

    Attributes:
        weights: their sum.
        values: what it carried along outside of checkpoints, by name.
    """

    weights: float
    values: dict[str, str]


Trace = dict[int, Moment]
"""The number of updates made before -> what the training was then."""


def read_traces(folder: Path) -> dict[int, Trace]:
    """The records of each rank."""
    traces: dict[int, Trace] = {}
    for path in sorted(folder.glob("state-*.jsonl")):
        values: dict[str, str] = {}
        trace = traces.setdefault(int(path.stem.rpartition("-")[2]), {})
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            values = {**values, **line["values"]}
            trace[line["update"]] = Moment(line["weights"], values)
    return traces


def causes(straight: Path, interrupted: Path, resumed: Path) -> list[str]:
    """Why a resumed training is not the one that went straight through, as far as the records tell; one sentence each.

    Args:
        straight: folder of the record of the training that was never stopped.
        interrupted: of the one that was killed.
        resumed: of the one that went on.
    """
    first, killed, last = map(read_traces, (straight, interrupted, resumed))
    sentences: list[str] = []
    for rank in first:
        of_rank = f"rank {rank}: " if len(first) > 1 else ""
        found = list(_unrepeatable(first[rank], killed.get(rank, {})))
        if not found:
            found = list(_lost(first[rank], killed.get(rank, {}), last.get(rank, {})))
        sentences += [of_rank + sentence for sentence in found]
    return sentences


def _unrepeatable(straight: Trace, interrupted: Trace) -> Iterator[str]:
    parted = _first_difference(straight, interrupted)
    if parted is None:
        return
    yield (
        f"already {_after(parted)}, before anything was killed, the weights of the two trainings differ: this config "
        "does not repeat itself, resumed or not. On a GPU try --trainer.deterministic true; otherwise something draws "
        "numbers that no seed determines."
    )


def _lost(straight: Trace, interrupted: Trace, resumed: Trace) -> Iterator[str]:
    if not resumed or (start := min(resumed)) not in straight:
        return
    parted = _first_difference(straight, resumed)
    if parted is not None:
        how = (
            "were not restored"
            if parted == start
            else f"are the same {_after(parted - 1)} and differ {_after(parted)}"
        )
        yield f"the weights {how}"
    before, after = straight[start].values, resumed[start].values
    at_start = [trace[min(trace)].values for trace in (straight, interrupted) if trace]
    names = [
        name
        for name in before
        if before[name] != after.get(name)
        and len({values.get(name) for values in at_start})
        == 1  # a folder's name may differ between two trainings
        and (not name.endswith(_GENERATOR) or _changes(straight, name))
    ]
    for name in names[:_MOST_NAMED]:
        if name.endswith(_GENERATOR):
            yield (
                f"{name} is drawn from in training, and no checkpoint holds its state. Draw from torch, whose "
                "generators are seeded before every batch."
            )
        else:
            yield (
                f"{name} is {before[name]} {_after(start)} and {after.get(name, 'missing')} after resuming from there: "
                "no checkpoint holds it. Make it a buffer (register_buffer), or save it in state_dict."
            )
    if len(names) > _MOST_NAMED:
        yield f"{len(names) - _MOST_NAMED} more such values"


def _changes(trace: Trace, name: str) -> bool:
    return len({moment.values.get(name) for moment in trace.values()}) > 1


def _first_difference(one: Trace, other: Trace) -> int | None:
    """The smallest number of updates after which the weights differ."""
    common = sorted(one.keys() & other.keys())
    return next((update for update in common if one[update].weights != other[update].weights), None)


def _after(updates: int) -> str:
    return f"after update {updates}" if updates else "at the start"
