"""A backbone with a head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import resnet_zoo as rz
from resnet_zoo.errors import InvalidValue, MissingData, UnknownName
from resnet_zoo.model import ImageModel


@pytest.fixture(scope="module")
def model() -> ImageModel:
    torch.manual_seed(0)
    return rz.create_model("resnet20_cifar", num_classes=7, shortcut="B").eval()


def test_images_become_logits(model: ImageModel) -> None:
    images = torch.rand(2, 3, 8, 8)
    logits = model(images)
    assert logits.shape == (2, 7)
    assert torch.equal(logits, model.head(model.backbone(images)))
    assert model.backbone(images).shape == (2, model.backbone.num_features)


def test_state_dict_keys_begin_with_backbone_and_head(model: ImageModel) -> None:
    assert {key.partition(".")[0] for key in model.state_dict()} == {"backbone", "head"}


def test_arguments_reach_the_builder(model: ImageModel) -> None:
    assert model.backbone.built_by == {"name": "resnet20_cifar", "arguments": {"shortcut": "B"}}
    assert rz.create_backbone("resnet20_cifar", width=4).num_features == 16


def test_mistakes_in_names_and_arguments() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'resnet20_cifar'"):
        rz.create_model("resnet20_cifra", num_classes=10)
    with pytest.raises(
        InvalidValue, match="has no argument 'shortcat'. Did you mean 'shortcut'".replace(".", r"\.")
    ):
        rz.create_model("resnet20_cifar", num_classes=10, shortcat="A")


def test_the_number_of_classes_is_positive() -> None:
    with pytest.raises(InvalidValue, match=r"num_classes=0 is not allowed"):
        rz.create_model("resnet20_cifar", num_classes=0)


def test_a_backbone_says_how_many_features_it_has() -> None:
    with pytest.raises(InvalidValue, match=r"Flatten has num_features=None"):
        ImageModel(nn.Flatten(), 10)


def test_a_builder_returns_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recipe:
        pass

    def recipe() -> Recipe:
        """No net at all."""
        return Recipe()

    from resnet_zoo.registry import registry

    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry.register(recipe)
    with pytest.raises(InvalidValue, match=r"'recipe' returned Recipe; it must return a torch nn\.Module"):
        rz.create_backbone("recipe")


def test_weights_come_from_a_file(model: ImageModel, tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    torch.save(model.state_dict(), file)
    restored = rz.create_model("resnet20_cifar", num_classes=7, weights=str(file), shortcut="B").eval()
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(restored(images), model(images))
    with pytest.raises(MissingData, match="does not exist"):
        rz.create_model("resnet20_cifar", num_classes=7, weights=str(tmp_path / "none.pth"))
