"""Models that leave the house compute what the checkpoint computes, and say what they are."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from resnet_zoo import create_model
from resnet_zoo.cli.main import main
from resnet_zoo.model import ImageModel
from resnet_zoo.weights import export as exporting
from resnet_zoo.weights.export import ExportDiffers, ExportFormat

PREPROCESSING = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "image_size": 32}


def make_checkpoint(folder: Path, name: str = "resnet20_cifar", **arguments: Any) -> tuple[Path, ImageModel]:
    torch.manual_seed(0)
    model = create_model(name, num_classes=3, **arguments)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_()
    made = {
        "backbone": model.backbone.built_by,
        "num_classes": 3,
        "class_names": ["cat", "dog", "eel"],
        "preprocessing": PREPROCESSING,
    }
    path = folder / "best.ckpt"
    torch.save({"state_dict": model.state_dict(), "epoch": 7, "resnet_zoo": made}, path)
    return path, model.eval()


def check_description(description: dict[str, Any], checkpoint: Path) -> None:
    assert description["class_names"] == ["cat", "dog", "eel"]
    assert description["preprocessing"] == PREPROCESSING
    assert description["checkpoint"]["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()


def test_safetensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    safetensors = pytest.importorskip("safetensors")
    path, model = make_checkpoint(tmp_path, width=4)
    assert main(["export", str(path), "--format", "safetensors"]) == 0
    assert "logits differ by 0.0e+00 of the largest, 0 is allowed" in capsys.readouterr().out
    with safetensors.safe_open(tmp_path / "best.safetensors", "pt") as file:
        check_description(json.loads(file.metadata()["resnet_zoo"]), path)
    again = create_model("resnet20_cifar", 3, weights=str(tmp_path / "best.safetensors"), width=4).eval()
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(again(images), model(images))
    assert {file.name for file in tmp_path.iterdir()} == {"best.ckpt", "best.safetensors"}


def test_torchvision(tmp_path: Path) -> None:
    path, model = make_checkpoint(tmp_path, "resnet18")
    output = tmp_path / "theirs.pth"
    assert main(["export", str(path), "--format", "torchvision", "--output", str(output)]) == 0
    theirs = models.resnet18(num_classes=3)
    theirs.load_state_dict(torch.load(output, weights_only=True))
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(theirs.eval()(images), model(images))
    check_description(json.loads((tmp_path / "theirs.json").read_text()), path)


def test_torchvision_refuses_what_it_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = make_checkpoint(tmp_path, width=4)
    assert main(["export", str(path), "--format", "torchvision"]) == 2
    assert "torchvision has no counterpart of 'resnet20_cifar'" in capsys.readouterr().err
    assert {file.name for file in tmp_path.iterdir()} == {"best.ckpt"}


@pytest.mark.slow
def test_pt2_takes_any_batch_size(tmp_path: Path) -> None:
    path, model = make_checkpoint(tmp_path, width=4)
    assert main(["export", str(path), "--format", "pt2"]) == 0
    extra = {"resnet_zoo.json": ""}
    program = torch.export.load(tmp_path / "best.pt2", extra_files=extra)
    for batch_size in (1, 5):
        images = torch.randn(batch_size, 3, 32, 32)
        torch.testing.assert_close(program.module()(images), model(images))
    check_description(json.loads(extra["resnet_zoo.json"]), path)


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime"))),
    reason="the packages of the extra 'export' are not installed",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_onnx_takes_any_batch_size(tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    path, model = make_checkpoint(tmp_path, width=4)
    assert main(["export", str(path), "--format", "onnx"]) == 0
    session = onnxruntime.InferenceSession(tmp_path / "best.onnx")
    for batch_size in (1, 5):
        images = torch.randn(batch_size, 3, 32, 32)
        [logits] = session.run(["logits"], {"images": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), model(images), rtol=1e-4, atol=1e-4)
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "best.onnx").metadata_props}
    check_description(json.loads(properties["resnet_zoo"]), path)


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = make_checkpoint(tmp_path, width=4)
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    assert main(["export", str(path), "--format", "onnx"]) == 2
    error = capsys.readouterr().err
    assert "needs onnx and onnxscript and onnxruntime, not installed here" in error
    assert "pip install 'resnet-zoo[export]'" in error


def test_a_file_that_computes_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = make_checkpoint(tmp_path, width=4)

    def wrong(path: Path, model: torch.nn.Module) -> Any:
        return lambda images: model(images) * 1.001

    kept = exporting.FORMATS["pt2"]
    faulty = ExportFormat(".pt2", kept.tolerance, (), lambda *args: args[-1].write_bytes(b"x"), wrong)
    monkeypatch.setitem(exporting.FORMATS, "pt2", faulty)
    with pytest.raises(ExportDiffers, match=r"differ by 0\.001 of the largest logit, and 1e-05 is allowed"):
        main(["export", str(path), "--format", "pt2"])
    assert {file.name for file in tmp_path.iterdir()} == {"best.ckpt"}


@pytest.mark.parametrize(
    "words", [["export", "--format", "pt2"], ["analyze", "responses"], ["deepen", "--to", "plain56_cifar"]]
)
@pytest.mark.parametrize("name", ["torch.hub.download_url_to_file", "torch.hub:download_url_to_file"])
def test_a_checkpoint_cannot_name_code_by_itself(
    name: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = make_checkpoint(tmp_path, width=4)
    content = torch.load(path, weights_only=True)
    arguments = {"url": path.as_uri(), "dst": str(tmp_path / "harm")}
    content["resnet_zoo"]["backbone"] = {"name": name, "arguments": arguments}
    torch.save(content, path)
    assert main([*words, str(path)]) == 2
    assert f"code at the import path {name!r}, which runs only if you name it" in capsys.readouterr().err
    assert not (tmp_path / "harm").exists()


def test_other_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = make_checkpoint(tmp_path, width=4)
    (tmp_path / "best.safetensors").touch()
    words = ["export", str(path), "--format", "safetensors"]
    for more, message in (
        ([], "best.safetensors' exists. Choose another --output, or replace it with --force."),
        (["--output", str(tmp_path / "no" / "x.safetensors")], "there is no folder"),
        (["--format", "tflite"], "invalid choice: 'tflite'"),
    ):
        assert main([*words, *more]) == 2
        assert message in capsys.readouterr().err
    content = torch.load(path, weights_only=True)
    del content["resnet_zoo"]["preprocessing"]
    torch.save(content, path)
    assert main([*words, "--force"]) == 2
    assert (
        "does not say for which image size it was trained. Give it: --image-size" in capsys.readouterr().err
    )
    assert main([*words, "--force", "--image-size", "32"]) == 0
