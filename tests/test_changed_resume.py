"""What may change between a checkpoint and its continuation, what may not, and what is said about it."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch

from resnet_zoo.cli import training
from resnet_zoo.cli.run_comparison import Order, read_samples
from resnet_zoo.data.order import TrainingOrder
from resnet_zoo.errors import InvalidValue
from resnet_zoo.runs import RunDirectory
from tests.resume_trials import Moment, fit, fit_until_killed, samples, words_for

NUM_TRAIN = 58
EVERY_3 = ("--checkpoint.every_n_steps", "3")
WITHOUT_NORM = ("--model.backbone.norm", "false", "--model.backbone.dropout", "0")
RESUME = ("--resume", "auto")
# Killed after update 8 of 15, five an epoch: resumed from update 6, or from the end of the first epoch.
MOMENT: Moment = (8, "training")


def _updates(ranks: dict[int, Order]) -> dict[tuple[int, int], list[int]]:
    """(epoch, updates made before) -> the images of the update in their order over batches and ranks."""
    updates: dict[tuple[int, int], list[int]] = {}
    places = sorted((step, batch, rank) for rank, order in ranks.items() for step, _, batch in order)
    for step, batch, rank in places:
        for key in ranks[rank]:
            if (key[0], key[2]) == (step, batch):
                images = [index for index in ranks[rank][key] if index >= 0]
                updates.setdefault((key[1], step), []).extend(images)
    return updates


def _seen(updates: dict[tuple[int, int], list[int]], epoch: int) -> Counter[int]:
    """How often each image was seen in an epoch."""
    return Counter(index for (e, _), images in updates.items() if e == epoch for index in images)


EACH_ONCE = Counter(range(NUM_TRAIN))


def _rows(run: RunDirectory) -> list[dict[str, str]]:
    with run.metrics.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _weights(run: RunDirectory) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(run.checkpoints / "last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return state


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (2, 1, EVERY_3),
        pytest.param(1, 3, EVERY_3, marks=pytest.mark.slow),
        pytest.param(3, 2, EVERY_3, marks=pytest.mark.slow),
        pytest.param(2, 1, (), marks=pytest.mark.slow),
        pytest.param(1, 2, (), marks=pytest.mark.slow),
    ],
    ids=["2-1-middle", "1-3-middle", "3-2-middle", "2-1-end", "1-2-end"],
)
def test_on_another_number_of_ranks_the_same_images_make_up_the_same_updates(
    tmp_path: Path, before: int, after: int, words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    straight = fit(tmp_path, "straight", 1, *WITHOUT_NORM, *words)
    fit_until_killed(tmp_path, "resumed", before, MOMENT, *WITHOUT_NORM, *words)
    # Of the killed process only what came before the checkpoint counts; the rest is made again.
    first_again = 6 if words else 5
    kept = {
        rank: {key: images for key, images in order.items() if key[0] < first_again}
        for rank, order in read_samples(samples(tmp_path, "resumed")).items()
    }
    for file in samples(tmp_path, "resumed").iterdir():
        file.unlink()
    resumed = fit(tmp_path, "resumed", after, *WITHOUT_NORM, *words, *RESUME)
    assert f"changed: number of ranks: {before} then, {after} now" in capfd.readouterr().err

    again = _updates(read_samples(samples(tmp_path, "resumed")))
    whole = _updates(kept) | again
    assert min(step for _, step in again) == first_again
    assert whole == _updates(read_samples(samples(tmp_path, "straight")))
    assert all(_seen(whole, epoch) == EACH_ONCE for epoch in range(3))

    ours, theirs = _weights(resumed), _weights(straight)
    assert max(float((ours[key] - theirs[key]).abs().max()) for key in theirs) < 2e-6
    for one, other in zip(_rows(resumed), _rows(straight), strict=True):
        assert {name: value for name, value in one.items() if "loss" not in name and "speed" not in name} == {
            name: value for name, value in other.items() if "loss" not in name and "speed" not in name
        }


@pytest.fixture(scope="module")
def killed_in_mid_epoch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("middle")
    fit_until_killed(folder, "run", 1, MOMENT, *EVERY_3)
    return folder


@pytest.fixture(scope="module")
def killed_after_an_epoch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("end")
    fit_until_killed(folder, "run", 1, MOMENT)
    return folder


def _refusal(folder: Path, *words: str) -> str:
    """The message with which continuing is refused; nothing in the run directory changes."""
    given = words_for(folder, "run", *words, *RESUME)
    files = {
        path: path.read_bytes() for path in (folder / "run").rglob("*") if path.suffix in (".csv", ".ckpt")
    }
    with pytest.raises(InvalidValue) as caught:
        training.main(given)
    assert all(path.read_bytes() == content for path, content in files.items())
    return str(caught.value)


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (
            ("--data.global_batch_size", "6"),
            "data.init_args.global_batch_size: 12 then, 6 now",
        ),
        (("--seed_everything", "1"), "seed_everything: 0 then, 1 now"),
        (("--trainer.accumulate_grad_batches", "2"), "trainer.accumulate_grad_batches: 1 then, 2 now"),
        (("--data.drop_last", "true"), "data.init_args.drop_last: False then, True now"),
    ],
)
def test_in_mid_epoch_what_the_order_depends_on_is_refused(
    killed_in_mid_epoch: Path, words: tuple[str, ...], changed: str
) -> None:
    message = _refusal(killed_in_mid_epoch, *EVERY_3, *words)
    assert f"cannot be continued, since this has changed: {changed}. It was written in the middle" in message
    assert "--force_resume true" in message


@pytest.mark.parametrize("moment", ["in mid-epoch", "after an epoch"])
def test_other_data_are_refused_at_any_time(
    killed_in_mid_epoch: Path, killed_after_an_epoch: Path, moment: str
) -> None:
    middle = moment == "in mid-epoch"
    message = _refusal(
        killed_in_mid_epoch if middle else killed_after_an_epoch,
        *(EVERY_3 if middle else ()),
        "--data.num_train",
        "59",
    )
    assert "data num_samples.train: 58 then, 59 now" in message
    assert ("It was written in the middle of an epoch." in message) == middle


def _copy(folder: Path, to: Path) -> Path:
    """The killed run for one test alone, without the order of its samples so far."""
    shutil.copytree(folder / "run", to / "run")
    return to


def test_forced_in_mid_epoch_the_rest_of_the_epoch_comes_from_the_beginning_of_the_new_order(
    killed_in_mid_epoch: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = _copy(killed_in_mid_epoch, tmp_path)
    words = ("--data.global_batch_size", "6", *RESUME, "--force_resume", "true")
    fit(folder, "run", 1, *EVERY_3, *words)
    assert "changed: data.init_args.global_batch_size: 12 then, 6 now (forced)" in capfd.readouterr().err
    updates = _updates(read_samples(samples(folder, "run")))
    # One batch of the second epoch was made before; the new order has ten.
    expected = TrainingOrder(NUM_TRAIN, 6, seed=0).plan(1).indices[: 9 * 6].tolist()
    assert [index for step in range(6, 15) for index in updates[1, step]] == expected
    assert (1, 15) not in updates
    assert _seen(updates, 2) == EACH_ONCE


def test_after_an_epoch_the_batch_size_may_change_and_the_schedule_goes_on_by_epochs(
    killed_after_an_epoch: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = _copy(killed_after_an_epoch, tmp_path)
    words = (
        "--data.global_batch_size",
        "6",
        "--model.optimizer.weight_decay",
        "0.01",
        "--trainer.log_every_n_steps",
        "1",
    )
    run = fit(folder, "run", 1, *words, *RESUME)
    changes = [line for line in capfd.readouterr().err.splitlines() if line.startswith("  changed: ")]
    assert changes == [
        "  changed: data.init_args.global_batch_size: 12 then, 6 now",
        "  changed: model.optimizer.init_args.weight_decay: 0.001 then, 0.01 now",
        "  changed: trainer.log_every_n_steps: 2 then, 1 now",
    ]
    updates = _updates(read_samples(samples(folder, "run")))
    assert [_seen(updates, epoch) for epoch in range(3)] == [Counter(), EACH_ONCE, EACH_ONCE]
    assert len(updates) == 2 * 10
    rates = [row["lr"] for row in _rows(run) if row["lr"] and int(row["epoch"]) > 0]
    always = fit(tmp_path, "always", 1, *words)
    assert rates == [row["lr"] for row in _rows(always) if row["lr"] and int(row["epoch"]) > 0]
