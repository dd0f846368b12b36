"""Which rank this process is, as loggers must know it before there is a trainer."""

from lightning.pytorch.utilities import rank_zero_only


def is_rank_zero() -> bool:
    """Lightning keeps the rank on its decorator, from the environment at first and from the strategy later."""
    return getattr(rank_zero_only, "rank", 0) == 0
