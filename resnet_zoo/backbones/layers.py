"""The layers that the nets have in common, and how their weights start."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, TypeVar

from torch import Tensor, nn

from resnet_zoo.errors import InvalidValue

Activation = Literal["relu", "tanh", "sigmoid"]
Norm = Literal["batch", "none"]
Initialization = Literal["he", "xavier", "lecun", "torch"]
Stem = Literal["7x7", "deep"]

Choice = TypeVar("Choice")


def choose(argument: str, given: str, allowed: Mapping[str, Choice]) -> Choice:
    """The entry of a table of choices.

    Raises:
        InvalidValue: the table has no such entry; the text lists all of them.
    """
    if given not in allowed:
        raise InvalidValue(
            f"{argument}={given!r} is not known. Choose one of {', '.join(map(repr, allowed))}."
        )
    return allowed[given]


def check_positive(**counts: int) -> None:
    """Refuse counts below one.

    Raises:
        InvalidValue: with the argument's name and value.
    """
    for argument, count in counts.items():
        if count < 1:
            raise InvalidValue(f"{argument}={count} must be a whole number of at least 1.")


def check_probability(**probabilities: float) -> None:
    """Refuse what is not a probability of dropping something, from 0 to below 1.

    Raises:
        InvalidValue: with the argument's name and value.
    """
    for argument, probability in probabilities.items():
        if not 0 <= probability < 1:
            raise InvalidValue(f"{argument}={probability} must be a probability from 0 to below 1.")


def make_activation(activation: Activation, *, inplace: bool = True) -> nn.Module:
    """The nonlinearity of that name.

    Args:
        activation: ``"relu"``, ``"tanh"`` or ``"sigmoid"``.
        inplace: let ReLU overwrite its input; safe behind a convolution or a batch norm, whose output nobody else
            reads.
    """
    makers: dict[str, Callable[[], nn.Module]] = {
        "relu": lambda: nn.ReLU(inplace=inplace),
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
    }
    return choose("activation", activation, makers)()


def make_norm(norm: Norm, channels: int, dimensions: Literal[1, 2] = 2) -> nn.Module:
    """Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) or, with ``"none"``, the identity.

    The module is there in both cases, so that a forward hook on it sees the layer's response before the addition and
    the activation. A hook that keeps the response must clone it: what follows works in place.
    """
    batch = nn.BatchNorm2d if dimensions == 2 else nn.BatchNorm1d
    makers: dict[str, Callable[[int], nn.Module]] = {"batch": batch, "none": nn.Identity}
    return choose("norm", norm, makers)(channels)


def conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
) -> nn.Conv2d:
    """A convolution with zero padding: at stride 1 the output is as large as the input."""
    padding = kernel_size // 2
    return nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias)


def conv_layer(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    bias: bool | None = None,
    activation: Activation,
    norm: Norm,
) -> nn.Sequential:
    """Convolution, norm, activation, as children of these names.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the square receptive field.
        stride: step of the receptive field.
        bias: whether the convolution has a bias; by default only without a norm, which would cancel it.
        activation: the nonlinearity.
        norm: ``"batch"`` or ``"none"``.
    """
    bias = norm == "none" if bias is None else bias
    return nn.Sequential(
        OrderedDict(
            conv=conv(in_channels, out_channels, kernel_size, stride=stride, bias=bias),
            norm=make_norm(norm, out_channels),
            activation=make_activation(activation),
        )
    )


def linear_layer(in_features: int, out_features: int, *, activation: Activation, norm: Norm) -> nn.Sequential:
    """Fully connected layer, norm, activation, as children named ``linear``, ``norm``, ``activation``."""
    return nn.Sequential(
        OrderedDict(
            linear=nn.Linear(in_features, out_features, bias=norm == "none"),
            norm=make_norm(norm, out_features, dimensions=1),
            activation=make_activation(activation),
        )
    )


def initialize(net: nn.Module, initialization: Initialization) -> None:
    """Start the weights of all convolutions and fully connected layers of a net; their biases start at zero.

    Args:
        net: changed in place. Batch norms keep scale 1 and shift 0.
        initialization: ``"he"`` draws from a normal distribution of variance 2 / fan_out (He et al. 2015,
            arXiv:1502.01852, eq. 14: preserves the gradient's scale through ReLU); ``"xavier"`` from a uniform one
            of variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010); ``"lecun"`` from a uniform one of variance
            1 / fan_in (LeCun et al. 1998, "Efficient BackProp"; Caffe calls it xavier); ``"torch"`` leaves PyTorch's
            defaults.
    """
    draws: dict[str, Callable[[Tensor], object] | None] = {
        "he": lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu"),
        "xavier": nn.init.xavier_uniform_,
        "lecun": lambda weight: nn.init.kaiming_uniform_(weight, mode="fan_in", nonlinearity="linear"),
        "torch": None,
    }
    draw = choose("initialization", initialization, draws)
    for module in net.modules():
        if draw is not None and isinstance(module, nn.Conv2d | nn.Linear):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def imagenet_stem(
    in_channels: int, width: int, *, activation: Activation, norm: Norm, kind: Stem = "7x7"
) -> nn.Sequential:
    """The start of the ImageNet nets: convolutions at stride 2, then 3x3 max-pool at stride 2.

    Args:
        in_channels: channels of the images.
        width: channels of the output.
        activation: the nonlinearity.
        norm: ``"batch"`` or ``"none"``.
        kind: ``"7x7"``, one convolution (He et al. 2015, arXiv:1512.03385, table 1), or ``"deep"``, three of 3x3, the
            first at stride 2, the first two of half the width (He et al. 2018, arXiv:1812.01187, figure 2b).
    """
    layer = partial(conv_layer, activation=activation, norm=norm)
    makers: dict[str, Callable[[], nn.Sequential]] = {
        "7x7": lambda: layer(in_channels, width, 7, stride=2),
        "deep": lambda: nn.Sequential(
            OrderedDict(
                layer1=layer(in_channels, width // 2, 3, stride=2),
                layer2=layer(width // 2, width // 2, 3),
                layer3=layer(width // 2, width, 3),
            )
        ),
    }
    stem = choose("stem", kind, makers)()
    stem.add_module("pool", nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
    return stem
