"""Names of backbones: where they come from, who wins, and what a wrong one says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from torch import nn

import resnet_zoo
import resnet_zoo as rz
from resnet_zoo import backbones
from resnet_zoo.errors import InvalidValue, UnknownName
from resnet_zoo.registry import BackboneRegistry, registry
from tests.fake_plugins import NET, SitePackages


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    return SitePackages(tmp_path / "site-packages", monkeypatch)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> BackboneRegistry:
    """The process's registry, with what a test registers forgotten after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    return registry


Mode = Literal["wide", "narrow"]


class TinyNet(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width
        self.stem = nn.Conv2d(3, width, 1)


def tiny_net(*, width: int = 4, mode: Mode = "wide") -> TinyNet:
    """A net to register in tests."""
    return TinyNet(width)


# Built-in names


def test_importing_the_package_imports_neither_torch_nor_lightning() -> None:
    program = (
        "import sys, resnet_zoo as rz; rz.list_backbones('resnet*'); rz.register_backbone; rz.__version__\n"
        "print(*sorted({'torch', 'lightning', 'jsonargparse'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_names_are_sorted_and_match_a_pattern() -> None:
    names = rz.list_backbones("resnet*")
    assert names == sorted(names)
    assert {"resnet18", "resnet20_cifar", "resnet50", "resnet1202_cifar"} <= set(names)
    assert not [name for name in names if not name.startswith("resnet")]
    assert set(names) < set(rz.list_backbones())


def test_no_backbone_has_the_name_of_a_file_of_its_folder() -> None:
    files = {path.stem for path in Path(backbones.__file__).parent.glob("*.py")}
    assert not files & set(rz.list_backbones())


def test_every_built_in_name_leads_to_its_builder() -> None:
    for entry in registry.entries():
        if entry.built_in:
            builder = entry.load()
            assert builder.__name__ == entry.name
            assert getattr(backbones, entry.name) is builder
            assert registry.resolve(entry.import_path).name == entry.name


def test_public_names() -> None:
    assert set(rz.__all__) <= set(dir(rz))
    assert all(getattr(rz, name) for name in rz.__all__)
    with pytest.raises(AttributeError, match="'resnet_zoo' has no attribute 'create_bakbone'"):
        rz.create_bakbone  # noqa: B018


# Names that are not there


def test_unknown_name_without_plugins() -> None:
    with pytest.raises(UnknownName) as caught:
        rz.create_backbone("resnet5O")
    assert str(caught.value) == (
        "no backbone named 'resnet5O'. Did you mean 'resnet50'? See 'resnet-zoo list'; no plugins are installed."
    )


def test_unknown_name_tells_which_plugins_were_searched(site: SitePackages) -> None:
    source = NET.format(name="first") + NET.format(name="second")
    site.install("my-nets", "0.2", "my_nets", source, first="my_nets:first", second="my_nets:second")
    with pytest.raises(LookupError) as caught:
        registry.resolve("resnet5O")
    assert str(caught.value) == (
        "no backbone named 'resnet5O'. Did you mean 'resnet50'? See 'resnet-zoo list'; "
        "plugins searched: my-nets 0.2 (2 names)."
    )


def test_unknown_attribute_of_the_backbones_module() -> None:
    assert not hasattr(backbones, "resnet5O")
    with pytest.raises(AttributeError, match="Did you mean 'resnet50'"):
        backbones.resnet5O  # noqa: B018
    with pytest.raises(LookupError, match="Did you mean 'resnet50'"):
        backbones.resnet5O  # noqa: B018


def test_unknown_import_paths(working_directory: Path) -> None:
    with pytest.raises(
        UnknownName, match=r"no module 'nowhere' in the installed packages or in the current dir"
    ):
        registry.resolve("nowhere.nets.mynet")
    with pytest.raises(
        UnknownName, match=r"no backbone in module 'resnet_zoo.backbones.resnet' named 'resnet81'"
    ):
        registry.resolve("resnet_zoo.backbones.resnet.resnet81")
    with pytest.raises(UnknownName, match="Did you mean 'resnet50'"):
        registry.resolve("resnet_zoo.backbones.resnet5O")


# Arguments


def test_wrong_argument_names_the_nearest_and_all_accepted(own: BackboneRegistry) -> None:
    own.register(tiny_net)
    with pytest.raises(InvalidValue) as caught:
        registry.create("tiny_net", widht=3)
    assert str(caught.value) == (
        "backbone 'tiny_net' has no argument 'widht'. Did you mean 'width'? Accepted: width, mode."
    )


def test_missing_argument(own: BackboneRegistry) -> None:
    def needy(*, width: int) -> TinyNet:
        """A net without a default."""
        return TinyNet(width)

    own.register(needy)
    with pytest.raises(InvalidValue, match="'needy' needs the argument 'width'"):
        registry.create("needy")
    assert registry.create("needy", width=2).num_features == 2


# Registration


def test_a_registered_backbone_tells_how_it_was_made(own: BackboneRegistry) -> None:
    builder = own.register(tiny_net)
    assert builder.__name__ == "tiny_net"
    assert rz.create_backbone("tiny_net", width=3).built_by == {"name": "tiny_net", "arguments": {"width": 3}}
    assert builder().built_by == {"name": "tiny_net", "arguments": {}}
    assert "tiny_net" in rz.list_backbones("tiny*")


def test_registering_the_same_function_again_is_a_reload(own: BackboneRegistry) -> None:
    own.register(tiny_net)
    again = own.register(tiny_net)
    assert registry.resolve("tiny_net").load() is again


def test_a_taken_name_is_refused() -> None:
    def resnet18() -> TinyNet:
        """Not the real one."""
        return TinyNet(1)

    with pytest.raises(InvalidValue, match="'resnet18' is taken") as caught:
        rz.register_backbone(resnet18)
    for part in ("resnet-zoo", "resnet_zoo.backbones.resnet", resnet18.__module__, "Rename"):
        assert part in str(caught.value)


def test_a_name_taken_by_another_function_of_the_same_package_is_refused(own: BackboneRegistry) -> None:
    def other() -> None:
        def tiny_net() -> TinyNet:
            """Another one."""
            return TinyNet(1)

        own.register(tiny_net)

    own.register(tiny_net)
    with pytest.raises(InvalidValue, match="'tiny_net' is taken"):
        other()


def test_a_name_that_a_plugin_offers_is_taken(site: SitePackages) -> None:
    site.install_net("other-nets", "1.0", "tiny_net")
    with pytest.raises(InvalidValue, match=r"other-nets 1\.0 has it in module other_nets_nets"):
        registry.register(tiny_net)


def without_return_type(*, width: int = 4):  # type: ignore[no-untyped-def]
    """A net."""


def without_docstring(*, width: int = 4) -> TinyNet:
    return TinyNet(width)


def with_keywords(**settings: int) -> TinyNet:
    """A net."""
    return TinyNet(**settings)


def with_positions(*widths: int) -> TinyNet:
    """A net."""
    return TinyNet(*widths)


def with_positional_only(width: int = 4, /) -> TinyNet:
    """A net."""
    return TinyNet(width)


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (without_return_type, "'without_return_type' in .* has no return annotation"),
        (without_docstring, "has no docstring"),
        (with_keywords, r"takes \*\*settings \(variadic keyword\)"),
        (with_positions, r"takes \*widths \(variadic positional\)"),
        (with_positional_only, r"takes width \(positional-only\)"),
        (TinyNet, "'TinyNet' is a class; a backbone is registered by a function"),
    ],
)
def test_what_is_no_builder_is_refused(builder: object, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        registry.register(builder)  # type: ignore[arg-type]


# Configs


def test_a_config_can_name_a_backbone_as_class_path(own: BackboneRegistry) -> None:
    from jsonargparse import ArgumentParser

    own.register(tiny_net)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--backbone", type=nn.Module)

    def parsed(**spec: object) -> object:
        return parser.instantiate(parser.parse_object({"backbone": spec})).backbone

    path = "resnet_zoo.backbones.tiny_net"
    assert parsed(class_path=path, init_args={"width": 7}).num_features == 7  # type: ignore[attr-defined]
    for spec, message in (
        ({"class_path": path, "init_args": {"widht": 7}}, "Option 'widht' is not accepted"),
        ({"class_path": path, "init_args": {"width": "seven"}}, "Expected a <class 'int'>. Got value: seven"),
        ({"class_path": path, "init_args": {"mode": "high"}}, "Got value: high"),
        (
            {"class_path": "resnet_zoo.backbones.resnet5O"},
            "no backbone named 'resnet5O'. Did you mean 'resnet50'",
        ),
    ):
        with pytest.raises(Exception, match=message) as caught:
            parsed(**spec)
        assert type(caught.value).__name__ == "ArgumentError"


# The golden file


def test_figures_come_from_the_golden_file(tmp_path: Path) -> None:
    golden = tmp_path / "complexity.json"
    record = {"name": "a_net", "module": "resnet_zoo.backbones.a", "family": "a", "parameters": 12}
    golden.write_text(json.dumps([record]))
    one = BackboneRegistry(golden)
    assert [entry.name for entry in one.entries()] == ["a_net"]
    assert one.resolve("a_net").figures == {"family": "a", "parameters": 12}
    assert one.resolve("a_net").source == f"resnet-zoo {resnet_zoo.__version__}"
    assert BackboneRegistry(tmp_path / "missing.json").names() == []
