"""Make the virtual environment of this checkout, or bring it up to date; ``make`` calls this before everything else.

It needs nothing but Python, uses uv where there is one and pip otherwise, and does nothing when the environment
already holds what ``pyproject.toml`` asks for. What stands in the way is said in a few plain lines at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
STAMP = "resnet-zoo.json"
PRINT_VERSIONS = """
from importlib.metadata import version
print("torch", version("torch"), "and torchvision", version("torchvision"))
"""

# What installers print, and what it means to the person in front of them.
CAUSES = (
    (
        r"No space left on device|disk quota exceeded|os error 28",
        "The disk is full. The environment takes about 6 GB with a CUDA build of PyTorch, and downloads as much again.",
    ),
    (
        r"Temporary failure in name resolution|Name or service not known|getaddrinfo failed|dns error"
        r"|Failed to establish a new connection|Connection refused|Connection reset|Network is unreachable"
        r"|[Rr]ead timed out|operation timed out|error sending request|ProxyError|Cannot connect to proxy"
        r"|SSLError|CERTIFICATE_VERIFY_FAILED|Could not connect",
        "The package index could not be reached. Check the network, the proxy (HTTPS_PROXY) or the index set in pip's "
        "or uv's own configuration, and run the same command again; finished downloads are kept.",
    ),
    (
        r"Permission denied|Read-only file system",
        "A file could not be written. Check who owns this folder and the cache folder named above.",
    ),
    (
        r"\(from versions: none\)",
        "The index reached knows no such package at all: most often there is no way to the network from here, or the "
        "index set in pip's own configuration is empty.",
    ),
    (
        r"No matching distribution found|Could not find a version|No solution found|ResolutionImpossible"
        r"|not a supported wheel|has no wheels",
        "The index reached offers no set of versions that fits. Compare the line above with 'dependencies' in "
        "pyproject.toml; a constraints file, an index of your own or a very new Python are the usual reasons.",
    ),
)


class Obstacle(Exception):
    """What keeps the environment from being made; its text is the whole message."""


def main(arguments: list[str] | None = None) -> int:
    """Make the environment and return the exit code: 0 when it is ready, 1 when something stands in the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT / ".venv", help="where the environment is")
    parser.add_argument(
        "--extra", action="append", default=[], dest="extras", help="optional dependencies to add"
    )
    parser.add_argument("--installer", choices=("auto", "uv", "pip"), default="auto")
    parser.add_argument("installer_arguments", nargs="*", help="handed on to pip or uv, after '--'")
    options = parser.parse_args(arguments)
    folder = options.folder.absolute()
    try:
        prepare(folder, set(options.extras), find_uv(options.installer), options.installer_arguments)
    except Obstacle as obstacle:
        print(f"\nThe environment {folder} is not ready.\n{obstacle}", file=sys.stderr)
        return 1
    return 0


def find_uv(installer: str) -> str | None:
    """The uv to use, or None for pip."""
    # A version manager may leave a stand-in on the path for a uv that this Python does not have: try it.
    uv = None if installer == "pip" else shutil.which("uv")
    if uv and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode != 0:
        uv = None
    if installer == "uv" and uv is None:
        raise Obstacle("INSTALLER=uv was given, but no working 'uv' is on the path. Leave it out to use pip.")
    return uv


def prepare(folder: Path, extras: set[str], uv: str | None, installer_arguments: list[str]) -> None:
    """Bring ``folder`` to hold the project with ``extras``; those asked for earlier stay."""
    held = held_extras(folder)
    if held is not None and extras <= held:
        return
    started = time.monotonic()
    create(folder, uv)
    extras = extras | (held or set())
    (folder / STAMP).unlink(missing_ok=True)
    install(folder, extras, uv, installer_arguments)
    check_torch(folder)
    stamp = {"fingerprint": fingerprint(folder), "extras": sorted(extras)}
    (folder / STAMP).write_text(json.dumps(stamp) + "\n")
    print(f"The environment {folder} is ready ({time.monotonic() - started:.0f} s).", flush=True)


def fingerprint(folder: Path) -> str:
    """What the environment depends on: the dependencies, and where it and the checkout lie."""
    parts = [(PROJECT / "pyproject.toml").read_bytes(), str(PROJECT).encode(), str(folder).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def held_extras(folder: Path) -> set[str] | None:
    """The extras that a finished, current and working environment holds; None where there is no such thing."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
    except (OSError, ValueError):
        return None
    if stamp.get("fingerprint") != fingerprint(folder) or not python_of(folder).exists():
        return None
    return set(stamp["extras"])


def python_of(folder: Path) -> Path:
    """The Python of an environment."""
    return folder / "bin" / "python"


def create(folder: Path, uv: str | None) -> None:
    """Make an empty environment, unless a usable one stands there."""
    if folder.exists():
        if usable(folder, uv):
            return
        if not (folder / "pyvenv.cfg").exists() and any(folder.iterdir()):
            raise Obstacle(
                f"{folder} exists and is no virtual environment. Move it away, or choose VENV=another/folder."
            )
        print(f"{folder} is unfinished or does not work any more: making it anew.", flush=True)
        shutil.rmtree(folder)
    if uv:
        command = [uv, "venv", "--quiet", "--python", sys.executable, str(folder)]
    else:
        missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
        if missing:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise Obstacle(
                f"This Python ({sys.executable}, {version}) comes without the module {missing[0]!r}. On Debian and "
                f"Ubuntu it is the package python{version}-venv; or install uv, which needs neither; or choose "
                "another Python with PYTHON=python3.12."
            )
        command = [sys.executable, "-m", "venv", str(folder)]
    code, output = run(command)
    if code != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise Obstacle(explain(output, command))


def usable(folder: Path, uv: str | None) -> bool:
    """Whether the Python in ``folder`` starts, is new enough, lies where it was made, and can be installed into."""
    python = python_of(folder)
    needs = "import sys; assert sys.version_info >= (3, 11)" + ("" if uv else "; import pip")
    try:
        answer = subprocess.run([python, "-c", needs], capture_output=True, check=False)
    except OSError:
        return False
    # Installed commands name the Python they start with; in a folder that was moved they name the old one.
    commands = (folder / "bin").glob("resnet-zoo")
    return answer.returncode == 0 and all(str(python) in command.read_text() for command in commands)


def install(folder: Path, extras: set[str], uv: str | None, installer_arguments: list[str]) -> None:
    """Install the checkout, editable, with its dependencies."""
    target = f"{PROJECT}[{','.join(sorted(extras))}]" if extras else str(PROJECT)
    python = str(python_of(folder))
    if uv:
        command = [uv, "pip", "install", "--compile-bytecode", "--python", python]  # as pip does
    else:
        command = [python, "-m", "pip", "install", "--disable-pip-version-check"]
        if not sys.stdout.isatty():
            command.append("--quiet")
    command += [*installer_arguments, "--editable", target]
    print(
        f"Installing with {'uv' if uv else 'pip'}; the first time this fetches PyTorch and takes minutes.",
        flush=True,
    )
    code, output = run(command)
    if code != 0:
        raise Obstacle(explain(output, command))


def run(command: list[str]) -> tuple[int, str]:
    """Run a command, showing what it prints; return its exit code and the end of its error output."""
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PYTHONUNBUFFERED": "1"}
    environment.pop("VIRTUAL_ENV", None)
    lines: list[str] = []
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, errors="replace", env=environment
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()
            lines.append(line)
    return process.returncode, "".join(lines[-400:])


def explain(output: str, command: list[str]) -> str:
    """What an installer's error output means, and the command that gave it."""
    shown = " ".join(command)
    for pattern, meaning in CAUSES:
        if re.search(pattern, output):
            return f"{meaning}\nThe command was: {shown}"
    return f"The command failed; its own words stand above: {shown}"


def check_torch(folder: Path) -> None:
    """Refuse a torch and a torchvision that were not built for each other: nothing later would say so plainly."""
    python = str(python_of(folder))
    answer = subprocess.run(
        [python, "-c", "import torch, torchvision"], capture_output=True, text=True, check=False, cwd=folder
    )
    if answer.returncode == 0:
        return
    found = subprocess.run([python, "-c", PRINT_VERSIONS], capture_output=True, text=True, check=False).stdout
    reason = (answer.stderr.strip().splitlines() or ["no message"])[-1]
    raise Obstacle(
        f"{found.strip() or 'torch and torchvision'} do not work together: {reason}\n"
        "Usually one of them is a CPU build and the other is not: both must come from the same index. Remove the\n"
        "environment with 'make clean', then name one index for both:\n"
        "make install INSTALL_ARGUMENTS='--index-url ADDRESS'"
    )


if __name__ == "__main__":
    sys.exit(main())
