"""Fully connected highway networks and their plain twins (Srivastava et al. 2015, arXiv:1507.06228, section 3.1).

The nets of the paper's study of depth: a plain layer, then ``depth - 1`` highway or plain layers of one width; the head
is not counted. With 50 units a highway layer and 71 a plain one, both have about 5,000 parameters a layer.
"""

from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.backbones.base import Backbone
from resnet_zoo.backbones.highway import HighwayBlock, carry_bias_for, start_gates
from resnet_zoo.backbones.layers import (
    Activation,
    Initialization,
    Norm,
    check_positive,
    initialize,
    linear_layer,
)
from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import register_backbone


class FullyConnectedNet(Backbone):
    """A plain layer on the flattened image, then one stage of highway blocks or of plain layers.

    Args:
        image_size: side of the square images in pixels.
        in_channels: channels of the images.
        depth: number of layers, the first included.
        width: units of each layer.
        carry_bias: initial bias of the gates; None for plain layers without gates.
        activation: the nonlinearity of H and of the plain layers.
        norm: norm in H and in the plain layers; the paper has none.
        initialization: how the weights start.
    """

    def __init__(
        self,
        *,
        image_size: int,
        in_channels: int,
        depth: int,
        width: int,
        carry_bias: float | None,
        activation: Activation = "relu",
        norm: Norm = "none",
        initialization: Initialization = "xavier",
    ) -> None:
        super().__init__()

        def layer(in_features: int) -> nn.Sequential:
            return linear_layer(in_features, width, activation=activation, norm=norm)

        self.image_shape = (in_channels, image_size, image_size)
        self.stem = nn.Sequential(nn.Flatten(), layer(in_channels * image_size**2))
        stage = nn.Sequential()
        for _ in range(depth - 1):
            transform = layer(width)
            if carry_bias is None:
                stage.append(transform)
            else:
                stage.append(HighwayBlock(transform, nn.Linear(width, width)))
        self.stages = nn.Sequential(stage)
        self.num_features = width
        initialize(self, initialization)
        if carry_bias is not None:
            start_gates(self, carry_bias)

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        if images.shape[1:] != self.image_shape:
            built_for, given = (
                "x".join(map(str, shape)) for shape in (self.image_shape, tuple(images.shape[1:]))
            )
            raise InvalidValue(
                f"this fully connected net was built for images of {built_for} (channels, height, width) and was "
                f"given {given}. Build it with in_channels={images.shape[1]}, image_size={images.shape[-1]}."
            )
        features: Tensor = self.stages(self.stem(images))
        return features


@register_backbone
def highway_mlp(
    *,
    depth: int = 10,
    width: int = 50,
    carry_bias: float | None = None,
    activation: Activation = "relu",
    norm: Norm = "none",
    initialization: Initialization = "xavier",
    image_size: int = 32,
    in_channels: int = 3,
) -> FullyConnectedNet:
    """Fully connected highway net of any depth and width (Srivastava et al. 2015, arXiv:1507.06228, section 3.1).

    Args:
        depth: number of layers without the head: one plain, the others highway; the paper has 10, 20, 50 and 100.
        width: units of each layer; 50 in the paper.
        carry_bias: initial bias of the gates, negative to carry; by default -depth/10, rounded, from -1 to -10.
        activation: the nonlinearity of H: relu or tanh in the paper.
        norm: batch norm in H, or none as in the paper.
        initialization: how the weights start; the paper's normalised initialisation is xavier.
        image_size: side of the square images in pixels; other images are refused.
        in_channels: channels of the images.
    """
    check_positive(depth=depth, width=width, image_size=image_size, in_channels=in_channels)
    return FullyConnectedNet(
        image_size=image_size,
        in_channels=in_channels,
        depth=depth,
        width=width,
        carry_bias=carry_bias_for(depth) if carry_bias is None else carry_bias,
        activation=activation,
        norm=norm,
        initialization=initialization,
    )


@register_backbone
def plain_mlp(
    *,
    depth: int = 10,
    width: int = 71,
    activation: Activation = "relu",
    norm: Norm = "none",
    initialization: Initialization = "xavier",
    image_size: int = 32,
    in_channels: int = 3,
) -> FullyConnectedNet:
    """Fully connected plain net, the twin of ``highway_mlp`` (Srivastava et al. 2015, arXiv:1507.06228, section 3.1).

    Args:
        depth: number of layers without the head; the paper has 10, 20, 50 and 100.
        width: units of each layer; 71 in the paper, for as many parameters a layer as the highway net.
        activation: the nonlinearity: relu or tanh in the paper.
        norm: batch norm behind each layer, or none as in the paper.
        initialization: how the weights start; the paper's normalised initialisation is xavier.
        image_size: side of the square images in pixels; other images are refused.
        in_channels: channels of the images.
    """
    check_positive(depth=depth, width=width, image_size=image_size, in_channels=in_channels)
    return FullyConnectedNet(
        image_size=image_size,
        in_channels=in_channels,
        depth=depth,
        width=width,
        carry_bias=None,
        activation=activation,
        norm=norm,
        initialization=initialization,
    )
