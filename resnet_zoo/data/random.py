"""Random numbers that depend on nothing but a seed and a counter.

Everything random about the data (the order of an epoch, the crop of an image) comes from here, so that it is
the same on every rank, in every worker, on every device and with every version of torch. The generator is
SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): draw number
k of a seed is a hash of ``seed + (k + 1) * gamma``, so any draw can be computed without the ones before it.

Tensors hold 64-bit words as int64, whose additions and multiplications wrap around as the algorithm wants.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

_WORD = 1 << 64
_GAMMA = 0x9E3779B97F4A7C15
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def _signed(word: int) -> int:
    """The 64-bit word as Python's signed integer, which is what an int64 tensor holds."""
    word %= _WORD
    return word - _WORD if word >= _WORD // 2 else word


def _shift_right(words: Tensor, bits: int) -> Tensor:
    """A logical shift: int64's own shift would copy the sign bit."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _mix(words: Tensor) -> Tensor:
    words = (words ^ _shift_right(words, 30)) * _signed(_MULTIPLIERS[0])
    words = (words ^ _shift_right(words, 27)) * _signed(_MULTIPLIERS[1])
    return words ^ _shift_right(words, 31)


def _mix_integer(word: int) -> int:
    word = ((word ^ (word >> 30)) * _MULTIPLIERS[0]) % _WORD
    word = ((word ^ (word >> 27)) * _MULTIPLIERS[1]) % _WORD
    return word ^ (word >> 31)


def combine(*parts: int | Tensor) -> Tensor:
    """One seed from several numbers, for example (run's seed, epoch, index of the image).

    Args:
        parts: integers, or int64 tensors that broadcast against each other. The order matters.

    Returns:
        int64 tensor of the broadcast shape. With all but the last part fixed, distinct last parts give
        distinct seeds.
    """
    state = torch.zeros((), dtype=torch.int64)
    for part in parts:
        word = part if isinstance(part, Tensor) else torch.tensor(_signed(part), device=state.device)
        state = _mix((state.to(word.device) ^ word) + _signed(_GAMMA))
    return state


def words(seeds: Tensor, draw: int) -> Tensor:
    """Draw number ``draw`` of every seed: int64 (b,), all 64 bits random."""
    return _mix(seeds + _signed((draw + 1) * _GAMMA))


def uniforms(seeds: Tensor, draw: int) -> Tensor:
    """Draw number ``draw`` of every seed as float32 (b,) in [0, 1), a multiple of 2**-24 (so exact on every
    device).
    """
    return _shift_right(words(seeds, draw), 40).to(torch.float32) * 2.0**-24


def several_uniforms(seeds: Tensor, draw: int, count: int) -> Tensor:
    """Draws ``draw`` to ``draw + count - 1`` of every seed at once: float32 (count, b) in [0, 1), as ``uniforms``."""
    offsets = _offsets(draw, count, seeds.device)
    return _shift_right(_mix(seeds + offsets), 40).to(torch.float32) * 2.0**-24


def integers(seeds: Tensor, draw: int, highs: tuple[int, ...]) -> Tensor:
    """Several draws of every seed at once, number ``draw + k`` being in [0, highs[k]).

    Args:
        seeds: int64 (b,).
        draw: number of the first draw.
        highs: bounds, each up to 2**31.

    Returns:
        int64 (len(highs), b).
    """
    bounds = _bounds(highs, seeds.device)
    return (_shift_right(_mix(seeds + _offsets(draw, len(highs), seeds.device)), 33) * bounds) >> 31


@lru_cache(maxsize=64)
def _offsets(draw: int, count: int, device: torch.device) -> Tensor:
    """What to add to seeds for so many draws: int64 (count, 1)."""
    offsets = [_signed((draw + 1 + k) * _GAMMA) for k in range(count)]
    return torch.tensor(offsets, device=device).unsqueeze(1)


@lru_cache(maxsize=32)
def _bounds(highs: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.tensor(highs, device=device).unsqueeze(1)


def normals(seeds: Tensor, draw: int) -> Tensor:
    """Standard normal float32 (b,) from draws ``draw`` and ``draw + 1`` (Box and Muller 1958)."""
    radius = torch.sqrt(-2.0 * torch.log1p(-uniforms(seeds, draw)))
    return radius * torch.cos(2.0 * math.pi * uniforms(seeds, draw + 1))


def normal_field(seeds: Tensor, count: int) -> Tensor:
    """So many standard normal numbers of every seed: float32 (b, count), two from each draw (Box and Muller 1958)."""
    pairs = -(-count // 2)
    steps = (torch.arange(pairs, device=seeds.device) + 1) * _signed(_GAMMA)
    bits = _mix(seeds.unsqueeze(1) + steps)
    radius = torch.sqrt(-2.0 * torch.log1p(_shift_right(bits, 40).to(torch.float32) * -(2.0**-24)))
    angle = (bits & 0xFFFFFF).to(torch.float32) * (2.0**-23 * math.pi)
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :count]


class SampleGenerator:
    """The same draws one after the other, in plain Python: for one image at a time inside a worker.

    Args:
        seed: the image's seed, as an int64 tensor element or any integer.
        draw: number of the first draw.
    """

    def __init__(self, seed: int, draw: int = 0) -> None:
        self._state = (seed + draw * _GAMMA) % _WORD

    def word(self) -> int:
        """The next 64 random bits, as an unsigned integer."""
        self._state = (self._state + _GAMMA) % _WORD
        return _mix_integer(self._state)

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high)."""
        return low + (high - low) * ((self.word() >> 11) * 2.0**-53)

    def integer(self, high: int) -> int:
        """An integer in [0, high), for high up to 2**31."""
        return ((self.word() >> 33) * high) >> 31

    def normal(self) -> float:
        """A standard normal number, from two draws (Box and Muller 1958)."""
        radius = math.sqrt(-2.0 * math.log1p(-self.uniform(0.0, 1.0)))
        return radius * math.cos(2.0 * math.pi * self.uniform(0.0, 1.0))
