"""What is built from the project: a wheel and a source archive that contain what an installed package needs."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import resnet_zoo

PROJECT = Path(__file__).resolve().parent.parent
BUILD = "import sys, hatchling.build as backend; print(getattr(backend, sys.argv[1])(sys.argv[2]))"


def build(kind: str, source: Path, target: Path) -> Path:
    """Build ``kind`` (wheel, sdist) of the project in ``source``, with the backend alone and so without a network."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(target)]
    answer = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return target / answer.stdout.split()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", PROJECT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what installing the wheel would put into site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def declared() -> dict[str, object]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def test_wheel_holds_code_configs_and_data(wheel: Path) -> None:
    names = names_in(wheel)
    sources = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "resnet_zoo").rglob("*.py")}
    configs = {f"resnet_zoo/{path.relative_to(PROJECT)}" for path in (PROJECT / "configs").rglob("*.yaml")}
    assert len(configs) > 10
    assert sources | configs <= names
    assert {"resnet_zoo/py.typed", "resnet_zoo/backbones/complexity.json"} <= names
    assert [name for name in names if re.search(r"digits.*\.(npz|npy|bin|gz|png|zip)$", name)], (
        "the embedded digits"
    )


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert tops == {"resnet_zoo", f"resnet_zoo-{resnet_zoo.__version__}.dist-info"}
    assert not [name for name in names_in(wheel) if name.endswith((".pyc", ".ckpt"))]
    assert wheel.stat().st_size < 2_000_000


def test_metadata(wheel: Path) -> None:
    folder = f"resnet_zoo-{resnet_zoo.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()
        licences = [name for name in archive.namelist() if "/licenses/" in name]
    assert metadata["Version"] == resnet_zoo.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "resnet-zoo = resnet_zoo.cli.main:main" in entry_points
    assert f"{folder}/licenses/LICENSE" in licences
    assert any("digits" in name.lower() for name in licences), "the embedded data set's own licence"


def test_installed_package_finds_its_configs_by_name(installed: Path, tmp_path: Path) -> None:
    program = (
        "import resnet_zoo.cli.configs as configs; print(configs.__file__); "
        "print(configs.find_config('r20_cifar10')); print(configs.find_config('hardware/8gpu'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", program]
    answer = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    module, *configs = answer.stdout.split()
    assert module == str(installed / "resnet_zoo/cli/configs.py")
    folder = installed / "resnet_zoo/configs"
    assert configs == [str(folder / "r20_cifar10.yaml"), str(folder / "hardware/8gpu.yaml")]


def test_checkout_finds_the_configs_at_its_top() -> None:
    from resnet_zoo.cli.configs import find_config

    assert find_config("quickstart") == PROJECT / "configs/quickstart.yaml"


def test_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", PROJECT, tmp_path)
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    assert {"Makefile", "LICENSE", "README.md", "tests", "configs"} <= {
        path.name for path in source.iterdir()
    }
    assert names_in(build("wheel", source, tmp_path)) == names_in(wheel)


def test_lightning_releases_of_the_intruder_are_excluded() -> None:
    from packaging.requirements import Requirement

    requirements = {name.name: name.specifier for name in map(Requirement, declared()["dependencies"])}
    for version in ("2.6.2", "2.6.3", "2.6.5", "2.7.0"):
        assert not requirements["lightning"].contains(version)
    assert requirements["lightning"].contains("2.6.6")


def test_linters_are_pinned_once() -> None:
    """The hooks and CI call 'make lint' and 'make types', which install what pyproject.toml pins."""
    pins = [line for line in declared()["optional-dependencies"]["dev"] if line.startswith(("ruff", "mypy"))]
    assert sorted(re.split("==", pin)[0] for pin in pins) == ["mypy", "ruff"]
    hooks = (PROJECT / ".pre-commit-config.yaml").read_text()
    assert "entry: make lint" in hooks
    assert "entry: make types" in hooks
    assert "rev:" not in hooks


def test_make_shows_every_target() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    answer = subprocess.run(
        ["make", "--no-print-directory"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    shown = {line.split()[0] for line in answer.stdout.splitlines() if line.startswith("  ")}
    assert shown == phony == set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert len(answer.stdout.splitlines()) < 24


def test_continuous_integration_runs_what_the_readme_tells() -> None:
    script = (PROJECT / ".ci/run").read_text()
    for target in ("quickstart", "test", "lint", "types", "docs", "test-all"):
        assert re.search(rf" make {target}\b", script), target
    assert os.access(PROJECT / ".ci/run", os.X_OK)
    assert ".ci/run" in (PROJECT / ".github/workflows/ci.yml").read_text()
