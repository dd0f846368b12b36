"""The example of a package with a backbone of its own: built, installed, listed, checked, trained from YAML alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from resnet_zoo.cli.main import main
from resnet_zoo.conformance import Rule, check, rules
from resnet_zoo.registry import registry

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLE = PROJECT / "docs" / "example_plugin"
BUILD = "import sys, hatchling.build as backend; print(backend.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what installing the example puts into site-packages."""
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    source = tmp_path_factory.mktemp("source") / "example_plugin"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__", "runs"))
    folder = tmp_path_factory.mktemp("site-packages")
    wheel = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=source, capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    with zipfile.ZipFile(folder / wheel) as archive:
        archive.extractall(folder)
    (folder / wheel).unlink()
    return folder


@pytest.fixture
def installed(site_packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is installed in this process for as long as a test runs."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    for module in [name for name in sys.modules if name.partition(".")[0] == "my_nets"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(str(site_packages))


@pytest.mark.usefixtures("installed")
def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "se_*", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["name"] == "se_net"
    assert record["source"] == {"package": "my-nets", "version": "0.2", "module": "my_nets.nets"}


@pytest.mark.usefixtures("installed")
def test_it_is_described_stage_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", "se_net", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [row["part"] for row in record["rows"]] == ["stem", "stage 1", "stage 2", "stage 3", "head"]
    assert record["paper"] == "arXiv:1709.01507"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    "rule", [rule for rule in rules if rule.name != "compile"], ids=str
)  # slow, see below
def test_it_keeps(rule: Rule) -> None:
    check(rule, "se_net", width=8)


def run(site_packages: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    search_path = os.pathsep.join(
        filter(None, [str(site_packages), str(PROJECT), os.environ.get("PYTHONPATH")])
    )
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": search_path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("installed")
def test_it_is_trained_from_yaml_alone(working_directory: Path) -> None:
    shutil.copy(EXAMPLE / "se_net_digits.yaml", working_directory)
    words = ["--config", "se_net_digits.yaml", "--trainer.max_epochs", "2", "--run_dir", "a_run"]
    assert main(["fit", *words, "--wandb.mode", "disabled", "--trainer.accelerator", "cpu"]) == 0
    result = json.loads((working_directory / "a_run" / "test.json").read_text())
    assert result["evaluated"] == result["expected"] > 0
    assert result["top1"] > 30  # of ten classes, after two epochs
    record = json.loads((working_directory / "a_run" / "record.json").read_text())
    assert record["backbone"]["package"] == "my-nets"
    assert record["backbone"]["version"] == "0.2"
    resolved = yaml.safe_load((working_directory / "a_run" / "config.yaml").read_text())
    assert resolved["model"]["backbone"]["init_args"]["width"] == 8


@pytest.mark.slow
def test_its_own_tests_pass(site_packages: Path, working_directory: Path) -> None:
    shutil.copytree(EXAMPLE / "tests", working_directory / "tests")
    answer = run(site_packages, working_directory, "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert answer.returncode == 0, answer.stdout
    assert f"{len(rules) + 1} passed" in answer.stdout


def test_the_guide_s_own_example_works(working_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (PROJECT / "docs" / "plugins.md").read_text()
    first, second, *_ = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    names = {"__name__": "guide"}
    exec(first + second, names)
    assert names["model"].head.in_features == 32  # type: ignore[attr-defined]
