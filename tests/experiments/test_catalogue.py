from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resnet_zoo.cli import explain
from resnet_zoo.errors import InvalidValue, MissingData, UnknownName
from resnet_zoo.experiments import catalogue
from resnet_zoo.experiments.conductor import Conductor
from resnet_zoo.experiments.runs import RunStore, unique
from resnet_zoo.experiments.setting import PRESETS, Preset, Setting


@pytest.mark.parametrize("name", catalogue.CATALOGUE)
def test_an_experiment_is_what_the_catalogue_says(name: str) -> None:
    experiment = catalogue.load(name)
    assert experiment.name == name
    assert experiment.presets == catalogue.CATALOGUE[name].presets


def test_all_means_those_that_have_the_preset() -> None:
    quick = catalogue.names("all", "quick")
    assert "depth" not in quick
    assert "imagenet" not in quick
    assert catalogue.names("all", "paper") == list(catalogue.CATALOGUE)
    assert catalogue.names("residual", "quick") == ["residual"]


def test_an_unknown_experiment_lists_the_names() -> None:
    with pytest.raises(
        UnknownName, match=r"Did you mean 'degradation'\? There are: gradients, .*, imagenet, all\."
    ):
        catalogue.names("degredation", "quick")


def test_a_preset_that_an_experiment_lacks_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"'depth' has no preset 'quick'.*Use --preset paper"):
        catalogue.names("depth", "quick")


def test_listing_imports_no_torch() -> None:
    program = "import sys, resnet_zoo.experiments.catalogue; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.parametrize("name", [name for name, entry in catalogue.CATALOGUE.items() if name != "imagenet"])
def test_missing_data_are_noticed_before_anything_starts(name: str, tmp_path: Path) -> None:
    setting = Setting("paper", tmp_path / "out", data_root=tmp_path / "nowhere")
    if name in ("identity", "complexity"):
        assert not Conductor(setting, [name]).runs
        return
    with pytest.raises(MissingData, match=r"needs CIFAR-10.*looked for .*nowhere.*--data-root.*download"):
        Conductor(setting, [name])
    assert not (tmp_path / "out").exists()


def test_missing_imagenet_is_noticed_too(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"needs ImageNet-1k.*looked for .*image-net\.org"):
        Conductor(Setting("paper", tmp_path / "out", data_root=tmp_path), ["imagenet"])


def test_data_may_lie_below_the_folder_or_in_it(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "cifar10" / split).mkdir(parents=True)
    runs = [Conductor(Setting("paper", tmp_path / "out", data_root=root), ["degradation"]).runs
            for root in (tmp_path, tmp_path / "cifar10")]  # fmt: skip
    assert [run.name for run in runs[0]] == [run.name for run in runs[1]]
    assert runs[0][0].local == ("--data.root", str(tmp_path / "cifar10"))


SHOWN = {
    "quick": {"plain56", "highway50", "plain-conv", "few56", "resnet8-decay0.005"},
    "paper": {"resnet20", "resnet110", "highway19-cifar", "plain32-cifar"},
}


@pytest.mark.parametrize("preset", PRESETS)
def test_fit_understands_what_is_planned(
    preset: Preset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cifar10" / "train").mkdir(parents=True)
    setting = Setting(preset, tmp_path, num_seeds=1, data_root=tmp_path)
    names = [name for name in catalogue.names("all", preset) if name != "imagenet"]
    runs = unique(run for name in names for run in catalogue.load(name).plan(setting))
    chosen = {run.label: run for run in runs if run.label in SHOWN[preset]}
    assert set(chosen) == SHOWN[preset]
    for run in chosen.values():
        assert explain.main(RunStore(tmp_path / "out").words(run)[1:]) == 0
        assert run.settings["model"]["backbone"]["class_path"] in capsys.readouterr().out
