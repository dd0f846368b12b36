"""``resnet-zoo check-backbone``."""

from __future__ import annotations

import json

import pytest

from resnet_zoo.cli.figures_cache import remembered_figures
from resnet_zoo.cli.main import main
from resnet_zoo.conformance import rules
from resnet_zoo.registry import registry
from tests.fake_plugins import NET, SitePackages


def test_a_sound_backbone(site: SitePackages, capsys: pytest.CaptureFixture[str]) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    assert main(["check-backbone", "se_net"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("se_net, from my-nets 0.2 (my_nets_nets)\n")
    assert all(f"pass  {rule.name}" in text for rule in rules if rule.name != "in_channels")
    assert "the builder has no argument in_channels" in text
    assert text.endswith(f"{len(rules) - 1} rules kept, 0 broken, 1 not tried.\n")
    assert remembered_figures(registry.resolve("se_net"))["parameters"] == (27 + 1) * 4 + (4 + 1) * 1000


def test_a_broken_backbone(site: SitePackages, capsys: pytest.CaptureFixture[str]) -> None:
    source = NET.format(name="se_net").replace(
        "        self.stem", "        self.unused = nn.Linear(2, 2)\n        self.stem"
    )
    site.install("bad-nets", "0.3", "bad_nets", source, se_net="bad_nets:se_net")
    assert main(["check-backbone", "bad_nets.se_net", "--width", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    position = next(number for number, line in enumerate(lines) if line.startswith("FAIL"))
    assert lines[position].split()[1] == "no_unused_parameters"
    assert lines[position + 1].split(maxsplit=1) == [
        "seen:",
        "no gradient reaches unused.weight, unused.bias",
    ]
    assert lines[position + 2].startswith("      do:   remove layers that forward does not call")
    assert "1 broken" in lines[-1]
    assert remembered_figures(registry.resolve("bad_nets.se_net")) == {}


def test_a_function_that_is_no_builder(site: SitePackages, capsys: pytest.CaptureFixture[str]) -> None:
    site.install("bad-nets", "0.3", "bad_nets", NET.format(name="se_net").replace(" -> Net", ""))
    assert main(["check-backbone", "bad_nets.se_net", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert (record["name"], record["package"], record["module"]) == (
        "bad_nets.se_net",
        "bad-nets",
        "bad_nets",
    )
    assert record["broken"] == 1
    first, *others = record["rules"]
    assert (first["rule"], first["verdict"]) == ("signature", "fail")
    assert "has no return annotation" in first["seen"]
    assert first["remedy"]
    assert {rule["verdict"] for rule in others} == {"none"}


def test_mistakes(site: SitePackages, capsys: pytest.CaptureFixture[str]) -> None:
    site.install("bad-nets", "0.3", "bad_nets", "1 / 0", se_net="bad_nets:se_net")
    for words, message in (
        ("resnet5O", "Did you mean 'resnet50'"),
        ("se_net", "backbone 'se_net' of bad-nets 0.3 cannot be loaded"),
        ("resnet20_cifar --widht 2", "has no argument 'widht'. Did you mean 'width'?"),
    ):
        assert main(["check-backbone", *words.split()]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.out == ""
