"""Protocols and ensembles of 'validate' and 'test', against what one would compute by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from resnet_zoo import create_model
from resnet_zoo.cli.main import main
from resnet_zoo.data.normalization import IMAGENET
from tests.ranks import run_on_ranks

CLASSES = ("ape", "bee", "cat", "dog", "elk", "owl")
SIZE, SHORT_SIDE = 28, 32


def _picture(generator: np.random.Generator, height: int, width: int) -> Image.Image:
    small = generator.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of many proportions in 'train' and 'val', squares of the crop's size in 'test'."""
    folder, generator = tmp_path_factory.mktemp("protocols"), np.random.default_rng(0)
    for split, number in (("train", 4), ("val", 3), ("test", 2)):
        for name in CLASSES:
            (folder / "images" / split / name).mkdir(parents=True)
            for position in range(number):
                height, width = (SIZE, SIZE) if split == "test" else generator.integers(34, 60, 2).tolist()
                file = folder / "images" / split / name / f"{position}.jpg"
                _picture(generator, height, width).save(file, quality=95)
    return folder


def _fit(root: Path, name: str, *words: str) -> Path:
    """At a rate that it is stable at: what another processor rounds otherwise changes nothing much."""
    config = root / f"{name}.yaml"
    config.write_text(f"""
        trainer: {{max_epochs: 3, accelerator: cpu, enable_progress_bar: false}}
        model:
          backbone: {{class_path: {name}, init_args: {{width: 4}}}}
          optimizer: {{class_path: torch.optim.SGD, init_args: {{lr: 0.01, momentum: 0.9}}}}
        data:
          class_path: ImageFolder
          init_args: {{root: {root / "images"}, image_size: {SIZE}, eval_resize: {SHORT_SIDE}, num_workers: 0,
                      global_batch_size: 8, augmentation: scale_jitter}}
        logger: none
        """)
    assert main(["fit", "--config", str(config), "--run_dir", str(root / name), *words]) == 0
    return root / name / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def checkpoint(root: Path) -> Path:
    return _fit(root, "resnet20_cifar")


@pytest.fixture(scope="module")
def another(root: Path) -> Path:
    """Another net, whose tensors have the same names and shapes."""
    return _fit(root, "plain20_cifar", "--seed_everything", "1")


def _words(command: str, folder: Path, checkpoints: Iterable[Path], *words: str) -> list[str]:
    given = [word for path in checkpoints for word in ("--ckpt_path", str(path))]
    return [command, *given, "--run_dir", str(folder), *words]


def _evaluate(command: str, folder: Path, checkpoints: Iterable[Path], *words: str) -> dict[str, Any]:
    assert main(_words(command, folder, checkpoints, *words)) == 0
    return _result(folder, command)


def _result(folder: Path, command: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / f"{command}.json").read_text())
    return result


def _probabilities(checkpoint: Path, images: Tensor) -> Tensor:
    """Images uint8 (b, 3, h, w) -> float64 (b, classes), with nothing of the machinery under test."""
    saved = torch.load(checkpoint, weights_only=True)
    built_by = saved["resnet_zoo"]["backbone"]
    model = create_model(built_by["name"], len(CLASSES), **built_by["arguments"])
    model.load_state_dict(saved["state_dict"])
    mean, std = list(IMAGENET.mean), list(IMAGENET.std)
    with torch.no_grad():
        logits: Tensor = model.eval()(v2.functional.normalize(images.float() / 255, mean, std))
    return logits.double().softmax(1)


def _scores(probabilities: Tensor, labels: Tensor) -> tuple[int, float]:
    loss = -probabilities.gather(1, labels[:, None]).log().mean()
    return int((probabilities.argmax(1) == labels).sum()), float(loss)


def _files(root: Path, split: str) -> list[tuple[Path, int]]:
    return [
        (path, label)
        for label, name in enumerate(CLASSES)
        for path in sorted((root / "images" / split / name).glob("*.jpg"))
    ]


def test_ten_crop_is_the_mean_over_ten_crops_of_each_image(
    root: Path, tmp_path: Path, checkpoint: Path
) -> None:
    means, labels = [], []
    for path, label in _files(root, "val"):
        resized = v2.Resize(SHORT_SIDE, antialias=True)(Image.open(path))
        crops = torch.stack([v2.functional.pil_to_tensor(crop) for crop in v2.TenCrop(SIZE)(resized)])
        means.append(_probabilities(checkpoint, crops).mean(0))
        labels.append(label)
    correct, loss = _scores(torch.stack(means), torch.tensor(labels))
    result = _evaluate("validate", tmp_path / "ten", [checkpoint], "--protocol", "ten_crop")
    assert (result["evaluated"], result["expected"], result["correct1"]) == (18, 18, correct)
    assert result["loss"] == pytest.approx(loss, rel=2e-3)  # Pillow rounds pixels otherwise
    center = _evaluate("validate", tmp_path / "center", [checkpoint])
    assert abs(center["loss"] - loss) > 10 * abs(result["loss"] - loss)
    assert (result["protocol"], len(result["views"]), result["checkpoints"]) == (
        "ten_crop",
        10,
        [str(checkpoint)],
    )
    assert (center["protocol"], center["views"], center["checkpoint"]) == (
        "center",
        ["center"],
        str(checkpoint),
    )


def test_multi_scale_is_the_mean_over_whole_images(root: Path, tmp_path: Path, checkpoint: Path) -> None:
    means, labels = [], []
    for path, label in _files(root, "val"):
        wholes = [v2.functional.pil_to_tensor(v2.Resize(side)(Image.open(path)))[None] for side in (30, 45)]
        means.append(torch.cat([_probabilities(checkpoint, whole) for whole in wholes]).mean(0))
        labels.append(label)
    correct, loss = _scores(torch.stack(means), torch.tensor(labels))
    words = ["--protocol", "multi_scale", "--scales", "[45,30]"]
    result = _evaluate("validate", tmp_path / "scales", [checkpoint], *words)
    assert result["correct1"] == correct
    assert result["loss"] == pytest.approx(loss, rel=2e-3)
    assert result["views"] == ["whole image, shorter side 30", "whole image, shorter side 45"]


def test_one_scale_of_squares_is_the_plain_evaluation(tmp_path: Path, checkpoint: Path) -> None:
    plain = _evaluate("test", tmp_path / "plain", [checkpoint], "--data.eval_resize", str(SIZE))
    words = ["--protocol", "multi_scale", "--scales", f"[{SIZE}]"]
    whole = _evaluate("test", tmp_path / "whole", [checkpoint], *words)
    assert (whole["correct1"], whole["correct5"]) == (plain["correct1"], plain["correct5"])
    assert whole["loss"] == pytest.approx(plain["loss"], rel=1e-5)


def test_an_ensemble_of_a_checkpoint_with_itself_is_the_checkpoint(tmp_path: Path, checkpoint: Path) -> None:
    alone = _evaluate("validate", tmp_path / "alone", [checkpoint])
    twice = _evaluate("validate", tmp_path / "twice", [checkpoint, checkpoint])
    assert (twice["correct1"], twice["correct5"]) == (alone["correct1"], alone["correct5"])
    assert twice["loss"] == pytest.approx(alone["loss"], rel=1e-5)
    assert (twice["checkpoint"], twice["checkpoints"]) == ("", [str(checkpoint)] * 2)


def test_an_ensemble_averages_the_probabilities_of_different_nets(
    root: Path, tmp_path: Path, checkpoint: Path, another: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = v2.Compose([v2.Resize(SHORT_SIDE, antialias=True), v2.CenterCrop(SIZE), v2.PILToTensor()])
    files = _files(root, "test")
    images = torch.stack([seen(Image.open(path)) for path, _ in files])
    mean = (_probabilities(checkpoint, images) + _probabilities(another, images)) / 2
    correct, loss = _scores(mean, torch.tensor([label for _, label in files]))
    capsys.readouterr()
    result = _evaluate("test", tmp_path / "both", [checkpoint, another])
    assert result["correct1"] == correct
    assert result["loss"] == pytest.approx(loss, rel=2e-3)
    shown = capsys.readouterr()
    assert "test, 2 checkpoints" in shown.out
    assert f"pass 2/2  {another}  center" in shown.err
    record = json.loads((tmp_path / "both" / "record.json").read_text())
    assert record["evaluates"] == f"{checkpoint}, {another}"


def test_a_member_of_an_ensemble_cannot_name_code(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    arguments = {"url": checkpoint.as_uri(), "dst": str(tmp_path / "harm")}
    content["resnet_zoo"]["backbone"] = {"name": "torch.hub.download_url_to_file", "arguments": arguments}
    torch.save(content, tmp_path / "evil.ckpt")
    assert main(_words("test", tmp_path / "run", [checkpoint, tmp_path / "evil.ckpt"])) == 2
    assert "runs only if you name it: --model.backbone torch.hub" in capsys.readouterr().err
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("protocol", ["ten_crop", "multi_scale"])
def test_two_ranks_score_as_one(tmp_path: Path, checkpoint: Path, another: Path, protocol: str) -> None:
    words, members = ["--protocol", protocol], [checkpoint]
    if protocol == "multi_scale":
        words, members = [*words, "--scales", "[28,40]"], [checkpoint, another]
    else:
        words += ["--data.eval_batch_size", "5"]
    one = _evaluate("validate", tmp_path / "one", members, *words)
    given = _words("validate", tmp_path / "two", members, *words)
    assert run_on_ranks(2, main, given) == [0, 0]
    two = _result(tmp_path / "two", "validate")
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert two | {"world_size": 1, "loss": 0} == one | {"loss": 0}


def test_what_cannot_be_done_is_refused_before_anything_is_made(
    tmp_path: Path, checkpoint: Path, another: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = ["--config", "quickstart", "--model.backbone.width", "4", "--ckpt_path", str(checkpoint)]
    refusals = {
        ("test", *digits, "--protocol", "ten_crop"): "Digits as configured holds its images in memory at one size",
        ("validate", "--ckpt_path", str(checkpoint), "--scales", "[32]"): "--scales belongs to --protocol multi_scale",
        ("validate", "--ckpt_path", str(checkpoint), "--protocol", "multi_scale", "--scales", "[32,32]"): "each once",
        ("validate", "--ckpt_path", str(checkpoint), "--protocol", "tencrop"): "ten_crop",
        tuple(_words("predict", tmp_path / "x", [checkpoint, another])): "predict takes one checkpoint, 2 were given",
        (*_words("test", tmp_path / "x", [checkpoint, another]), *digits[:4]): "trained on other classes",
        ("fit", *digits, "--ckpt_path", str(another)): "fit takes one checkpoint, 2 were given",
    }  # fmt: skip
    for words, message in refusals.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            assert main(list(words)) == 2, words
        assert message in capsys.readouterr().err, words
    assert list(tmp_path.iterdir()) == []
