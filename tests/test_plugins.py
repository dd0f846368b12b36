"""Backbones of plugins, of files beside a config, and of configs that name them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

import resnet_zoo as rz
from resnet_zoo import backbones
from resnet_zoo.entry import BrokenBackbone
from resnet_zoo.errors import InvalidValue, UnknownName
from resnet_zoo.registry import registry
from tests.fake_plugins import NET, SitePackages


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    return SitePackages(tmp_path / "site-packages", monkeypatch)


def test_a_plugin_is_listed_without_importing_it_and_built_by_name(site: SitePackages) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    assert "se_net" in rz.list_backbones()
    assert "my_nets_nets" not in sys.modules
    assert registry.resolve("se_net").provenance() == {
        "name": "se_net",
        "package": "my-nets",
        "version": "0.2",
        "module": "my_nets_nets",
    }
    backbone = rz.create_backbone("se_net", width=3)
    assert backbone.built_by == {"name": "se_net", "arguments": {"width": 3}}
    assert backbones.se_net().num_features == 4
    assert (
        registry.resolve("my_nets/se_net") == registry.resolve("My-Nets/se_net") == registry.resolve("se_net")
    )


def test_a_plugin_may_register_what_it_offers(site: SitePackages) -> None:
    source = "import resnet_zoo\n" + NET.format(name="se_net").replace(
        "def se_net", "@resnet_zoo.register_backbone\ndef se_net"
    )
    site.install("my-nets", "0.2", "my_nets", source, se_net="my_nets:se_net")
    assert rz.create_backbone("se_net").built_by == {"name": "se_net", "arguments": {}}
    assert registry.names("*se_net") == ["se_net"]
    assert registry.resolve("my_nets.se_net").name == "se_net"


def test_a_plugin_cannot_replace_a_built_in_backbone(site: SitePackages) -> None:
    source = "import resnet_zoo\n" + NET.format(name="resnet18").replace(
        "def r", "@resnet_zoo.register_backbone\ndef r"
    )
    site.install("my-nets", "0.2", "my_nets", source, resnet18="my_nets:resnet18")
    assert registry.resolve("resnet18").package == "resnet-zoo"
    assert registry.names("*resnet18") == ["my-nets/resnet18", "resnet18"]
    theirs = rz.create_backbone("my-nets/resnet18")
    assert theirs.num_features == 4
    assert theirs.built_by == {"name": "my-nets/resnet18", "arguments": {}}
    assert registry.resolve("my-nets/resnet18").import_path == "my_nets.resnet18"
    assert registry.resolve("resnet-zoo/resnet18").built_in


def test_two_plugins_with_one_name_are_told_apart_by_package(site: SitePackages) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    site.install_net("your-nets", "1.5", "se_net")
    with pytest.raises(InvalidValue) as caught:
        rz.create_backbone("se_net")
    assert str(caught.value) == (
        "several plugins offer a backbone named 'se_net': my-nets 0.2 (module my_nets_nets) and "
        "your-nets 1.5 (module your_nets_nets). Write 'my-nets/se_net' or 'your-nets/se_net'."
    )
    assert registry.names("*se_net") == ["my-nets/se_net", "your-nets/se_net"]
    backbone = rz.create_backbone("your-nets/se_net")
    assert type(backbone).__module__ == "your_nets_nets"
    assert backbone.built_by["name"] == "your-nets/se_net"


@pytest.mark.parametrize(
    ("source", "target", "seen"),
    [
        (
            "import module_that_is_not_there",
            "bad_nets:se_net",
            "ModuleNotFoundError: No module named 'module_that_",
        ),
        ("1 / 0", "bad_nets:se_net", "ZeroDivisionError: division by zero"),
        ("def (", "bad_nets:se_net", "SyntaxError"),
        ("", "bad_nets:se_net", "AttributeError: module 'bad_nets' has no attribute 'se_net'"),
        ("", "bad_nets", "ValueError: an entry point must read 'module:function'"),
        ("def se_net(**settings): pass", "bad_nets:se_net", "has no return annotation"),
        (NET.format(name="another"), "bad_nets:another", "Give the entry point the function's name"),
    ],
)
def test_a_broken_plugin_shows_its_error_when_it_is_asked_for(
    site: SitePackages, source: str, target: str, seen: str
) -> None:
    site.install("bad-nets", "0.3", "bad_nets", source, se_net=target)
    assert "se_net" in rz.list_backbones()
    assert registry.create("resnet20_cifar").num_features == 64
    with pytest.raises(BrokenBackbone, match=r"backbone 'se_net' of bad-nets 0\.3 cannot be") as caught:
        rz.create_backbone("se_net")
    assert seen in str(caught.value)
    assert "bad_nets" in str(caught.value)


def test_metadata_that_cannot_be_read_offers_nothing(site: SitePackages) -> None:
    site.install_net("my-nets", "0.2", "se_net")
    site.install("bad-nets", "0.3", "bad_nets", "")
    (site.folder / "bad_nets-0.3.dist-info" / "entry_points.txt").write_bytes(
        b"[resnet_zoo.backbones]\n\xff\xfe"
    )
    assert "se_net" in rz.list_backbones()


# Import paths


@pytest.fixture
def beside_the_config(working_directory: Path) -> Iterator[Path]:
    """The current directory, whose modules and path entry are forgotten after the test."""
    path, modules = list(sys.path), set(sys.modules)
    yield working_directory
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and str(working_directory) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def test_a_file_in_the_current_directory_needs_no_package(beside_the_config: Path) -> None:
    (beside_the_config / "loose_nets.py").write_text(NET.format(name="loose"))
    backbone = rz.create_backbone("loose_nets.loose", width=5)
    assert backbone.built_by == {"name": "loose_nets.loose", "arguments": {"width": 5}}
    assert rz.create_backbone("loose_nets:loose").num_features == 4
    entry = registry.resolve("loose_nets.loose")
    assert (entry.package, entry.version, entry.module) == ("loose_nets", None, "loose_nets")
    with pytest.raises(
        UnknownName, match=r"no backbone in module 'loose_nets' named 'lose'\. Did you mean 'loose'"
    ):
        registry.resolve("loose_nets.lose")


def test_a_broken_file_in_the_current_directory(beside_the_config: Path) -> None:
    (beside_the_config / "broken_nets.py").write_text("import module_that_is_not_there")
    with pytest.raises(
        BrokenBackbone, match=r"importing 'broken_nets' raised ModuleNotFoundError: No module named"
    ):
        registry.resolve("broken_nets.loose")


# Configs


def test_a_broken_plugin_shows_its_error_through_a_config(site: SitePackages) -> None:
    from jsonargparse import ArgumentParser

    site.install("bad-nets", "0.3", "bad_nets", "1 / 0", se_net="bad_nets:se_net")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--backbone", type=nn.Module)
    with pytest.raises(Exception, match=r"of bad-nets 0.3 cannot be loaded: .* ZeroDivisionError"):
        parser.parse_object({"backbone": {"class_path": "resnet_zoo.backbones.se_net"}})
