"""The sizes of all networks: the golden file, the papers' and torchvision's figures, and what follows from them."""

from __future__ import annotations

import importlib
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from resnet_zoo.backbones import golden
from resnet_zoo.complexity import count_parameters, measure_complexity
from resnet_zoo.model import create_model

RECORDS = {record["name"]: record for record in golden.read()}

DEEPEST = ("resnet1202_cifar", "preact_resnet1001_cifar")  # the closed forms below hold them

# Parameters of the CIFAR nets with 10 classes and multiply-adds at 32x32 pixels: 27 * 16 + 32 for the stem, the blocks
# of figure 3 scaled to table 6's widths, 650 for the head; computed by hand from He et al. 2015, section 4.2.
CIFAR = {
    20: (269_722, 40_551_040),
    32: (464_154, 68_862_592),
    44: (658_586, 97_174_144),
    56: (853_018, 125_485_696),
    110: (1_727_962, 252_887_680),
    1202: (19_421_274, 2_829_238_912),
}
# Parameters as in the metadata of torchvision's weights; multiply-adds at 224x224 pixels, which round to its GFLOPS.
IMAGENET = {
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "resnet152": (60_192_808, 11.514),
    "wide_resnet50_2": (68_883_240, 11.398),
    "wide_resnet101_2": (126_886_696, 22.753),
    "resnext50_32x4d": (25_028_904, 4.230),
    "resnext101_32x8d": (88_791_336, 16.414),
    "vgg11": (132_863_336, 7.609),
    "vgg11_bn": (132_868_840, 7.609),
    "vgg13": (133_047_848, 11.308),
    "vgg13_bn": (133_053_736, 11.308),
    "vgg16": (138_357_544, 15.470),
    "vgg16_bn": (138_365_992, 15.470),
    "vgg19": (143_667_240, 19.632),
    "vgg19_bn": (143_678_248, 19.632),
}
EXACT_MULTIPLY_ADDS = {
    "resnet18": 1_814_073_344,
    "resnet34": 3_663_761_408,
    "resnet50": 4_089_184_256,
    "resnet101": 7_801_405_440,
    "resnet152": 11_513_626_624,
    "vgg16": 15_470_264_320,
    "vgg19": 19_632_062_464,
}


def counted(name: str, num_classes: int = 10, image_size: int = 32, **arguments: object) -> tuple[int, int]:
    with torch.device("meta"):
        model = create_model(name, num_classes, **arguments)
    complexity = measure_complexity(model, image_size)
    return complexity.parameters, complexity.multiply_adds


def test_golden_file_is_up_to_date() -> None:
    for file, source in golden.SOURCES.items():
        module = importlib.import_module(f"resnet_zoo.backbones.{file}")
        for name in golden.registered_in(module):
            if name not in DEEPEST:
                assert golden.measure(name, module, source) == RECORDS[name], f"run '{golden.COMMAND}'"


def test_table_is_up_to_date() -> None:
    assert golden.zoo_page(golden.read()) == golden.TABLE_FILE.read_text(), f"run '{golden.COMMAND}'"


@pytest.mark.slow
def test_golden_file_and_table_are_up_to_date() -> None:
    assert golden.main(["--check"]) == 0


def test_check_names_what_is_out_of_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(golden, "measure_all", lambda: [RECORDS["resnet20_cifar"]])
    monkeypatch.setattr(golden, "GOLDEN_FILE", tmp_path / "complexity.json")
    monkeypatch.setattr(golden, "TABLE_FILE", tmp_path / "zoo.md")
    assert golden.main(["--check"]) == 1
    assert "complexity.json" in capsys.readouterr().err
    assert golden.main(["--write"]) == 0
    assert golden.main(["--check"]) == 0
    assert golden.read() == [RECORDS["resnet20_cifar"]]
    assert "| `resnet20_cifar` | 269,722 | 40,551,040 | 32x32 | 10 |" in (tmp_path / "zoo.md").read_text()


@pytest.mark.parametrize("depth", CIFAR)
def test_cifar_figures(depth: int) -> None:
    parameters, multiply_adds = CIFAR[depth]
    names = [f"resnet{depth}_cifar"] + [f"plain{depth}_cifar"] * (depth < 1202)
    for name in names:
        assert (RECORDS[name]["parameters"], RECORDS[name]["multiply_adds"]) == (parameters, multiply_adds)


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_figures(name: str) -> None:
    parameters, giga = IMAGENET[name]
    assert RECORDS[name]["parameters"] == parameters
    assert round(RECORDS[name]["multiply_adds"] / 1e9, 3) == giga
    assert RECORDS[name]["multiply_adds"] == EXACT_MULTIPLY_ADDS.get(name, RECORDS[name]["multiply_adds"])


def test_every_step_of_depth_adds_the_same() -> None:
    counts = [counted("resnet_cifar", depth=depth) for depth in (8, 14, 20, 26)]
    steps = {(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(counts)}
    assert steps == {(97_216, 14_155_776)}
    blocks = (1202 - 20) // 6
    assert (
        RECORDS["resnet1202_cifar"]["parameters"] == RECORDS["resnet20_cifar"]["parameters"] + blocks * 97_216
    )


@pytest.mark.parametrize("depth", [20, 56])
def test_option_b_adds_two_projections(depth: int) -> None:
    plain, projected = (counted("resnet_cifar", depth=depth, shortcut=option) for option in "AB")
    assert projected[0] - plain[0] == 2_752
    assert projected[1] - plain[1] == 262_144


def test_a_hundred_classes_need_a_larger_head_only() -> None:
    assert counted("resnet20_cifar", num_classes=100)[0] == 275_572


def test_option_a_has_the_parameters_of_the_plain_net() -> None:
    for depth, parameters in ((18, 11_515_688), (34, 21_623_848)):
        assert RECORDS[f"plain{depth}"]["parameters"] == parameters
        assert counted(f"resnet{depth}", 1000, 224, shortcut="A") == (
            parameters,
            RECORDS[f"plain{depth}"]["multiply_adds"],
        )


def test_the_papers_placement_of_the_stride_is_cheaper() -> None:
    # Table 1 gives 3.8, 7.6 and 11.3 billion multiply-adds.
    for depth, giga in ((50, 3.8), (101, 7.6), (152, 11.3)):
        parameters, multiply_adds = counted(f"resnet{depth}", 1000, 224, stride_placement="1x1")
        assert parameters == RECORDS[f"resnet{depth}"]["parameters"]
        assert multiply_adds / 1e9 == pytest.approx(giga, rel=0.02)


@pytest.mark.parametrize(
    ("name", "millions", "tolerance"),
    [
        ("highway19_cifar", 2.3, 0.025),  # Srivastava et al. 2015, table 2: about 2.3M
        ("highway32_cifar", 1.25, 0.025),  # the same table: about 1.25M
        ("preact_resnet110_cifar", 1.7, 0.03),  # He et al. 2015, table 6: 1.7M
        ("preact_resnet164_cifar", 1.7, 0.03),  # He et al. 2016: 1.7M
        ("preact_resnet1001_cifar", 10.2, 0.02),  # He et al. 2016: 10.2M
    ],
)
def test_parameters_are_near_the_papers(name: str, millions: float, tolerance: float) -> None:
    assert RECORDS[name]["parameters"] / 1e6 == pytest.approx(millions, rel=tolerance)


def test_fully_connected_twins_have_about_equal_layers() -> None:
    # Section 3.1: about 5,000 parameters in a layer of 50 highway blocks as in one of 71 plain units.
    per_layer = []
    for name in ("highway_mlp", "plain_mlp"):
        shallow, deep = (counted(name, depth=depth)[0] for depth in (10, 11))
        per_layer.append(deep - shallow)
    assert per_layer == [2 * (50 * 50 + 50), 71 * 71 + 71]
    assert per_layer == pytest.approx([5000, 5000], rel=0.03)


def test_counted_layers_are_those_of_the_name() -> None:
    for name, layers in (
        ("resnet18", 18),
        ("plain34", 34),
        ("resnet152", 152),
        ("vgg16", 16),
        ("highway32_cifar", 32),
    ):
        with torch.device("meta"):
            model = create_model(name, 10, **({"shortcut": "A"} if name.startswith("resnet") else {}))
        weighted = [
            key
            for key, module in model.named_modules()
            if isinstance(module, nn.Conv2d | nn.Linear) and "transform_gate" not in key
        ]
        assert len(weighted) == layers
    assert count_parameters(model) == RECORDS["highway32_cifar"]["parameters"]
