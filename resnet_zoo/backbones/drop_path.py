"""Stochastic depth: whole residual branches are left out at random while training.

Huang et al. 2016 ("Deep Networks with Stochastic Depth", arXiv:1603.09382); later work calls it drop path.
"""

from jaxtyping import Float
from torch import Tensor, nn

from resnet_zoo.backbones.base import Block
from resnet_zoo.backbones.layers import check_probability


class DropPath(nn.Module):
    """Zeroes a residual branch for some images of a batch, each on its own, and scales it up for the others.

    The scale of 1 / (1 - probability) keeps the expected response, so that evaluation uses the whole net as it is; the
    paper scales down in evaluation instead and drops a branch for the whole batch. The draws come from torch's
    generator of the device, which the training loop seeds anew for every update and rank.

    Args:
        probability: of leaving the branch out, from 0 to below 1.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        check_probability(probability=probability)
        self.probability = probability

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        if not self.training:
            return x
        kept = 1.0 - self.probability
        mask = x.new_empty((len(x), 1, 1, 1)).bernoulli_(kept)
        return x * mask.div_(kept)

    def extra_repr(self) -> str:
        return f"probability={self.probability:g}"


def add_drop_path(stages: nn.Sequential, drop_path: float) -> None:
    """Give the blocks of all stages their probabilities: from 0 in the first block, linearly, to ``drop_path``.

    The line starts at 0 as in timm; the paper's section 3.2 starts at drop_path / number of blocks.

    Args:
        stages: each a sequence of residual blocks, whose ``drop_path`` is replaced where its probability is not 0.
        drop_path: probability of the last block.

    Raises:
        InvalidValue: not a probability below 1.
    """
    check_probability(drop_path=drop_path)
    blocks = [block for block in stages.modules() if isinstance(block, Block)]
    for position, block in enumerate(blocks):
        if probability := drop_path * position / max(len(blocks) - 1, 1):
            block.drop_path = DropPath(probability)
