"""``resnet-zoo list``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from resnet_zoo.cli.figures_cache import remember_figures, remembered_figures
from resnet_zoo.cli.list import in_units
from resnet_zoo.cli.main import main
from resnet_zoo.registry import registry
from tests.fake_plugins import SitePackages


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert main(["list", "--json", *words]) == 0
    records: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return records


def test_the_table_has_the_promised_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "resnet20_*"]) == 0
    titles, row = capsys.readouterr().out.splitlines()
    assert titles.split() == ["name", "family", "parameters", "multiply-adds", "input", "source", "paper"]
    for cell in (
        "resnet20_cifar",
        "resnet_cifar",
        "270 k",
        "40.6 M",
        "32",
        "resnet-zoo 0.",
        "arXiv:1512.03385",
    ):
        assert cell in row


def test_records(capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = listed(capsys, "resnet50")
    assert record["name"] == "resnet50"
    assert record["parameters"] == 25_557_032
    assert record["multiply_adds"] == 4_089_184_256
    assert record["input_size"] == 224
    assert record["num_classes"] == 1000
    assert record["source"]["package"] == "resnet-zoo"  # type: ignore[index]
    assert {"family", "paper"} < set(record)


def test_everything_is_listed_shallow_before_deep(capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(record["name"]) for record in listed(capsys)]
    assert sorted(names) == registry.names()
    assert names.index("resnet18") < names.index("resnet50") < names.index("resnet101")


def test_a_pattern_without_match(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "resnet5O"]) == 2
    assert "Did you mean 'resnet50'" in capsys.readouterr().err
    assert main(["list", "resnet"]) == 2
    assert "A pattern stands for whole names: try '*resnet*'." in capsys.readouterr().err


def test_plugins_are_listed_without_importing_them(
    site: SitePackages, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install(
        "bad-nets", "0.3", "bad_nets", "1 / 0", worse_net="bad_nets:worse_net", vgg16="bad_nets:vgg16"
    )
    assert main(["list", "*"]) == 0
    lines = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert lines["worse_net"] == ["worse_net", "-", "-", "-", "-", "bad-nets", "0.3", "-"]
    assert "bad-nets/vgg16" in lines
    assert "resnet-zoo" in lines["vgg16"]
    assert "bad_nets" not in sys.modules


def test_measured_figures_of_a_plugin_are_remembered_for_its_version(
    site: SitePackages, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    remember_figures(registry.resolve("se_net"), {"family": "se", "parameters": 1234, "multiply_adds": 5})
    (record,) = listed(capsys, "se_net")
    assert (record["family"], record["parameters"]) == ("se", 1234)
    site.install_net("your-nets", "0.2", "another_net")
    assert remembered_figures(registry.resolve("another_net")) == {}


def test_a_cache_that_cannot_be_used_is_no_error(
    site: SitePackages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    entry = registry.resolve("se_net")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a_file"))
    (tmp_path / "a_file").touch()
    remember_figures(entry, {"parameters": 1})
    assert remembered_figures(entry) == {}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember_figures(entry, {"parameters": 1})
    (file,) = (tmp_path / "resnet-zoo" / "figures").iterdir()
    file.write_text("no json")
    assert remembered_figures(entry) == {}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"), (0, "0"), (999, "999"), (1000, "1.00 k"), (269_722, "270 k"), (999_600, "1.00 M"),
        (25_557_032, "25.6 M"), (99_960_000, "100 M"), (4_089_184_256, "4.09 G"), (1_234_000_000_000, "1234 G"),
    ],
)  # fmt: skip
def test_counts_in_units(count: int | None, text: str) -> None:
    assert in_units(count) == text
