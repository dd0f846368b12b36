from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from resnet_zoo.experiments.runs import EvaluationRun, Outcome, RunStore, TrainingRun, of_label, unique

RUN = TrainingRun("plain20", 1, {"trainer": {"max_epochs": 2}}, cost=3.0)


def test_the_name_follows_from_what_is_trained() -> None:
    assert RUN.name.startswith("plain20-seed1-")
    assert RUN.name == replace(RUN, cost=9.0, local=("--data.root", "elsewhere")).name
    others = [
        replace(RUN, seed=2),
        replace(RUN, settings={"trainer": {"max_epochs": 3}}),
        replace(RUN, config="r20_cifar10"),
        replace(RUN, options=("--trainer.precision", "bf16-mixed")),
    ]
    assert len({RUN.name, *(other.name for other in others)}) == 5


def test_shared_runs_are_trained_once_and_the_longest_first() -> None:
    longer = replace(RUN, label="plain56", cost=5.0)
    assert unique([RUN, longer, replace(RUN, cost=3.0)]) == [longer, RUN]
    assert of_label([replace(RUN, seed=2), longer, RUN], "plain20") == [RUN, replace(RUN, seed=2)]


def test_words_name_a_config_that_holds_the_settings(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    words = store.words(replace(RUN, config="r20_cifar10", options=("--x", "1"), local=("--data.root", "d")))
    assert words[:3] == ["fit", "--config", "r20_cifar10"]
    assert yaml.safe_load(Path(words[words.index("--config", 3) + 1]).read_text()) == RUN.settings
    assert words[words.index("--seed_everything") + 1] == "1"
    assert words[words.index("--resume") + 1] == "auto"
    assert words[-4:] == ["--x", "1", "--data.root", "d"]
    assert Path(words[words.index("--run_dir") + 1]).parent == tmp_path / "runs"


def test_words_of_a_test_name_every_checkpoint_and_the_protocol(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    other = replace(RUN, label="plain56")
    test = EvaluationRun("both", (RUN, other), "multi_scale")
    words = store.words(test)
    assert words[0] == "validate"
    assert words.count("--ckpt_path") == 2
    assert words[words.index("--protocol") + 1] == "multi_scale"
    assert str(store.directory(other).checkpoints / "last.ckpt") in words
    assert (
        test.name
        != EvaluationRun("both", (RUN,), "multi_scale").name
        != EvaluationRun("both", (RUN,), "center").name
    )


def test_outcomes_are_kept_and_failures_forgotten(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    diverged, failed = replace(RUN, seed=2), replace(RUN, seed=3)
    assert store.outcome(RUN) is None
    store.record(RUN, Outcome("finished", 1.5))
    store.record(diverged, Outcome("diverged", 1.5, message="the loss is nan"))
    store.record(failed, Outcome("failed", 1.5, message="out of memory"))
    store.forget_failures([RUN, diverged, failed])
    assert store.outcome(RUN) == Outcome("finished", 1.5)
    assert store.outcome(diverged) == Outcome("diverged", 1.5, message="the loss is nan")
    assert store.outcome(failed) is None


@pytest.mark.parametrize("run", [RUN, EvaluationRun("x", (RUN,), "center")])
def test_every_run_has_its_own_places(tmp_path: Path, run: TrainingRun | EvaluationRun) -> None:
    store = RunStore(tmp_path)
    assert len({store.directory(run).path, store.lease(run), store.log(run)}) == 3
