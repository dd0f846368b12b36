"""``--precision auto``, and half precisions that a device lacks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from resnet_zoo.cli import precision_choice
from resnet_zoo.cli.main import main
from resnet_zoo.cli.precision_choice import (
    bfloat16_instructions,
    check_precision,
    choose_precision,
    settle_precision,
)
from resnet_zoo.errors import InvalidValue

PROCESSORS = {
    "flags\t\t: fpu sse avx2 avx512f avx512_bf16": "AVX-512 bf16",
    "flags\t\t: fpu avx512f avx512_bf16 amx_bf16 amx_tile": "AVX-512 bf16 and AMX",
    "Features\t: fp asimd sve bf16 i8mm": "Arm's bf16",
    "flags\t\t: fpu sse avx2": None,
    "model name\t: Some bf16 processor": None,
}


def _processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str) -> None:
    description = tmp_path / "cpuinfo"
    description.write_text(f"processor\t: 0\nmodel name\t: Test\n{flags}\n")
    monkeypatch.setattr(precision_choice, "CPU_DESCRIPTION", description)


@pytest.mark.parametrize(("line", "instructions"), PROCESSORS.items())
def test_a_cpu_computes_in_bfloat16_if_it_has_the_instructions(
    line: str, instructions: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _processor(monkeypatch, tmp_path, line)
    assert bfloat16_instructions() == instructions
    chosen = choose_precision("cpu")
    assert chosen.precision == ("bf16-mixed" if instructions else "32-true")
    assert (instructions or "none of") in chosen.reason


def test_without_a_description_float32_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_choice, "CPU_DESCRIPTION", tmp_path / "nothing")
    assert choose_precision("cpu").precision == "32-true"
    assert "no telling" in choose_precision("cpu").reason


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "16-mixed"])
def test_what_a_cpu_lacks_is_refused(precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _processor(monkeypatch, tmp_path, "flags : avx2")
    with pytest.raises(InvalidValue, match=rf"a\.yaml:3: trainer\.precision={precision} cannot .*auto"):
        check_precision(precision, "cpu", "a.yaml:3")


@pytest.mark.parametrize("precision", [None, 32, "32-true", "64-true"])
def test_full_precisions_are_never_refused(
    precision: str | int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _processor(monkeypatch, tmp_path, "flags : avx2")
    check_precision(precision, "cpu", "command line")


def test_a_gpu_is_asked_for_bfloat16_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def supported(including_emulation: bool = True) -> bool:
        asked.append(including_emulation)
        return False

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Old GPU")
    assert choose_precision("cuda").precision == "32-true"
    with pytest.raises(InvalidValue, match="Old GPU has no bfloat16"):
        check_precision("bf16-mixed", "cuda", "command line")
    assert asked == [False, False]


def test_the_config_holds_what_was_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _processor(monkeypatch, tmp_path, "flags : amx_bf16")
    trainer = SimpleNamespace(precision=None, accelerator="cpu")
    config = SimpleNamespace(precision="auto", trainer=trainer)
    notes = settle_precision(config, given=False, where="default")
    assert (config.precision, trainer.precision) == (None, "bf16-mixed")
    assert notes == ["precision auto: bfloat16 autocast, since this CPU has AMX"]
    assert settle_precision(config, given=True, where="runs/1/config.yaml:2") == []


def test_two_wishes_contradict_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "quickstart", "--precision", "auto", "--trainer.precision", "32-true"]
    assert main(words) == 2
    assert "exclude each other" in capsys.readouterr().err
