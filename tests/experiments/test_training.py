"""The worker, with a function in place of real training."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from resnet_zoo.errors import InvalidValue
from resnet_zoo.experiments import training
from resnet_zoo.experiments.lease import Watch, take
from resnet_zoo.experiments.runs import EvaluationRun, RunStore, TrainingRun
from resnet_zoo.experiments.training import StoppedBySignal, Worker
from resnet_zoo.runs import write_status

RUNS = [TrainingRun("net", seed, {}) for seed in range(3)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setattr(training, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(training, "score_last_epoch", lambda directory: {})
    return RunStore(tmp_path)


def fit_with(
    *codes: int | Exception | Callable[[], int],
) -> tuple[list[list[str]], Callable[[list[str], Path], int]]:
    """Calls made, and a function that acts each code in turn, then 0."""
    calls: list[list[str]] = []

    def fit(words: list[str], log: Path) -> int:
        code = codes[len(calls)] if len(calls) < len(codes) else 0
        calls.append(words)
        if isinstance(code, Exception):
            raise code
        return code if isinstance(code, int) else code()

    return calls, fit


def test_every_run_is_trained_once(store: RunStore) -> None:
    calls, fit = fit_with()
    said: list[str] = []
    Worker(store, fit, said.append).train(RUNS)
    Worker(store, fit, said.append).train(RUNS)
    assert len(calls) == 3
    assert all(store.outcome(run).status == "finished" for run in RUNS)  # type: ignore[union-attr]
    assert [line.split(",")[0] for line in said] == [f"[{n + 1}/3] net seed {n}: finished" for n in range(3)]


def test_a_run_that_diverged_is_a_failed_run_and_not_a_missing_one(store: RunStore) -> None:
    def diverge() -> int:
        directory = store.directory(RUNS[0])
        directory.path.mkdir(parents=True, exist_ok=True)
        write_status(directory.status, "diverged", "training diverged: the loss is nan")
        return 1

    calls, fit = fit_with(diverge)
    Worker(store, fit, print).train(RUNS)
    outcome = store.outcome(RUNS[0])
    assert outcome is not None
    assert (outcome.status, outcome.message) == ("diverged", "training diverged: the loss is nan")
    assert len(calls) == 3


def test_a_run_that_fails_does_not_keep_the_others(store: RunStore) -> None:
    _, fit = fit_with(RuntimeError("out of memory"), 1)
    Worker(store, fit, print).train(RUNS)
    outcomes = [store.outcome(run) for run in RUNS]
    assert [outcome.status for outcome in outcomes if outcome] == ["failed", "failed", "finished"]
    assert "RuntimeError: out of memory" in outcomes[0].message  # type: ignore[union-attr]


def test_a_user_s_mistake_ends_everything(store: RunStore) -> None:
    calls, fit = fit_with(InvalidValue("no such precision"))
    with pytest.raises(InvalidValue, match="no such precision"):
        Worker(store, fit, print).train(RUNS)
    assert len(calls) == 1
    assert store.outcome(RUNS[0]) is None


@pytest.mark.parametrize("code", [85, 130])
def test_a_signal_ends_everything_and_the_run_stays_open(store: RunStore, code: int) -> None:
    _, fit = fit_with(code)
    with pytest.raises(StoppedBySignal, match=f"exit code {code}"):
        Worker(store, fit, print).train(RUNS)
    assert store.outcome(RUNS[0]) is None
    assert take(store.lease(RUNS[0]), Watch()) is not None


def test_what_another_process_trains_is_left_to_it(store: RunStore) -> None:
    calls, fit = fit_with()
    with take(store.lease(RUNS[1]), Watch()) or pytest.fail("free and not given"):
        Worker(store, fit, print).train(RUNS, wait=False)
    assert len(calls) == 2
    assert store.outcome(RUNS[1]) is None


def test_several_workers_share_the_work(store: RunStore) -> None:
    runs = [TrainingRun("net", seed, {}) for seed in range(12)]
    trained: list[str] = []
    barrier = threading.Barrier(3)

    def fit(words: list[str], log: Path) -> int:
        trained.append(words[words.index("--run_dir") + 1])
        return 0

    def work() -> None:
        barrier.wait()
        Worker(store, fit, lambda text: None).train(runs)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(trained) == len(set(trained)) == 12


def test_a_dead_worker_s_run_is_taken_over(store: RunStore) -> None:
    folder = store.lease(RUNS[0])
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps({"host": "n7", "place": "n7", "pid": 1, "started": "1"}))
    calls, fit = fit_with()
    Worker(store, fit, print, silent_seconds=0.0).train(RUNS)
    assert len(calls) == 3


def test_it_says_whom_it_waits_for(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "REMIND_SECONDS", 0.0)
    held = take(store.lease(RUNS[0]), Watch())
    assert held is not None
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if text.startswith("waiting"):
            with held:
                pass

    Worker(store, fit_with()[1], say).train(RUNS[:1])
    assert any(line.startswith("waiting for net seed 0 (process ") for line in said)


def test_a_test_is_not_scored_as_a_training(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "score_last_epoch", lambda directory: pytest.fail("scored"))
    test = EvaluationRun("net", (RUNS[0],), "center")
    Worker(store, fit_with()[1], print).train([test])
    assert store.outcome(test).status == "finished"  # type: ignore[union-attr]
