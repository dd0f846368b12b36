"""Which precision a device computes in: chosen where that is asked for, refused where the device lacks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from resnet_zoo.errors import InvalidValue

CPU_DESCRIPTION = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16": "AVX-512 bf16", "amx_bf16": "AMX", "bf16": "Arm's bf16"}
"""Instructions for bfloat16, as Linux names them, and their names for people."""


class PrecisionChoice(NamedTuple):
    """A precision of Lightning's trainer, and the sentence that says why it was chosen."""

    precision: str
    reason: str


def choose_precision(device: str) -> PrecisionChoice:
    """bfloat16 autocast where ``device`` (cpu, cuda or mps) computes in it, else float32."""
    if device == "cuda":
        lacking = _cuda_lacks_bfloat16()
        found = "this GPU has bfloat16"
    elif device == "cpu":
        instructions = bfloat16_instructions()
        lacking = None if instructions else f"{_cpu_lacks_bfloat16()}"
        found = f"this CPU has {instructions}"
    else:
        lacking, found = f"bfloat16 was not measured on {device}", ""
    if lacking is not None:
        return PrecisionChoice("32-true", f"precision auto: float32, since {lacking}")
    return PrecisionChoice("bf16-mixed", f"precision auto: bfloat16 autocast, since {found}")


def check_precision(precision: str | int | None, device: str, where: str) -> None:
    """Refuse a half precision that ``device`` lacks.

    Args:
        precision: of Lightning's trainer.
        device: cpu, cuda or mps.
        where: it was set, for the message.

    Raises:
        InvalidValue: with the reason, and what to use.
    """
    lacking = what_precision_lacks(str(precision), device)
    if lacking is not None:
        raise InvalidValue(
            f"{where}: trainer.precision={precision} cannot be used: {lacking}. Use 32-true, or in place of "
            "trainer.precision '--precision auto', which takes what the device has and says what it took."
        )


def what_precision_lacks(asked: str, device: str) -> str | None:
    """Why ``device`` does not compute in a precision of Lightning's trainer, for people; None if it does."""
    if device == "cpu" and asked in ("16", "16-mixed", "16-true"):
        return "a CPU computes in no float16, and torch would take bfloat16 instead without a word"
    if device == "cpu" and asked.startswith("bf16") and bfloat16_instructions() is None:
        return _cpu_lacks_bfloat16()
    if device == "cuda" and asked.startswith("bf16"):
        return _cuda_lacks_bfloat16()
    return None


def settle_precision(config: Any, given: bool, where: str) -> list[str]:
    """Put the precision that is chosen into a parsed config, in place of the wish for one; or check the one given.

    Args:
        config: with ``precision``, ``trainer.precision`` and ``trainer.accelerator``.
        given: whether ``trainer.precision`` was set by the user.
        where: it was set.

    Returns:
        what was chosen, for people; nothing where nothing was to choose.

    Raises:
        InvalidValue: the device lacks the precision, or two wishes contradict each other.
    """
    device = device_of(str(config.trainer.accelerator))
    if config.precision is None:
        check_precision(config.trainer.precision, device, where)
        return []
    if given:
        raise InvalidValue(
            f"{where}: trainer.precision={config.trainer.precision} and '--precision auto' exclude each other. Leave "
            "one of them out."
        )
    config.precision = (
        None  # the config that is written down says what was chosen, and gives it again elsewhere
    )
    config.trainer.precision, reason = choose_precision(device)
    return [reason]


def bfloat16_instructions(description: Path | None = None) -> str | None:
    """The instructions with which this CPU computes in bfloat16, for people; None where Linux lists none."""
    try:
        text = (description or CPU_DESCRIPTION).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    lines = (line.partition(":") for line in text.splitlines())
    flags = {
        flag for name, _, value in lines if name.strip() in ("flags", "Features") for flag in value.split()
    }
    found = [words for flag, words in BFLOAT16_FLAGS.items() if flag in flags]
    return " and ".join(found) or None


def device_of(accelerator: str) -> str:
    """cpu, cuda or mps: what the trainer's ``accelerator`` comes to on this machine.

    Raises:
        InvalidValue: a GPU is asked for where there is none.
    """
    import torch

    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return "cuda"
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return "mps"
    if accelerator in ("cuda", "gpu", "mps"):
        raise InvalidValue(
            f"accelerator {accelerator!r} was asked for, and torch finds none here. Use cpu, or auto, which takes what "
            "there is."
        )
    return "cpu" if accelerator == "auto" else accelerator


def _cpu_lacks_bfloat16() -> str:
    if not CPU_DESCRIPTION.exists():
        return "there is no telling what this CPU has"
    return f"this CPU has none of {', '.join(BFLOAT16_FLAGS.values())}"


def _cuda_lacks_bfloat16() -> str | None:
    import torch

    if torch.cuda.is_bf16_supported(including_emulation=False):
        return None
    return f"{torch.cuda.get_device_name()} has no bfloat16"
