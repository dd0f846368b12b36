import pytest
import torch

from resnet_zoo.analysis import fit_target
from resnet_zoo.analysis.identity import TwoLayers, make_target


def test_targets_are_what_they_are_called() -> None:
    x = torch.rand(64, 16)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(make_target("identity", 16, generator)(x), x)
    assert not make_target("zero", 16, generator)(x).any()
    perturbed = make_target("perturbed identity", 16, generator)(x)
    assert 0.01 < float((perturbed - x).norm() / x.norm()) < 0.3


def test_a_residual_of_zero_is_the_identity() -> None:
    block = TwoLayers(8, shortcut=True)
    torch.nn.init.zeros_(block.second.weight)
    x = torch.rand(4, 8)
    assert torch.equal(block(x), x)


def test_errors_fall_and_repeat() -> None:
    errors = fit_target("identity", True, seed=0, updates=60, width=8)
    assert len(errors) == 61
    assert errors[-1] < errors[0]
    assert errors == fit_target("identity", True, seed=0, updates=60, width=8)
    assert errors != fit_target("identity", True, seed=1, updates=60, width=8)


def test_the_global_random_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    fit_target("zero", False, seed=0, updates=2, width=4)
    assert torch.equal(state, torch.get_rng_state())


def test_with_and_without_shortcut_start_from_the_same_weights() -> None:
    without = fit_target("zero", False, seed=0, updates=0, width=8)
    with_shortcut = fit_target("zero", True, seed=0, updates=0, width=8)
    assert without[0] < with_shortcut[0] == pytest.approx(with_shortcut[0])
