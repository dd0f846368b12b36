"""Whether a run goes to Weights & Biases at once or is kept for later, decided before anything can prompt or stall."""

from __future__ import annotations

import configparser
import netrc
import os
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from resnet_zoo.errors import InvalidValue

WandbMode = Literal["auto", "online", "offline", "disabled"]
ResolvedMode = Literal["online", "offline", "disabled"]

HOSTED = ("api.wandb.ai", "api.forge.coreweave.com")
"""Hosts of wandb's own service, the name of the login first."""

REACHABLE_WITHIN = 3.0
"""Seconds; wandb itself waits 103 s for a network that is not there, and then ends the training."""


def resolve_mode(mode: WandbMode) -> tuple[ResolvedMode, str]:
    """The mode to use and the reason for it, in words.

    "auto" follows the environment variable ``WANDB_MODE`` if it is set; otherwise it is online if an API key is found
    and the server answers within three seconds, else offline. "online" is refused without a key, and falls back to
    offline without a network: what was logged can be sent later.

    Args:
        mode: what the user asked for.

    Raises:
        InvalidValue: "online" without a key, or an unknown mode.
    """
    if mode not in ("auto", "online", "offline", "disabled"):
        raise InvalidValue(f"no W&B mode {mode!r}. Use 'auto', 'online', 'offline' or 'disabled'.")
    if mode in ("offline", "disabled"):
        return ("offline" if mode == "offline" else "disabled"), "as configured"
    from_environment = os.environ.get("WANDB_MODE", "").lower()
    if mode == "auto" and from_environment in ("offline", "dryrun"):
        return "offline", "WANDB_MODE says so"
    if mode == "auto" and from_environment == "disabled":
        return "disabled", "WANDB_MODE says so"
    if not has_credentials():
        if mode == "online" or from_environment == "online":
            raise InvalidValue(
                "W&B mode 'online' needs an API key, and none was found in WANDB_API_KEY, the netrc file or wandb's "
                "settings. Run 'wandb login', or use the mode 'offline' and 'wandb sync' later."
            )
        return "offline", "no API key found"
    url = server_url()
    if not is_reachable(url, REACHABLE_WITHIN):
        return "offline", f"{urlsplit(url).hostname} did not answer within {REACHABLE_WITHIN:g} s"
    return "online", "API key found and server reachable"


def has_credentials() -> bool:
    """Whether wandb would find a key without asking for one; it is not imported to find out."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    return bool(in_settings_file("api_key")) or _in_netrc(configured_url())


def configured_url() -> str | None:
    """The address of the API server from ``WANDB_BASE_URL`` or wandb's settings file; None for wandb's default."""
    return os.environ.get("WANDB_BASE_URL") or in_settings_file("base_url")


def server_url() -> str:
    """The address of the API server; wandb is imported, for seconds, only where nothing but its default is left."""
    url = configured_url()
    if url is None:
        import wandb

        url = str(wandb.Settings().base_url)
    return url


def in_settings_file(name: str) -> str | None:
    """A value of wandb's settings file, the current folder's before the user's."""
    user = Path(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser()
    files = configparser.ConfigParser(default_section="default", interpolation=None)
    try:
        files.read([user / "settings", Path("wandb", "settings")], encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None
    return files.defaults().get(name) or None


def is_reachable(url: str, seconds: float) -> bool:
    """Whether something accepts a connection at the server of ``url``, or at the proxy on the way, in this time.

    Resolving a name cannot be given a time limit, so the attempt runs in a thread that is left behind if it hangs.
    """
    proxy = urllib.request.getproxies().get(urlsplit(url).scheme)
    host_of_server = urlsplit(url).hostname or ""
    if proxy and not urllib.request.proxy_bypass(host_of_server):
        url = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    connected = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname or "", port), timeout=seconds).close()
        except OSError:
            return
        connected.set()

    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(seconds)
    return connected.is_set()


def _in_netrc(url: str | None) -> bool:
    """Whether the netrc file has an entry for the server; wandb's own hosts share the entry of ``api.wandb.ai``."""
    host = urlsplit(url).netloc if url else HOSTED[0]
    hosted = host.endswith((".wandb.ai", ".coreweave.com"))
    file = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        entries = netrc.netrc(str(file))
    except (OSError, netrc.NetrcParseError, RuntimeError):
        return False
    return any(name in entries.hosts for name in ([host, *HOSTED] if hosted else [host]))
