"""How fast a device can multiply matrices: measured, and as its maker says."""

from __future__ import annotations

import torch

from resnet_zoo.cli.timing.rounds import seconds_of

SIDES = {"cpu": 1024, "cuda": 8192, "mps": 4096}
"""Of the square matrices: large enough for the device to be busy, small enough for the fraction of a second."""
ROUNDS = 7

PUBLISHED = {
    # NVIDIA's data sheets: dense tensor-core bfloat16, and float32 without TF32, in TFLOP/s.
    "NVIDIA H200": {"bf16": 989e12, "float32": 67e12},
    "NVIDIA H100 80GB HBM3": {"bf16": 989e12, "float32": 67e12},
    "NVIDIA H100 PCIe": {"bf16": 756e12, "float32": 51e12},
    "NVIDIA A100": {"bf16": 312e12, "float32": 19.5e12},
}
"""Floating point operations per second by what a device's name begins with."""


def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating point operations per second of the fastest of some multiplications of two square matrices."""
    side = SIDES.get(device.type, 1024)
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    torch.mm(left, right)
    best = min(seconds_of(lambda: torch.mm(left, right), device) for _ in range(ROUNDS))
    return 2.0 * side**3 / best


def published_peak(device_name: str, dtype: torch.dtype) -> float | None:
    """What the maker states for a device of this name; None if it is not among those known."""
    kind = "bf16" if dtype == torch.bfloat16 else "float32"
    found = [peaks[kind] for name, peaks in PUBLISHED.items() if device_name.startswith(name)]
    return found[0] if found else None
