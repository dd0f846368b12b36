"""VGG networks (Simonyan & Zisserman 2014, "Very Deep Convolutional Networks", arXiv:1409.1556, table 1).

At 224x224 pixels; every layer is a 3x3 convolution with ReLU, in the ``_bn`` nets with batch norm before it:

    part     output    vgg11 (A)    vgg13 (B)    vgg16 (D)    vgg19 (E)
    stage 1  112x112   1 x 64       2 x 64       2 x 64       2 x 64       then 2x2 max-pool, as after each stage
    stage 2  56x56     1 x 128      2 x 128      2 x 128      2 x 128
    stage 3  28x28     2 x 256      2 x 256      3 x 256      4 x 256
    stage 4  14x14     2 x 512      2 x 512      3 x 512      4 x 512
    stage 5  7x7       2 x 512      2 x 512      3 x 512      4 x 512
    hidden             two fully connected layers of 4096 with ReLU and dropout

The head is the third fully connected layer, so ``num_features`` is 4096. Weights of torchvision's nets of the same
names fit exactly (``resnet_zoo.weights``).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d

from resnet_zoo.backbones.base import Backbone, preset
from resnet_zoo.backbones.layers import Norm, check_positive, check_probability, conv_layer, initialize
from resnet_zoo.errors import InvalidValue
from resnet_zoo.registry import register_backbone

WIDTHS = (64, 128, 256, 512, 512)
MIN_IMAGE_SIZE = 2 ** len(WIDTHS)  # each stage halves the resolution


class VGG(Backbone):
    """Stages of 3x3 layers that end in max-pooling, then two hidden layers with dropout.

    Args:
        depths: layers in each stage.
        batch_norm: put a batch norm behind each convolution.
        dropout: probability of dropping a hidden unit.
        hidden_features: units of each of the two hidden layers.
        pool_size: side of the feature map that the hidden layers see; other resolutions are averaged to it.
        in_channels: channels of the images.

    Attributes:
        dense: whether the hidden layers are applied as convolutions, see ``backbones.dense``.
    """

    dense = False

    def __init__(
        self,
        *,
        depths: Sequence[int],
        batch_norm: bool,
        dropout: float,
        hidden_features: int,
        pool_size: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        norm: Norm = "batch" if batch_norm else "none"
        channels = in_channels
        for depth, width in zip(depths, WIDTHS, strict=True):
            stage = nn.Sequential()
            for _ in range(depth):
                stage.append(conv_layer(channels, width, 3, bias=True, activation="relu", norm=norm))
                channels = width
            stage.append(nn.MaxPool2d(kernel_size=2, stride=2))
            self.stages.append(stage)
        self._pool_size = pool_size
        self.pool = nn.AdaptiveAvgPool2d(pool_size)
        self.hidden = nn.Sequential(
            nn.Linear(channels * pool_size**2, hidden_features),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden_features, hidden_features),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        )
        self.num_features = hidden_features
        self._initialize()

    def _initialize(self) -> None:
        """He et al.'s normal for the convolutions, N(0, 0.01²) for the hidden layers, as torchvision starts them."""
        initialize(self.stages, "he")
        for layer in self.hidden:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)

    def forward(
        self, images: Float[Tensor, "batch in_channels height width"]
    ) -> Float[Tensor, "batch {self.num_features}"]:
        if min(images.shape[-2:]) < MIN_IMAGE_SIZE:
            raise InvalidValue(
                f"VGG halves the resolution {len(WIDTHS)} times and needs images of at least {MIN_IMAGE_SIZE}x"
                f"{MIN_IMAGE_SIZE} pixels, not {images.shape[-2]}x{images.shape[-1]}. Enlarge them, or take a net that "
                "accepts small ones, such as 'resnet20_cifar'."
            )
        maps: Tensor = self.stages(images)
        if self.dense:
            return self._dense_features(maps)
        features: Tensor = self.hidden(self.pool(maps).flatten(1))
        return features

    def _dense_features(self, maps: Tensor) -> Tensor:
        """The hidden layers as convolutions, at every place of the feature map where they fit, averaged (section 3.2).

        The first becomes a convolution of ``pool_size``, the second one of 1x1. As the head is linear, averaging what
        it sees is averaging the class score map.
        """
        first, side = self.hidden[0], self._pool_size
        assert isinstance(first, nn.Linear)
        if min(maps.shape[-2:]) < side:
            raise InvalidValue(
                f"VGG's first hidden layer sees {side}x{side} positions and the feature map has {maps.shape[-2]}x"
                f"{maps.shape[-1]}. Use images whose shorter side is at least {side * MIN_IMAGE_SIZE} pixels."
            )
        weight = first.weight.view(first.out_features, -1, side, side)
        hidden: Tensor = self.hidden[1:](conv2d(maps, weight, first.bias).movedim(1, -1))
        return hidden.mean(dim=(1, 2))


def imagenet_vgg(
    *,
    depths: tuple[int, int, int, int, int],
    batch_norm: bool,
    dropout: float = 0.5,
    hidden_features: int = 4096,
    pool_size: int = 7,
    in_channels: int = 3,
) -> VGG:
    """VGG (Simonyan & Zisserman 2014, arXiv:1409.1556, table 1).

    For 32x32 images take ``pool_size=1`` and, say, ``hidden_features=512``: the last feature map has a single pixel,
    which the default would copy 49 times into a layer of 25,088 inputs.

    Args:
        depths: layers in each of the five stages.
        batch_norm: batch norm behind each convolution.
        dropout: probability of dropping a unit of the hidden layers.
        hidden_features: units of each of the two hidden layers; 4096 in the paper.
        pool_size: side of the feature map that the hidden layers see; 7 at 224x224 pixels.
        in_channels: channels of the images.
    """
    check_positive(hidden_features=hidden_features, pool_size=pool_size, in_channels=in_channels)
    check_probability(dropout=dropout)
    return VGG(
        depths=depths,
        batch_norm=batch_norm,
        dropout=dropout,
        hidden_features=hidden_features,
        pool_size=pool_size,
        in_channels=in_channels,
    )


A, B, D, E = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)

vgg11 = register_backbone(preset(imagenet_vgg, __name__, "vgg11", depths=A, batch_norm=False))
vgg11_bn = register_backbone(preset(imagenet_vgg, __name__, "vgg11_bn", depths=A, batch_norm=True))
vgg13 = register_backbone(preset(imagenet_vgg, __name__, "vgg13", depths=B, batch_norm=False))
vgg13_bn = register_backbone(preset(imagenet_vgg, __name__, "vgg13_bn", depths=B, batch_norm=True))
vgg16 = register_backbone(preset(imagenet_vgg, __name__, "vgg16", depths=D, batch_norm=False))
vgg16_bn = register_backbone(preset(imagenet_vgg, __name__, "vgg16_bn", depths=D, batch_norm=True))
vgg19 = register_backbone(preset(imagenet_vgg, __name__, "vgg19", depths=E, batch_norm=False))
vgg19_bn = register_backbone(preset(imagenet_vgg, __name__, "vgg19_bn", depths=E, batch_norm=True))
