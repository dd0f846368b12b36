"""Reads what wandb wrote to its transaction log, a file of protocol buffers in the log format of LevelDB."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

FILE_HEADER, BLOCK, RECORD_HEADER = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def contents(data: bytes) -> Iterator[bytes]:
    """The records of a log; a last one that is cut short is left out."""
    position, parts = FILE_HEADER, b""
    while position + RECORD_HEADER <= len(data):
        room = BLOCK - position % BLOCK
        if room < RECORD_HEADER:
            position += room
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        position += RECORD_HEADER
        parts += data[position : position + length]
        position += length
        if kind in (FULL, LAST):
            yield parts
            parts = b""
        elif kind not in (FIRST, MIDDLE):
            return


class Segment:
    """One part of a run, as one process logged it."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        assert data[:4] == b":W&B", "the file's format has changed"
        self.path = path
        self.records = [Record.FromString(part) for part in contents(data)]

    def of_kind(self, kind: str) -> list[Any]:
        return [getattr(record, kind) for record in self.records if record.WhichOneof("record_type") == kind]

    @property
    def run_id(self) -> str:
        return str(self.of_kind("run")[0].run_id)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The history, one row a step."""
        return [
            {(item.key or "/".join(item.nested_key)): json.loads(item.value_json) for item in row.item}
            for row in self.of_kind("history")
        ]

    @property
    def steps(self) -> list[int]:
        return [row["_step"] for row in self.rows]


def segments(run: Path) -> list[Segment]:
    """All segments of a run directory, in the order in which they were started."""
    return [Segment(path) for path in sorted((run / "wandb").glob("*run-*/*.wandb"))]
