"""Convolutional highway networks for CIFAR and their plain twins; see ``highway.py`` for the architecture.

A twin is the same net with every gate removed, so that each highway layer is its plain layer: it computes what the
highway net with fully open gates computes. The twins are called ``plain_highway19_cifar`` and so on, because
``plain32_cifar`` is a net of another family (He et al. 2015), with batch norm and two layers a block.
"""

from typing import Any

from resnet_zoo.backbones.base import preset
from resnet_zoo.backbones.highway import HighwayNet, carry_bias_for
from resnet_zoo.backbones.layers import Activation, Initialization, Norm, check_positive, check_probability
from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import register_backbone

NUM_STAGES = 3
UNGATED_LAYERS = 5  # the stem, two layers that change the size, the last layer, the head
MIN_DEPTH = UNGATED_LAYERS + NUM_STAGES


def highway_depths(depth: int) -> tuple[int, ...]:
    """Highway layers in each stage of a net of ``depth`` layers, later stages having the odd ones.

    Raises:
        InvalidValue: too few layers for one in each stage.
    """
    if depth < MIN_DEPTH:
        raise InvalidValue(
            f"depth={depth} is too small: {UNGATED_LAYERS} layers have no gate, and each of {NUM_STAGES} stages needs "
            f"one that has. The smallest depth is {MIN_DEPTH}."
        )
    gated = depth - UNGATED_LAYERS
    return tuple((gated + stage) // NUM_STAGES for stage in range(NUM_STAGES))


def stage_widths(width: int, factors: tuple[float, float, float]) -> list[int]:
    """Channels of the three stages, in proportion to the first."""
    check_positive(width=width)
    return [round(factor * width) for factor in factors]


def convolutional_highway(
    *,
    depth: int = 19,
    width_factors: tuple[float, float, float],
    kernel_sizes: tuple[int, ...],
    width: int = 32,
    carry_bias: float | None = None,
    dropout: float = 0.2,
    activation: Activation = "relu",
    norm: Norm = "none",
    initialization: Initialization = "lecun",
    in_channels: int = 3,
) -> HighwayNet:
    """Convolutional highway net for CIFAR (Srivastava et al. 2015, arXiv:1507.06228, table 2).

    Args:
        depth: number of layers, the head included; 8 or more.
        width_factors: the stages' widths, in multiples of ``width``.
        kernel_sizes: receptive fields of the highway layers of a stage, in turn.
        width: channels of the first stage; the later stages are wider in proportion.
        carry_bias: initial bias of the gates, negative to carry; by default -depth/10, rounded, from -1 to -10.
        dropout: probability of dropping a value before the stem, each layer behind a max-pool, and the head.
        activation: the nonlinearity of H and of the plain layers; relu in the paper.
        norm: batch norm behind the convolutions of H and of the plain layers, or none as in the paper.
        initialization: how the weights start; lecun in the authors' published net.
        in_channels: channels of the images.

    Raises:
        InvalidValue: too few layers, or a value outside its range.
    """
    check_positive(in_channels=in_channels)
    check_probability(dropout=dropout)
    return HighwayNet(
        in_channels=in_channels,
        depths=highway_depths(depth),
        widths=stage_widths(width, width_factors),
        kernel_sizes=kernel_sizes,
        carry_bias=carry_bias_for(depth) if carry_bias is None else carry_bias,
        dropout=dropout,
        activation=activation,
        norm=norm,
        initialization=initialization,
    )


def plain_twin(
    *,
    depth: int = 19,
    width_factors: tuple[float, float, float],
    kernel_sizes: tuple[int, ...],
    width: int = 32,
    dropout: float = 0.2,
    activation: Activation = "relu",
    norm: Norm = "none",
    initialization: Initialization = "lecun",
    in_channels: int = 3,
) -> HighwayNet:
    """Convolutional highway net without its gates, for CIFAR (after Srivastava et al. 2015, arXiv:1507.06228).

    Args:
        depth: number of layers, the head included; 8 or more.
        width_factors: the stages' widths, in multiples of ``width``.
        kernel_sizes: receptive fields of a stage's layers, in turn.
        width: channels of the first stage; the later stages are wider in proportion.
        dropout: probability of dropping a value before the stem, each layer behind a max-pool, and the head.
        activation: the nonlinearity; relu in the paper.
        norm: batch norm behind each convolution, or none as in the paper.
        initialization: how the weights start; lecun in the authors' published net.
        in_channels: channels of the images.

    Raises:
        InvalidValue: too few layers, or a value outside its range.
    """
    check_positive(in_channels=in_channels)
    check_probability(dropout=dropout)
    return HighwayNet(
        in_channels=in_channels,
        depths=highway_depths(depth),
        widths=stage_widths(width, width_factors),
        kernel_sizes=kernel_sizes,
        carry_bias=None,
        dropout=dropout,
        activation=activation,
        norm=norm,
        initialization=initialization,
    )


HIGHWAY_B: dict[str, Any] = {"width_factors": (1, 2.5, 4), "kernel_sizes": (3,)}  # 32, 80, 128
HIGHWAY_C: dict[str, Any] = {"width_factors": (1, 2, 3), "kernel_sizes": (1, 3)}  # 32, 64, 96

highway_cifar = register_backbone(preset(convolutional_highway, __name__, "highway_cifar", **HIGHWAY_B))
highway19_cifar = register_backbone(
    preset(convolutional_highway, __name__, "highway19_cifar", depth=19, **HIGHWAY_B)
)
highway32_cifar = register_backbone(
    preset(convolutional_highway, __name__, "highway32_cifar", depth=32, **HIGHWAY_C)
)
plain_highway_cifar = register_backbone(preset(plain_twin, __name__, "plain_highway_cifar", **HIGHWAY_B))
plain_highway19_cifar = register_backbone(
    preset(plain_twin, __name__, "plain_highway19_cifar", depth=19, **HIGHWAY_B)
)
plain_highway32_cifar = register_backbone(
    preset(plain_twin, __name__, "plain_highway32_cifar", depth=32, **HIGHWAY_C)
)
