"""The run directory, its files and their schema. Standard library only."""

from resnet_zoo.runs.atomic import replacing, sweep_unfinished, why_not_written, write_text_atomically
from resnet_zoo.runs.directory import BEST, LAST, PREVIOUS, RunDirectory
from resnet_zoo.runs.lock import RunDirectoryLock
from resnet_zoo.runs.record import collect_record, read_record, update_record, write_record
from resnet_zoo.runs.redact import redact, redact_arguments, redact_text, remember_secrets
from resnet_zoo.runs.results import EvaluationResult, InconsistentResult
from resnet_zoo.runs.status import PREEMPTED, State, read_status, write_status

__all__ = [
    "BEST",
    "LAST",
    "PREEMPTED",
    "PREVIOUS",
    "EvaluationResult",
    "InconsistentResult",
    "RunDirectory",
    "RunDirectoryLock",
    "State",
    "collect_record",
    "read_record",
    "read_status",
    "redact",
    "redact_arguments",
    "redact_text",
    "remember_secrets",
    "replacing",
    "sweep_unfinished",
    "update_record",
    "why_not_written",
    "write_record",
    "write_status",
    "write_text_atomically",
]
