"""What the CIFAR nets of He et al. share (2015, arXiv:1512.03385, section 4.2): the depth rule and the widths.

A 3x3 stem, then three stages of n blocks each at full, half and quarter resolution with 1, 2 and 4 times the width,
then global average pooling. Any input of 8x8 and more works; the papers use 32x32.
"""

from resnet_zoo.backbones.layers import check_positive
from resnet_zoo.errors import InvalidValue

NUM_STAGES = 3


def blocks_per_stage(depth: int, layers_per_block: int = 2) -> int:
    """The n of the papers' depth rule: 6n + 2 layers with blocks of two, 9n + 2 with blocks of three.

    Stem and head are the two extra layers; projection shortcuts are not counted.

    Raises:
        InvalidValue: ``depth`` does not follow the rule; the text names the nearest depths that do.
    """
    layers = NUM_STAGES * layers_per_block
    blocks, remainder = divmod(depth - 2, layers)
    if remainder or blocks < 1:
        below, above = layers * blocks + 2, layers * (blocks + 1) + 2
        nearest = f"depths are {below} and {above}" if blocks >= 1 else f"depth is {layers + 2}"
        raise InvalidValue(
            f"depth={depth} is not {layers}n + 2: n blocks of {layers_per_block} layers in each of {NUM_STAGES} "
            f"stages, a stem and a head. The nearest valid {nearest}."
        )
    return blocks


def stage_depths(depth: int, layers_per_block: int = 2) -> tuple[int, int, int]:
    """Blocks in each of the three stages of a net of ``depth`` layers."""
    blocks = blocks_per_stage(depth, layers_per_block)
    return blocks, blocks, blocks


def stage_widths(width: int) -> tuple[int, int, int]:
    """Channels of the three stages; the papers' nets have a ``width`` of 16."""
    check_positive(width=width)
    return width, 2 * width, 4 * width
