"""Everything the doctor found, as text, as plain values, and as one exit code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_zoo.data.doctor.examination import examine_files, find_duplicates
from resnet_zoo.data.doctor.findings import KINDS, Finding, Severity
from resnet_zoo.data.doctor.layout import Layout, examine_layout
from resnet_zoo.data.doctor.packed import examine_packed
from resnet_zoo.data.packed.root import is_packed

EXIT_CODES = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 3}
"""2 is the code of a mistake in what the command was given."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a data set.

    Attributes:
        layout: its splits and class folders.
        findings: everything found, in folders and in files.
        quick: whether only headers and ends of the files were read.
    """

    layout: Layout
    findings: list[Finding]
    quick: bool

    @property
    def severity(self) -> Severity:
        """That of the worst finding; a note if there is none."""
        return max((finding.severity for finding in self.findings), default=Severity.NOTE)

    @property
    def exit_code(self) -> int:
        """0 for nothing or notes, 1 for warnings, 3 for errors."""
        return EXIT_CODES[self.severity]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, every finding in full."""
        return {
            "root": self.layout.root,
            "data_set": self.data_set,
            "packed": self.layout.is_packed,
            "quick": self.quick,
            "severity": self.severity.name.lower(),
            "classes": len(self.layout.classes),
            "images": {split: len(index) for split, index in self.layout.splits.items()},
            "bytes": self.layout.num_bytes,
            "findings": [
                {"severity": finding.severity.name.lower(), **finding._asdict()} for finding in self.findings
            ],
        }

    @property
    def data_set(self) -> str:
        """The data module that reads it."""
        return "ImageNet" if self.layout.is_imagenet else "ImageFolder"

    def as_text(self, examples: int = 5) -> str:
        """Errors first; of every kind what it means, how many there are, and the first few by path."""
        images = ", ".join(f"{split} {len(index):,}" for split, index in self.layout.splits.items())
        lines = [
            f"{self.layout.root}: {self.data_set}{', packed' * self.layout.is_packed}, {len(self.layout.classes):,} "
            f"classes, images: {images or 'none'}, {self.layout.num_bytes / 1e6:,.1f} MB"
        ]
        by_kind: defaultdict[str, list[Finding]] = defaultdict(list)
        for finding in self.findings:
            by_kind[finding.kind].append(finding)
        for kind in sorted(by_kind, key=lambda name: (-KINDS[name].severity, list(KINDS).index(name))):
            lines += ["", *self._section(kind, by_kind[kind], examples)]
        return "\n".join([*lines, "", self._verdict()])

    def _section(self, kind: str, found: list[Finding], examples: int) -> list[str]:
        about = KINDS[kind]
        lines = [f"{about.severity.name:<7}  {kind.replace('_', ' ')}: {len(found):,}  ({about.meaning})"]
        for finding in found[:examples]:
            path = Path(finding.path)
            shown = path.relative_to(self.layout.root) if path != Path(self.layout.root) else path
            lines.append(f"  {shown}{'  - ' if finding.detail else ''}{finding.detail}")
        if len(found) > examples:
            lines.append(f"  and {len(found) - examples:,} more; --json names all")
        return lines

    def _verdict(self) -> str:
        counts = dict.fromkeys(Severity, 0)
        for finding in self.findings:
            counts[finding.severity] += 1
        errors, warnings, notes = (counts[severity] for severity in sorted(Severity, reverse=True))
        verdict = f"{errors:,} errors, {warnings:,} warnings, {notes:,} notes"
        if self.quick and self.layout.is_packed:
            verdict += ". Quick: sizes were compared; without --quick every file's checksum is"
        elif self.quick:
            verdict += (
                ". Quick: damage in the middle of a file and duplicates go unnoticed; without --quick every "
                "file is decoded"
            )
        return verdict


def diagnose(
    root: str,
    quick: bool = False,
    begin: Callable[[int], Callable[[int], None]] = lambda total: lambda count: None,
) -> Diagnosis:
    """Examine a data set.

    Args:
        root: its folder, of images or as 'resnet-zoo data pack' writes it.
        quick: read only headers and ends of the files; of a packed data set compare only sizes.
        begin: told how many files there are, before they are looked at; what it returns is told of every few.

    Raises:
        MissingData: there is no such folder.
        InvalidValue: a link leads back to a folder that it lies in, or a packed data set is not finished.
        DamagedFile: the description of a packed data set cannot be read.
    """
    if is_packed(root):
        return Diagnosis(*examine_packed(root, quick, begin), quick)
    layout = examine_layout(root)
    findings, digests = examine_files(layout, quick, begin(layout.num_images))
    duplicates = [] if quick or not layout.splits else find_duplicates(layout, digests)
    return Diagnosis(layout, [*layout.findings, *findings, *duplicates], quick)
