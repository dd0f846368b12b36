"""The rules that resnet-zoo asks of every backbone, one test a rule, and what is special about these nets."""

import pytest

import resnet_zoo as rz
from resnet_zoo.conformance import check, rules


@pytest.mark.parametrize("rule", rules, ids=str)
def test_conformance(rule):
    check(rule, "se_net", width=8)


def test_width_is_the_number_of_features():
    assert rz.create_backbone("se_net", width=8).num_features == 4 * 8
