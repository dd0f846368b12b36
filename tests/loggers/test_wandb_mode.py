"""Whether W&B is online is decided without a prompt and within a bounded time."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.loggers import wandb_mode
from resnet_zoo.loggers.wandb_mode import has_credentials, is_reachable, resolve_mode


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Something that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setattr(wandb_mode, "REACHABLE_WITHIN", 60.0)  # of a busy machine it may take its time
        monkeypatch.setenv("WANDB_BASE_URL", url)
        yield url


def test_auto_is_offline_without_a_key_and_online_with_one(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_mode("auto") == ("offline", "no API key found")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert resolve_mode("auto") == ("online", "API key found and server reachable")


def test_a_key_is_also_found_in_the_netrc_file(server: str, tmp_path: Path) -> None:
    assert not has_credentials()
    (tmp_path / "netrc").write_text(
        f"machine {server.removeprefix('http://')} login user password {'k' * 40}\n"
    )
    assert has_credentials()
    (tmp_path / "netrc").write_text("machine elsewhere login user password secret\n")
    assert not has_credentials()
    (tmp_path / "netrc").write_text("nonsense\n")
    assert not has_credentials()


def test_a_login_at_wandb_counts_for_its_own_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {'k' * 40}\n")
    monkeypatch.setattr(wandb_mode, "configured_url", lambda: "https://api.forge.coreweave.com")
    assert has_credentials()
    monkeypatch.setattr(wandb_mode, "configured_url", lambda: "https://wandb.example.org")
    assert not has_credentials()


def test_a_key_and_a_server_are_also_found_in_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    assert not has_credentials()
    (tmp_path / "settings").write_text(
        "[default]\nbase_url = https://wandb.example.org\napi_key = 100%secret\n"
    )
    assert has_credentials()
    assert wandb_mode.server_url() == "https://wandb.example.org"
    (tmp_path / "settings").write_text("nonsense\n")
    assert not has_credentials()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens, and nobody else can begin to."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def test_without_a_network_both_auto_and_online_are_offline_at_once(
    nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://{nobody}")
    for mode in ("auto", "online"):
        assert resolve_mode(mode) == ("offline", "127.0.0.1 did not answer within 3 s")  # type: ignore[arg-type]


def test_a_name_server_that_hangs_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()

    def hang(*args: object, **kwargs: object) -> None:
        asked.set()
        answered.wait()
        raise OSError

    monkeypatch.setattr(socket, "create_connection", hang)
    try:
        assert not is_reachable("https://wandb.example.org", seconds=0.1)  # it is back, and still no answer
        asked.wait()
    finally:
        answered.set()


def test_a_proxy_on_the_way_is_what_must_answer(
    server: str, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server)
    assert is_reachable("https://wandb.example.org", seconds=60)
    monkeypatch.setenv("https_proxy", nobody)
    assert not is_reachable("https://wandb.example.org", seconds=60)


def test_online_without_a_key_is_refused_with_what_to_do(server: str) -> None:
    with pytest.raises(InvalidValue, match=r"needs an API key.*wandb login.*offline"):
        resolve_mode("online")


def test_the_environment_decides_for_auto_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, mode in (("offline", "offline"), ("dryrun", "offline"), ("disabled", "disabled")):
        monkeypatch.setenv("WANDB_MODE", value)
        assert resolve_mode("auto") == (mode, "WANDB_MODE says so")
    assert resolve_mode("offline") == ("offline", "as configured")
    assert resolve_mode("disabled") == ("disabled", "as configured")


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no W&B mode 'dryrun'"):
        resolve_mode("dryrun")  # type: ignore[arg-type]
