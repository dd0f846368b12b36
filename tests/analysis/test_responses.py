import pytest
import torch
from torch import nn

from resnet_zoo.analysis import layer_responses
from resnet_zoo.model import create_model


def images(count: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_the_response_is_taken_behind_the_norm_and_before_the_nonlinearity() -> None:
    torch.manual_seed(0)
    model = create_model("plain_cifar", num_classes=10, depth=8, width=4)
    seen = {}
    model.backbone.stem.norm.register_forward_hook(lambda _, inputs, output: seen.update(out=output.clone()))
    first = layer_responses(model, [images()])[0]
    assert first.measured_at == "backbone.stem.norm"
    assert first.std == pytest.approx(float(seen["out"].std(correction=0)), rel=1e-5)
    assert first.mean == pytest.approx(float(seen["out"].mean()), abs=1e-6)


@pytest.mark.parametrize("name", ["resnet_cifar", "preact_resnet_cifar", "plain_cifar"])
def test_every_layer_is_measured_in_order(name: str) -> None:
    responses = layer_responses(create_model(name, num_classes=10, depth=14, width=4), [images()])
    main = [response for response in responses if response.part == "main"]
    assert len(main) == 13
    assert all(response.std > 0 for response in responses)
    assert responses[-1].part == "head"


def test_a_norm_that_does_not_follow_a_layer_directly_is_not_its_response() -> None:
    responses = layer_responses(
        create_model("preact_resnet_cifar", num_classes=10, depth=8, width=4), [images()]
    )
    by_name = {response.layer: response.measured_at for response in responses}
    assert by_name["backbone.stages.0.0.conv1"] == "backbone.stages.0.0.norm2"
    assert by_name["backbone.stages.0.0.conv2"] == "backbone.stages.0.0.conv2"


def test_several_batches_are_one_sample() -> None:
    model = create_model("resnet_cifar", num_classes=10, depth=8, width=4)
    whole = layer_responses(model, [images()])
    parts = layer_responses(model, images().split(3))
    assert [r.std for r in parts] == pytest.approx([r.std for r in whole], rel=1e-4)


def test_the_model_stays_as_it_is() -> None:
    model = create_model("resnet_cifar", num_classes=10, depth=8, width=4).train()
    model.head.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    layer_responses(model, [images()])
    assert model.training
    assert not model.head.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_constant_response_has_no_spread() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3, bias=False))
    nn.init.zeros_(model[0].weight)
    assert layer_responses(model, [images()])[0].std == 0
