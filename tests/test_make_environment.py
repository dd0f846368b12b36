"""The script behind 'make install': what it says when something stands in the way, and when it has nothing to do."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location(
        "make_environment", PROJECT / "scripts/make_environment.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("error: Request failed\n  Caused by: dns error: failed to lookup address", "could not be reached"),
        ("NewConnectionError: Failed to establish a new connection: [Errno 111]", "could not be reached"),
        (
            "ERROR: Could not find a version that satisfies hatchling (from versions: none)",
            "no way to the network",
        ),
        ("ERROR: No matching distribution found for torch>=99", "no set of versions"),
        ("PermissionError: [Errno 13] Permission denied: '/srv/cache'", "could not be written"),
        ("error: something new", "its own words stand above"),
    ],
)
def test_causes_are_explained(script: ModuleType, output: str, meaning: str) -> None:
    assert meaning in script.explain(output, ["pip", "install"])


def test_a_finished_environment_is_left_alone(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    stamp = {"fingerprint": script.fingerprint(tmp_path), "extras": ["test"]}
    (tmp_path / script.STAMP).write_text(json.dumps(stamp))
    monkeypatch.setattr(script, "run", lambda command: pytest.fail(f"ran {command}"))
    assert script.main(["--folder", str(tmp_path), "--extra", "test", "--installer", "pip"]) == 0
    assert script.held_extras(tmp_path) == {"test"}


def test_a_change_of_dependencies_is_noticed(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / script.STAMP).write_text(json.dumps({"fingerprint": "another", "extras": ["test"]}))
    assert script.held_extras(tmp_path) is None
    (tmp_path / script.STAMP).write_text("half a fi")
    assert script.held_extras(tmp_path) is None


def test_a_folder_of_something_else_is_not_removed(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(script.Obstacle, match="no virtual environment"):
        script.create(tmp_path, None)
    assert (tmp_path / "thesis.tex").exists()


def test_a_python_without_venv_is_explained(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.importlib.util, "find_spec", lambda name: None)
    assert script.main(["--folder", str(tmp_path / "new"), "--installer", "pip"]) == 1
    assert "comes without the module 'venv'" in capsys.readouterr().err


def test_torch_and_torchvision_that_do_not_fit_are_named(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.write_text(
        "#!/bin/sh\ncase $2 in *importlib*) echo torch 2.15.0+cpu and torchvision 0.29.2;; "
        "*) echo 'RuntimeError: operator torchvision::nms does not exist' >&2; exit 1;; esac\n"
    )
    python.chmod(0o755)
    with pytest.raises(
        script.Obstacle, match=r"2\.15\.0\+cpu and torchvision 0\.29\.2 do not work together: .*nms"
    ):
        script.check_torch(tmp_path)


@pytest.mark.parametrize(
    ("version", "said"),
    [("3.9.2", "Python 3.9.2 .* is too old: resnet-zoo needs 3.11 or newer"), (None, "No .* found")],
)
def test_make_says_which_python_is_needed(tmp_path: Path, version: str | None, said: str) -> None:
    python = tmp_path / "old-python"
    if version:
        # The check itself runs, under a Python that says it is older.
        python.write_text(
            f"#!/bin/sh\nexec '{sys.executable}' -c \"import sys; sys.version_info = ({version.replace('.', ',')}); "
            f'sys.version = \'{version} (main)\'; exec(sys.argv[1])" "$2"\n'
        )
        python.chmod(0o755)
    command = ["make", "install", f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert re.search(said, answer.stderr), answer.stderr
    assert not (tmp_path / "venv").exists()
