"""How the learning rate follows the batch size, if the config asks for it."""

from __future__ import annotations

import math
from typing import Literal

from resnet_zoo.errors import InvalidValue

BatchSizeRule = Literal["none", "linear", "sqrt"]


def scaled_learning_rate(
    lr: float, rule: BatchSizeRule, global_batch_size: int, reference_batch_size: int | None
) -> tuple[float, str]:
    """The learning rate for this batch size, and the sentence that tells the user what was done.

    ``linear`` is the linear scaling rule of Goyal et al. 2017 (arXiv:1706.02677), section 2.1; ``sqrt`` is the rule of
    Krizhevsky 2014 (arXiv:1404.5997). ``none`` leaves the rate as it is: a learning rate in a config
    belongs to the batch size beside it.

    Args:
        lr: the learning rate as configured.
        rule: how it scales.
        global_batch_size: images per optimizer update over all ranks and accumulated batches.
        reference_batch_size: the batch size that ``lr`` was found for; needed by every rule but ``none``.

    Raises:
        InvalidValue: the rule is unknown, or has no positive reference batch size to scale from.
    """
    if rule not in ("none", "linear", "sqrt"):
        raise InvalidValue(f"no learning-rate rule named {rule!r}. Use 'none', 'linear' or 'sqrt'.")
    if reference_batch_size is not None and reference_batch_size < 1:
        raise InvalidValue(
            f"reference_batch_size={reference_batch_size} is not positive. Give a number of images."
        )
    if rule == "none":
        sentence = f"learning rate {lr:g} as configured, for global batch {global_batch_size}"
        if reference_batch_size not in (None, global_batch_size):
            sentence += (
                f"; not scaled from the reference batch {reference_batch_size}, since the rule is 'none'"
            )
        return lr, sentence
    if reference_batch_size is None:
        raise InvalidValue(
            f"the learning-rate rule {rule!r} needs reference_batch_size, the batch size that lr={lr:g} belongs to. "
            f"Give it, or use the rule 'none' (global batch is {global_batch_size})."
        )
    ratio = global_batch_size / reference_batch_size
    scaled = lr * (ratio if rule == "linear" else math.sqrt(ratio))
    formula = f"{global_batch_size}/{reference_batch_size}"
    formula = f"sqrt({formula})" if rule == "sqrt" else formula
    name = "square-root" if rule == "sqrt" else "linear"
    return scaled, f"learning rate {lr:g} x {formula} = {scaled:g} by the {name} batch-size rule"
