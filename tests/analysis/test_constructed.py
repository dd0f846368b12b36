import pytest
import torch
from torch import nn

from resnet_zoo.analysis import TOLERANCE, construct_deeper, make_identity, max_logit_difference
from resnet_zoo.errors import InvalidValue
from resnet_zoo.model import ImageModel, create_backbone, create_model


def images(size: int = 16) -> torch.Tensor:
    return torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(0))


def trained(name: str, **arguments: object) -> ImageModel:
    """A model whose norms have seen data, as training leaves them."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=10, **arguments)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean, std=0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.3)
    return model.eval()


def deepened(shallow: ImageModel, name: str, **arguments: object) -> tuple[ImageModel, int]:
    backbone = create_backbone(name, **arguments)
    added = construct_deeper(shallow.backbone, backbone)
    deep = ImageModel(backbone, 10)
    deep.head.load_state_dict(shallow.head.state_dict())
    return deep, added


@pytest.mark.parametrize(
    ("name", "few", "many", "added"),
    [
        ("plain_cifar", {"depth": 8, "width": 4}, {"depth": 26, "width": 4}, 9),
        (
            "plain_cifar",
            {"depth": 14, "width": 4, "norm": "none"},
            {"depth": 20, "width": 4, "norm": "none"},
            3,
        ),
        ("plain_highway_cifar", {"depth": 10, "width": 4}, {"depth": 19, "width": 4}, 9),
        (
            "plain_mlp",
            {"depth": 3, "width": 9, "image_size": 16},
            {"depth": 30, "width": 9, "image_size": 16},
            27,
        ),
    ],
)
def test_the_deeper_net_computes_the_same(
    name: str, few: dict[str, object], many: dict[str, object], added: int
) -> None:
    shallow = trained(name, **few)
    deep, number = deepened(shallow, name, **many)
    assert number == added
    assert max_logit_difference(shallow, deep, [images()]) <= TOLERANCE


def test_with_batch_norm_it_is_exact() -> None:
    shallow = trained("plain_cifar", depth=20, width=8)
    deep, _ = deepened(shallow, "plain_cifar", depth=56, width=8)
    with torch.no_grad():
        assert torch.equal(shallow.eval()(images()), deep.eval()(images()))


def test_in_training_mode_it_is_not() -> None:
    shallow = trained("plain_cifar", depth=8, width=4)
    deep, _ = deepened(shallow, "plain_cifar", depth=14, width=4)
    with torch.no_grad():
        assert not torch.allclose(shallow.train()(images()), deep.train()(images()), atol=1e-2)


def test_an_identity_that_is_none_is_seen() -> None:
    shallow = trained("plain_cifar", depth=8, width=4)
    deep, _ = deepened(shallow, "plain_cifar", depth=14, width=4)
    nn.init.constant_(deep.backbone.stages[0][1].norm1.bias, 0.1)
    assert max_logit_difference(shallow, deep, [images()]) > TOLERANCE


def test_difference_of_nan_is_nan() -> None:
    model = nn.Linear(2, 2)
    other = nn.Linear(2, 2)
    nn.init.constant_(other.bias, torch.nan)
    assert max_logit_difference(model, other, [torch.ones(1, 2)]) != 0
    assert not max_logit_difference(model, other, [torch.ones(1, 2)]) <= TOLERANCE


def test_what_cannot_be_deepened_is_refused() -> None:
    shallow = trained("plain_cifar", depth=14, width=4)
    with pytest.raises(
        InvalidValue, match=r"stage 1 of the deep network has 1 blocks, that of the shallow one 2"
    ):
        construct_deeper(shallow.backbone, create_backbone("plain_cifar", depth=8, width=4))
    with pytest.raises(InvalidValue, match=r"not of one family and width: 'stem\.conv\.weight'"):
        construct_deeper(shallow.backbone, create_backbone("plain_cifar", depth=20, width=8))
    with pytest.raises(InvalidValue, match=r"has 3 stages and the deep one 4"):
        construct_deeper(shallow.backbone, create_backbone("plain18"))
    with pytest.raises(InvalidValue, match=r"BasicBlock adds its input itself"):
        construct_deeper(
            create_backbone("resnet_cifar", depth=8, width=4),
            create_backbone("resnet_cifar", depth=14, width=4),
        )
    with pytest.raises(InvalidValue, match=r"is Tanh, which cannot be the identity"):
        construct_deeper(
            create_backbone("plain_cifar", depth=8, width=4, activation="tanh"),
            create_backbone("plain_cifar", depth=14, width=4, activation="tanh"),
        )
    with pytest.raises(InvalidValue, match=r"Sequential has no 'stages' of blocks"):
        construct_deeper(nn.Sequential(), nn.Sequential())


def test_layers_that_change_the_shape_are_no_identities() -> None:
    for layer in (nn.Conv2d(3, 4, 3), nn.Conv2d(3, 3, 3, stride=2), nn.Linear(3, 4)):
        with pytest.raises(InvalidValue, match="changes its input's shape"):
            make_identity(nn.Sequential(layer))
    with pytest.raises(InvalidValue, match="has no layers to turn into identities"):
        make_identity(nn.Sequential(nn.ReLU()))
