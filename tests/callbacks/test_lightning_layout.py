"""What is read from Lightning's checkpoints and loops, none of which it promises, is laid out as it is read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback

from resnet_zoo.callbacks.checkpoint_io import read_checkpoint
from resnet_zoo.callbacks.checkpoints import validation_follows
from resnet_zoo.cli.main import main
from resnet_zoo.cli.resuming import in_mid_epoch
from tests.tiny_runs import UPDATES_PER_EPOCH, fit_words


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its last checkpoint is at an epoch's end, and the one before in the middle of one."""
    run = tmp_path_factory.mktemp("layout") / "run"
    assert main(fit_words(run, "--checkpoint.every_n_steps", "3", "--trainer.max_epochs", "2")) == 0
    return run


@pytest.mark.parametrize(
    ("name", "updates", "done_of_epoch"),
    [("previous.ckpt", 9, 4), ("last.ckpt", 10, UPDATES_PER_EPOCH)],
)
def test_a_checkpoint_says_where_in_its_epoch_it_is(
    name: str, updates: int, done_of_epoch: int, run: Path
) -> None:
    """``resuming.in_mid_epoch`` and ``Checkpoints.on_load_checkpoint`` would go wrong without a word."""
    checkpoint = read_checkpoint(run / "checkpoints" / name)
    assert (checkpoint["global_step"], checkpoint["epoch"]) == (updates, 1)
    assert in_mid_epoch(checkpoint) is (done_of_epoch < UPDATES_PER_EPOCH)
    loop = checkpoint["loops"]["fit_loop"]
    progress = loop["epoch_loop.batch_progress"]
    assert progress["current"]["ready"] == done_of_epoch
    assert progress["is_last_batch"] is (done_of_epoch == UPDATES_PER_EPOCH)
    [loader] = loop["state_dict"]["combined_loader"]
    assert (loader["epoch"], loader["consumed"]) == (1, done_of_epoch)


def test_callbacks_keep_their_state_under_their_names(run: Path) -> None:
    """A resumed run would forget its best epoch otherwise."""
    states = read_checkpoint(run / "checkpoints/last.ckpt")["callbacks"]
    assert set(states["Checkpoints"]) >= {"best_score", "best_epoch"}


class Foretold(Callback):
    """Whether a validation or an epoch's end came after each batch, and whether that was foreseen."""

    def __init__(self) -> None:
        self.foreseen: list[bool] = []
        self.came: list[bool] = []

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.foreseen.append(validation_follows(trainer, batch_idx))
        self.came.append(False)

    def on_validation_start(self, *args: Any) -> None:
        self.came[-1] = True

    def on_train_epoch_end(self, *args: Any) -> None:
        self.came[-1] = True


@pytest.mark.parametrize(
    "settings",
    [{}, {"val_check_interval": 0.5}, {"val_check_interval": 3}, {"limit_val_batches": 0}],
    ids=["at the end", "twice", "every 3", "none"],
)
def test_what_follows_a_batch_is_foreseen(
    settings: dict[str, Any], make_trainer: Any, module: Any, images: Any
) -> None:
    foretold = Foretold()
    make_trainer(callbacks=[foretold], **settings).fit(module(), images(32), images(8))
    assert foretold.foreseen == foretold.came
    assert len(foretold.came) == 16
    assert True in foretold.came


def test_loops_that_do_not_run_have_no_progress_of_batches(
    make_trainer: Any, module: Any, images: Any
) -> None:
    """``ProgressLines`` counts the batches of evaluations from the loop that is active."""
    seen: list[tuple[int, list[float]]] = []

    class Look(Callback):
        def on_validation_batch_end(self, trainer: Any, *args: Any) -> None:
            loop = trainer._active_loop
            seen.append((loop.batch_progress.current.ready, loop.max_batches))

    make_trainer(callbacks=[Look()]).validate(module(), images(8), verbose=False)
    assert seen == [(1, [2]), (2, [2])]
