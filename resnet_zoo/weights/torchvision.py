"""torchvision's state dicts and ours, tensor for tensor in both directions.

The same networks have the same tensors under other names, for instance:

    torchvision                      here
    layer1.0.bn2.weight              backbone.stages.0.0.norm2.weight
    layer2.0.downsample.0.weight     backbone.stages.1.0.shortcut.conv.weight
    features.3.weight                backbone.stages.1.0.conv.weight
    fc.weight, classifier.6.weight   head.weight
"""

import inspect
import re
from collections.abc import Mapping

from torch import Tensor, nn

from resnet_zoo.backbones.resnet import ResNet
from resnet_zoo.backbones.vgg import VGG
from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import registry
from resnet_zoo.weights.matching import load_exactly

COUNTERPARTS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2",
    "resnext50_32x4d", "resnext101_32x8d", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19",
    "vgg19_bn",
)  # fmt: skip
# Arguments that only say how weights start or how training drops units: the trained function is torchvision's.
HARMLESS = ("initialization", "zero_init_residual", "dropout", "drop_path")


def from_torchvision(state_dict: Mapping[str, Tensor], model: nn.Module) -> None:
    """Copy the weights of a torchvision classifier into the model of the same name.

    Args:
        state_dict: as ``torchvision.models.resnet50().state_dict()`` gives it, for any number of classes.
        model: backbone and head, as ``create_model`` makes it; changed in place, and only if everything fits.

    Raises:
        InvalidValue: torchvision has no network that computes what this one does, or names or shapes differ.
    """
    load_exactly(model, state_dict, torchvision_names(model))


def to_torchvision(model: nn.Module) -> dict[str, Tensor]:
    """The model's weights under torchvision's names, ready for ``load_state_dict`` of its network of that name.

    Args:
        model: backbone and head, as ``create_model`` makes it; the tensors are shared with it.

    Raises:
        InvalidValue: torchvision has no network that computes what this one does.
    """
    names = torchvision_names(model)
    return {names[key]: tensor for key, tensor in model.state_dict().items()}


def torchvision_names(model: nn.Module) -> dict[str, str]:
    """Torchvision's name for each key of the model's state dict.

    Raises:
        InvalidValue: torchvision has no network that computes what this one does.
    """
    backbone = model.get_submodule("backbone")
    check_counterpart(backbone)
    if isinstance(backbone, VGG):
        renames = {**vgg_renames(backbone), "head": "classifier.6"}
        return {
            key: renames[key.rpartition(".")[0]] + "." + key.rpartition(".")[2] for key in model.state_dict()
        }
    assert isinstance(backbone, ResNet)
    return {key: resnet_name(key) for key in model.state_dict()}


def check_counterpart(backbone: nn.Module) -> None:
    """Refuse networks that torchvision does not have.

    Raises:
        InvalidValue: another network, or arguments that make it compute something else.
    """
    built_by = getattr(backbone, "built_by", {"name": type(backbone).__name__, "arguments": {}})
    name, arguments = built_by["name"], built_by["arguments"]
    if name not in COUNTERPARTS:
        raise InvalidValue(f"torchvision has no counterpart of {name!r}. It has {', '.join(COUNTERPARTS)}.")
    defaults = inspect.signature(registry.resolve(name).load()).parameters
    for argument, value in arguments.items():
        if argument not in HARMLESS and value != defaults[argument].default:
            raise InvalidValue(
                f"torchvision's {name!r} is not this one: it was built with {argument}={value!r}, "
                f"torchvision's corresponds to {argument}={defaults[argument].default!r}."
            )


def resnet_name(key: str) -> str:
    """Torchvision's name for a key of one of our ResNets."""
    for pattern, replacement in (
        (r"^head\.", "fc."),
        (r"^backbone\.stem\.conv\.", "conv1."),
        (r"^backbone\.stem\.norm\.", "bn1."),
        (r"\.shortcut\.conv\.", ".downsample.0."),
        (r"\.shortcut\.norm\.", ".downsample.1."),
        (r"\.norm(\d)\.", r".bn\1."),
    ):
        key = re.sub(pattern, replacement, key)
    return re.sub(r"^backbone\.stages\.(\d+)\.", lambda found: f"layer{int(found[1]) + 1}.", key)


def vgg_renames(backbone: VGG) -> dict[str, str]:
    """Torchvision's name for each module of our VGG that has parameters: its layers are numbered through."""
    renames = {"backbone.hidden.0": "classifier.0", "backbone.hidden.3": "classifier.3"}
    number = 0
    for stage_index, stage in enumerate(backbone.stages.children()):
        for layer_index, layer in enumerate(stage.children()):
            for child, module in layer.named_children():  # a max-pool has none
                if not isinstance(module, nn.Identity):
                    renames[f"backbone.stages.{stage_index}.{layer_index}.{child}"] = f"features.{number}"
                    number += 1
            number += isinstance(layer, nn.MaxPool2d)
    return renames
