"""Memory kept between steps, and where it is left to others."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from resnet_zoo.cli import allocator

# Page faults of fetching and freeing eight large blocks, ten times, as the activations of steps would be.
FAULTS = """
import ctypes, resource, sys
from resnet_zoo.cli.allocator import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes, library.free.argtypes = (
    ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p])
size = 40 * 2**20
def step():
    block = library.malloc(size)
    ctypes.memset(block, 1, size)
    library.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_steps_fetch_no_memory_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in allocator.OWN_CHOICES:
        monkeypatch.delenv(name, raising=False)
    usual = _faults("as it is")
    if usual == 0:
        pytest.skip("the kernel here counts no page faults")
    assert _faults("kept") < 100 < usual


@pytest.mark.parametrize("name", allocator.OWN_CHOICES)
def test_a_user_s_own_choice_stands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_glibc", lambda: pytest.fail("the allocator was touched"))
    monkeypatch.setenv(name, "4")
    assert name in allocator.keep_memory()


def test_another_allocator_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in allocator.OWN_CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(allocator, "_glibc", lambda: None)
    assert "not glibc's" in allocator.keep_memory()
