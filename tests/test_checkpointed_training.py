"""``model.activation_checkpointing`` in the real ``fit``: the same training to the bit, resumed, on ranks, and deep."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_zoo.cli.main import main
from tests.ranks import run_on_ranks
from tests.tiny_runs import assert_same_weights, fit_words, last_checkpoint

ALL = ("--model.activation_checkpointing", "all")
# Of a rate that does not know how long the training will be.
AVERAGED = (
    "--ema.decay",
    "0.8",
    "--trainer.accumulate_grad_batches",
    "2",
    "--model.lr_schedule",
    "ConstantSchedule",
)
SYNCHRONISED = ("--trainer.sync_batchnorm", "true")


def test_a_run_is_the_same_and_may_go_on_with_another_setting(tmp_path: Path) -> None:
    plain, mixed = tmp_path / "plain", tmp_path / "mixed"
    assert main(fit_words(plain, *AVERAGED)) == 0
    assert main(fit_words(mixed, *AVERAGED, *ALL, "--trainer.max_epochs", "1")) == 0
    assert (
        main(fit_words(mixed, *AVERAGED, "--model.activation_checkpointing", "[layers]", "--resume", "auto"))
        == 0
    )
    assert_same_weights(plain, mixed)
    averages = [last_checkpoint(run)["ema"]["state_dict"] for run in (plain, mixed)]
    assert all(value.equal(averages[1][name]) for name, value in averages[0].items())


@pytest.mark.parametrize(
    "words", [SYNCHRONISED, pytest.param((), marks=pytest.mark.slow)], ids=["synchronised", "own"]
)
def test_ranks_train_the_same(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The second computation of synchronised batch norm asks the other ranks again, in the backward pass."""
    plain, checkpointed = tmp_path / "plain", tmp_path / "checkpointed"
    for run, more in ((plain, ()), (checkpointed, ALL)):
        given = fit_words(run, *words, *more, "--trainer.max_epochs", "2")
        assert run_on_ranks(2, main, given) == [0, 0]
    assert_same_weights(plain, checkpointed)


def test_unknown_parts_are_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(fit_words(run, "--model.activation_checkpointing", "[layer]")) == 2
    said = capsys.readouterr().err
    assert "no module of SmallNet named 'layer'. Did you mean 'layers'?" in said
    assert "all takes layers" in said
    assert not run.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet1202_cifar", "preact_resnet1001_cifar"])
def test_a_net_of_a_thousand_layers_trains(name: str, tmp_path: Path) -> None:
    words = ["fit", "--model.backbone", name, "--data", "Synthetic", "--logger", "none", *ALL]
    words += ["--run_dir", str(tmp_path / "run"), "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"]
    for key, value in {
        "num_train": 4,
        "num_val": 0,
        "num_test": 0,
        "num_distinct": 4,
        "global_batch_size": 4,
    }.items():
        words += [f"--data.{key}", str(value)]
    assert main(words) == 0
    checkpoint = last_checkpoint(tmp_path / "run")
    assert checkpoint["global_step"] == 1
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())
    counters = [
        value for key, value in checkpoint["state_dict"].items() if key.endswith("num_batches_tracked")
    ]
    assert len(counters) > 1000 * 0.9
    assert all(value == 1 for value in counters)
