"""What every test may count on: a home of its own, no network, one torch thread, the same random numbers each time."""

from __future__ import annotations

import ipaddress
import os
import random
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent

# A launcher around the tests must not make a test think that it is one rank of many.
LAUNCHER_VARIABLES = (
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip
LAUNCHER_PREFIXES = ("SLURM_", "TORCHELASTIC_", "PL_", "WANDB_")
CLOSED_PROXY = "http://127.0.0.1:9"


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the environment before a test module, and with it torch, is imported; child processes inherit it."""
    home = tempfile.TemporaryDirectory(prefix="resnet-zoo-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    for name in [
        name for name in os.environ if name in LAUNCHER_VARIABLES or name.startswith(LAUNCHER_PREFIXES)
    ]:
        del os.environ[name]
    os.environ.update(environment_of_tests(Path(home.name)))


def environment_of_tests(home: Path) -> dict[str, str]:
    """The environment variables of the tests: where things are written, how many threads, no way out."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    folders = {
        "HOME": home,
        "XDG_CACHE_HOME": home / "cache",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_DATA_HOME": home / "share",
        "TORCH_HOME": home / "torch",
        "WANDB_CONFIG_DIR": home / "wandb-config",
        "WANDB_CACHE_DIR": home / "wandb-cache",
        "WANDB_DATA_DIR": home / "wandb-data",
        "NETRC": home / "netrc",
    }
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), CLOSED_PROXY)
    bypass = dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
    # Commands started from another folder find the checkout even where it is not installed.
    search_path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    author = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "tests")
    author |= dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "tests@example.invalid")
    others = {"PYTHONPATH": search_path, "WANDB_MODE": "offline", "MPLBACKEND": "Agg"}
    return threads | {name: str(path) for name, path in folders.items()} | proxies | bypass | author | others


class NetworkRefused(ConnectionRefusedError):
    """A test tried to reach another machine."""


def is_local(family: int, address: Any) -> bool:
    """Whether a socket of this family that connects to ``address`` stays on this machine."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    host = str(address[0])
    if host in ("", "localhost", socket.gethostname()):
        return True
    return is_address(host) and ipaddress.ip_address(without_zone(host)).is_loopback


def is_address(host: str) -> bool:
    """Whether this is an address in numbers, for which nobody has to be asked."""
    try:
        ipaddress.ip_address(without_zone(host))
    except ValueError:
        return False
    return True


def without_zone(host: str) -> str:
    """An address without the network interface that may stand behind it."""
    return host.split("%", maxsplit=1)[0]


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Connections from this process go to the loopback device or fail; child processes see a closed proxy.

    Names of other machines lead nowhere, at once: what asks for them is a server that may be far, slow or gone.
    """
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not is_local(self.family, address):
            raise NetworkRefused(f"a test tried to connect to {address!r}; tests use no network.")
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not is_local(self.family, address):
            raise NetworkRefused(f"a test tried to connect to {address!r}; tests use no network.")
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not is_address(name) and not is_local(socket.AF_INET, (name,)):
            raise socket.gaierror(socket.EAI_NONAME, f"a test asked for {name!r}; tests use no network")
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """What a test draws from the global generators does not depend on which tests ran in this process before."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one during the test, so that runs leave nothing in the checkout."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def project() -> Path:
    """The top of the checkout."""
    return PROJECT
