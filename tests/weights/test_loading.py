"""Weights from files: every kind, where they came from, and what is refused."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch
import torchvision

from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.model import ImageModel, create_model
from resnet_zoo.weights import load_into, loading


def make(seed: int = 0) -> ImageModel:
    torch.manual_seed(seed)
    return create_model("resnet20_cifar", num_classes=3, width=4)


def same_weights(model: ImageModel, other: ImageModel) -> bool:
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(tensor, expected) for tensor, expected in pairs)


def test_a_state_dict_of_ours(tmp_path: Path) -> None:
    source, model = make(1), make(2)
    path = tmp_path / "weights.pth"
    torch.save(source.state_dict(), path)
    load_into(model, str(path))
    assert same_weights(model, source)
    assert model.weights_from == {
        "path": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "kind": "state_dict",
    }


def test_the_checkpoint_of_a_run(tmp_path: Path) -> None:
    source, model = make(1), make(2)
    checkpoint = {
        "state_dict": source.state_dict(),
        "epoch": 3,
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}],
        "hyper_parameters": {"class_names": ("a", "b")},
    }
    torch.save(checkpoint, tmp_path / "last.ckpt")
    load_into(model, tmp_path / "last.ckpt")
    assert same_weights(model, source)
    assert model.weights_from["kind"] == "checkpoint"


def test_a_state_dict_of_torchvision(tmp_path: Path) -> None:
    weights = torchvision.models.resnet18(num_classes=3).state_dict()
    torch.save(weights, tmp_path / "resnet18.pth")
    model = create_model("resnet18", num_classes=3, weights=str(tmp_path / "resnet18.pth"))
    assert torch.equal(model.head.weight, weights["fc.weight"])
    assert model.weights_from["kind"] == "torchvision"


def test_safetensors(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    source, model = make(1), make(2)
    path = tmp_path / "weights.safetensors"
    safetensors.save_file(source.state_dict(), path)
    load_into(model, path)
    assert same_weights(model, source)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidValue, match=r"weights\.safetensors' \(100 bytes\) cannot be read"):
        load_into(model, path)


def test_safetensors_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda _name: None)
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(InvalidValue, match=r"needs the package safetensors, which is not installed"):
        load_into(make(), tmp_path / "weights.safetensors")


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"weights file '.*nothing\.pth' does not exist\. Give a \.pth"):
        load_into(make(), tmp_path / "nothing.pth")
    with pytest.raises(MissingData, match="is a folder"):
        load_into(make(), tmp_path)


class Payload:
    """A pickled object that would run a command when it is loaded."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_code_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    path, witness = tmp_path / "evil.pth", tmp_path / "ran"
    torch.save({"backbone.x": Payload(witness)}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(
        InvalidValue, match=r"evil\.pth' carries pickled objects \(posix\.system\).*it was refused"
    ):
        load_into(make(), path)
    assert not witness.exists()


def test_a_plain_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, witness = tmp_path / "evil.pth", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Payload(witness)))
    with pytest.raises(InvalidValue, match=r"evil\.pth'"):
        load_into(make(), path)
    assert not witness.exists()


def test_a_pickled_model_is_refused_with_advice(tmp_path: Path) -> None:
    torch.save(make(), tmp_path / "model.pth")
    with pytest.raises(
        InvalidValue, match=r"carries pickled objects.*torch\.save\(model\.state_dict\(\), path\)"
    ):
        load_into(make(), tmp_path / "model.pth")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "weights.pth"
    torch.save(make().state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InvalidValue, match="cannot be read: it is damaged, cut short or no file of"):
        load_into(make(), path)


@pytest.mark.parametrize("content", [b"<html>not found</html>", bytes(range(256)), b"\x80\x02"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(InvalidValue, match="cannot be read"):
        load_into(make(), tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("content", "described"),
    [
        ([torch.zeros(1)], "but list"),
        ({}, "but a dict with the keys"),
        ({"model": {"a": torch.zeros(1)}}, r"but a dict with the keys \['model'\]"),
        (torch.zeros(3), "but Tensor"),
    ],
)
def test_files_without_a_state_dict_are_described(tmp_path: Path, content: object, described: str) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(InvalidValue, match=f"holds no state dict, .*{described}"):
        load_into(make(), tmp_path / "weights.pth")


def test_a_mismatch_names_the_file_and_leaves_the_model_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(create_model("resnet20_cifar", num_classes=3, width=6).state_dict(), path)
    model = make()
    before = make()
    with pytest.raises(
        InvalidValue, match=r"weights file '.*other\.pth': the weights do not fit 'resnet20_cifar'"
    ):
        load_into(model, path)
    assert same_weights(model, before)
    assert not hasattr(model, "weights_from")


def test_the_number_of_classes_is_named(tmp_path: Path) -> None:
    torch.save(create_model("resnet20_cifar", num_classes=5, width=4).state_dict(), tmp_path / "five.pth")
    with pytest.raises(InvalidValue, match="weights are for 5 classes; build the model with num_classes=5"):
        load_into(make(), tmp_path / "five.pth")
