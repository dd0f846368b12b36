"""A learning rate changes only when the config asks for it, and what was done is said."""

from __future__ import annotations

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.optim import scaled_learning_rate


def test_no_rule_leaves_the_rate_alone_whatever_the_batch() -> None:
    assert scaled_learning_rate(0.1, "none", 8192, None) == (
        0.1,
        "learning rate 0.1 as configured, for global batch 8192",
    )
    lr, sentence = scaled_learning_rate(0.1, "none", 8192, 256)
    assert lr == 0.1
    assert sentence.endswith("not scaled from the reference batch 256, since the rule is 'none'")


def test_the_linear_rule() -> None:
    lr, sentence = scaled_learning_rate(0.1, "linear", 8192, 256)
    assert lr == pytest.approx(3.2)
    assert sentence == "learning rate 0.1 x 8192/256 = 3.2 by the linear batch-size rule"


def test_the_square_root_rule() -> None:
    lr, sentence = scaled_learning_rate(0.1, "sqrt", 1024, 256)
    assert lr == pytest.approx(0.2)
    assert sentence == "learning rate 0.1 x sqrt(1024/256) = 0.2 by the square-root batch-size rule"


def test_a_rule_needs_something_to_scale_from() -> None:
    with pytest.raises(InvalidValue, match="needs reference_batch_size"):
        scaled_learning_rate(0.1, "linear", 256, None)
    with pytest.raises(InvalidValue, match="reference_batch_size=0 is not positive"):
        scaled_learning_rate(0.1, "linear", 256, 0)
    with pytest.raises(InvalidValue, match="no learning-rate rule named 'cubic'"):
        scaled_learning_rate(0.1, "cubic", 256, 256)  # type: ignore[arg-type]
