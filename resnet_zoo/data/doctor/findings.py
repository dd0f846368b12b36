"""What the doctor can find, how serious each kind is, and what it means for a training."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How much a finding matters; the worst one decides the exit code."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


class Kind(NamedTuple):
    """One kind of finding.

    Attributes:
        severity: how serious it is.
        meaning: what it does to a training, in a sentence.
    """

    severity: Severity
    meaning: str


KINDS: dict[str, Kind] = {
    # The layout
    "missing_split": Kind(
        Severity.ERROR, "a split that the data set needs is not there; training is refused"
    ),
    "flat_split": Kind(Severity.ERROR, "images without class folders have no labels; training is refused"),
    "missing_class": Kind(
        Severity.ERROR, "a class of 'train' has no folder in this split; training is refused"
    ),
    "unknown_class": Kind(Severity.ERROR, "a class folder that 'train' does not have; training is refused"),
    "empty_class": Kind(Severity.ERROR, "a class folder without images; training is refused"),
    "class_order": Kind(
        Severity.WARNING, "labels follow the sorted folder names, which is another order here"
    ),
    "count": Kind(Severity.WARNING, "another number of images than published; scores are not comparable"),
    "stray_image": Kind(Severity.WARNING, "an image beside the class folders has no label and is left out"),
    "other_file": Kind(Severity.NOTE, "files that are no images by their names are left out"),
    # The files
    "zero_byte": Kind(Severity.ERROR, "the file is empty"),
    "truncated": Kind(Severity.ERROR, "the file ends before the image does"),
    "unreadable": Kind(Severity.ERROR, "the file cannot be read or decoded"),
    "bomb": Kind(Severity.ERROR, "so many pixels that decoding may exhaust the memory of the workers"),
    "large": Kind(
        Severity.WARNING, "far more pixels than a training uses; decoding is slow and takes much memory"
    ),
    "misnamed": Kind(
        Severity.WARNING, "the content is of another format than the name says; the content decides"
    ),
    "cmyk": Kind(Severity.WARNING, "four-colour print; converted to RGB without its colour profile"),
    "sixteen_bit": Kind(Severity.WARNING, "only the upper 8 of 16 bits are used"),
    "rotated": Kind(
        Severity.WARNING, "EXIF asks for a rotation, which is not applied: the net sees it lying"
    ),
    "duplicate": Kind(Severity.WARNING, "the same file in training and evaluation; the score is flattered"),
    "two_classes": Kind(Severity.WARNING, "the same file under two classes; one of the labels is wrong"),
    "greyscale": Kind(Severity.NOTE, "one channel, repeated three times"),
    "transparent": Kind(Severity.NOTE, "transparency is dropped"),
    "animated": Kind(Severity.NOTE, "several frames, of which the first is used"),
    "altered": Kind(
        Severity.ERROR, "cut short or altered since it was packed; a training that meets it ends. Pack again"
    ),
    "known_oddity": Kind(Severity.NOTE, "odd, but as published with ImageNet, and read correctly"),
}


class Finding(NamedTuple):
    """One thing found.

    Attributes:
        kind: a key of ``KINDS``.
        path: of the file or folder.
        detail: what exactly, in a few words; may be empty.
    """

    kind: str
    path: str
    detail: str = ""

    @property
    def severity(self) -> Severity:
        """How serious it is."""
        return KINDS[self.kind].severity
