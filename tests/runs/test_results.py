"""Result files: the promised JSON, and no numbers that contradict each other."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from resnet_zoo.runs import EvaluationResult, InconsistentResult

PROMISED: dict[str, Any] = {
    "split": "test",
    "top1": 91.73,
    "top5": 99.71,
    "loss": 0.2713,
    "correct1": 9173,
    "correct5": 9971,
    "evaluated": 10000,
    "expected": 10000,
    "duplicates": 0,
    "unreadable": [],
    "world_size": 3,
    "checkpoint": "checkpoints/best.ckpt",
    "weights": "raw",
    "protocol": "center",
    "views": ["center"],
    "checkpoints": ["checkpoints/best.ckpt"],
}


def test_the_file_has_the_promised_keys_in_the_promised_order(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    EvaluationResult(**PROMISED).write(path)
    assert list(json.loads(path.read_text()).items()) == list(PROMISED.items())
    assert EvaluationResult.read(path) == EvaluationResult(**PROMISED)


def test_without_five_classes_top5_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    result = EvaluationResult(**{**PROMISED, "top5": None, "correct5": None})
    result.write(path)
    assert set(PROMISED) - set(json.loads(path.read_text())) == {"top5", "correct5"}
    assert EvaluationResult.read(path) == result


def test_a_loss_that_is_no_number_is_null_since_json_has_none(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    EvaluationResult(**{**PROMISED, "loss": math.nan}).write(path)
    assert json.loads(path.read_text())["loss"] is None
    assert math.isnan(EvaluationResult.read(path).loss)


def test_a_percentage_may_have_all_its_digits_or_two() -> None:
    for top1 in (100 * 2 / 3, 66.67):
        EvaluationResult("val", top1, None, 1.0, correct1=2, correct5=None, evaluated=3, expected=3)


def test_a_file_of_the_time_of_one_protocol_is_read_as_that(tmp_path: Path) -> None:
    path = tmp_path / "test.json"
    old = {key: value for key, value in PROMISED.items() if key not in ("protocol", "views", "checkpoints")}
    path.write_text(json.dumps(old))
    assert EvaluationResult.read(path) == EvaluationResult(**PROMISED)
    ensemble = EvaluationResult(**{**PROMISED, "checkpoint": "", "checkpoints": ["a.ckpt", "b.ckpt"]})
    ensemble.write(path)
    assert EvaluationResult.read(path) == ensemble


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluated": 9999}, "9999 images evaluated and 0 unreadable do not make the 10000"),
        ({"unreadable": ["a.png"]}, "10000 images evaluated and 1 unreadable do not make the 10000"),
        ({"duplicates": 2}, "2 images were counted more than once"),
        ({"top1": 91.74}, r"top1=91.74 is not 9173 of 10000, which is 91.7300"),
        ({"top5": 99.0}, "top5=99 is not 9971 of 10000"),
        ({"top1": math.nan}, "top1=nan is not"),
        ({"correct1": 10001, "top1": 100.01}, "10001 correct of 10000 evaluated is impossible"),
        ({"correct5": 9000, "top5": 90.0}, "correct5=9000 is less than correct1=9173"),
        ({"top5": None}, "only one is given"),
        ({"evaluated": 0, "expected": 0}, "no image was evaluated"),
    ],
)
def test_numbers_that_contradict_each_other_are_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InconsistentResult, match=message):
        EvaluationResult(**{**PROMISED, **changes})


def test_unreadable_images_are_accounted_for() -> None:
    result = EvaluationResult(
        "val", 50.0, None, 1.0, correct1=1, correct5=None, evaluated=2, expected=3, unreadable=["broken.jpg"]
    )
    assert result.to_dict()["unreadable"] == ["broken.jpg"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"split": "test"}', '{"accuracy": 1}'])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "test.json"
    path.write_text(text)
    with pytest.raises(InconsistentResult, match=r"test\.json' is not a result file"):
        EvaluationResult.read(path)
